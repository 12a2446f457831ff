//! Values between a Rust program and Lua: nothing is lost on the way, in either direction, and what
//! cannot be is an error that says where.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use moonlet::{Bytes, Failure, IntoPayload, Kind, Payload, Runtime, Value, value};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use support::{App, exec};

/// A runtime whose process `app:echo` returns its first argument.
fn echo() -> Runtime {
    App::new().process("echo", "return ...").start()
}

fn payload(values: impl IntoPayload) -> Payload {
    values.into_payload().expect("it can be sent")
}

/// What a type becomes on the way there and back, in the same payload.
fn there_and_back<T: Serialize + serde::de::DeserializeOwned>(value: T) -> T {
    payload((value,)).decode::<(T,)>().expect("it can be read").0
}

#[test]
fn values_survive_a_process() {
    let runtime = echo();
    let failure = Failure::new("Own", "seat taken")
        .with_retryable(true)
        .with_details(value!({ seat = 12, near = [11, 13] }));
    for sent in [
        value!(nil),
        value!(true),
        value!(i64::MIN),
        value!(2.0),
        value!(f64::INFINITY),
        value!(&b"\xff\0"[..]),
        value!("x".repeat(5000)),
        value!([1, [2, "three"], 4.5]),
        value!({ name = "Ada", [2.5] = true, [false] = { deep = [] } }),
        value!(failure.clone()),
        value!({ inside = failure }),
    ] {
        let back = exec(&runtime, "app:echo", std::slice::from_ref(&sent));
        assert_eq!(sorted(back), sorted(sent));
    }
}

/// Lua returns the pairs of a table in any order.
fn sorted(value: Value) -> Value {
    if let Value::Error(failure) = &value {
        let details = sorted(failure.details().clone());
        return value!((**failure).clone().with_details(details));
    }
    let Value::Table(table) = &value else { return value };
    let mut pairs: Vec<_> =
        table.iter().map(|(key, value)| (key.clone(), sorted(value.clone()))).collect();
    pairs.sort_by_key(|(key, _)| key.to_string());
    Value::table(pairs)
}

#[test]
fn integers_and_floats_stay_apart() {
    let runtime = echo();
    assert!(matches!(exec(&runtime, "app:echo", &[2.0.into()]), Value::Float(_)));
    assert!(matches!(exec(&runtime, "app:echo", &[2.into()]), Value::Integer(_)));
}

#[test]
fn a_table_met_twice_is_one_table_on_the_other_side() {
    let main = "local shared = ...
        assert(shared.a == shared.b and shared.a ~= shared.c, 'sharing arrives')
        return { shared.a, shared.b, shared.c }";
    let runtime = App::new().process("main", main).start();
    let twice = value!({ n = 1 });
    let sent = Value::table([("a", twice.clone()), ("b", twice), ("c", value!({ n = 1 }))]);
    let back = exec(&runtime, "app:main", &[sent]);
    let tables: Vec<_> = (1..=3).map(|at| back.at(at).and_then(Value::as_table).unwrap()).collect();
    assert!(std::ptr::eq(tables[0], tables[1]), "sharing comes back");
    assert!(!std::ptr::eq(tables[0], tables[2]));
}

#[test]
fn a_table_that_contains_itself_is_no_value() {
    let main = "local t = { list = {} } t.list[1] = t return t";
    let runtime = App::new().process("main", main).start();
    let error = runtime.exec("app:main", ()).block().unwrap().value().unwrap_err();
    assert_eq!(error.to_string(), "a table contains itself (at .list[1])");
}

#[test]
fn an_error_arrives_with_all_that_lua_has_of_it() {
    let main = "local inner = errors.new({ message = 'no seat', kind = errors.CONFLICT,
            retryable = true, details = { seat = 12 } })
        return nil, errors.wrap(inner, 'booking')";
    let runtime = App::new().process("main", main).start();
    let result = runtime.exec("app:main", ()).block();
    let Err(moonlet::Error::Failed(failure)) = result else { panic!("it fails") };
    assert_eq!((failure.kind(), failure.retryable()), (&Kind::Conflict, Some(true)));
    assert_eq!(failure.message(), "no seat");
    assert_eq!(failure.details(), &value!({ seat = 12 }));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    sku: String,
    count: u32,
    note: Option<String>,
    state: State,
    tags: Vec<String>,
    prices: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Open,
    Paid(u64),
    Sent { by: String, parts: (u8, char) },
    Moved(i8, i16),
}

fn order(state: State) -> Order {
    Order {
        sku: "A-12".into(),
        count: 3,
        note: None,
        state,
        tags: vec!["new".into(), "sale".into()],
        prices: [("eur".to_owned(), 1.5)].into(),
    }
}

#[test]
fn types_map_as_it_is_written() {
    let sent = State::Sent { by: "post".into(), parts: (7, 'x') };
    let table = payload((order(sent),)).value().expect("it is no cycle");
    assert_eq!(
        table,
        value!({
            sku = "A-12", count = 3, state = { Sent = { by = "post", parts = [7, "x"] } },
            tags = ["new", "sale"], prices = { eur = 1.5 },
        }),
    );
    for state in [State::Open, State::Paid(9), State::Moved(-1, 2)] {
        assert_eq!(there_and_back(order(state.clone())), order(state));
    }
    assert_eq!(payload((State::Open,)).value(), Ok(value!("Open")));
    assert_eq!(there_and_back([Some(1), None, Some(3), None]), [Some(1), None, Some(3), None]);
    assert_eq!(there_and_back(HashMap::from([(3_i64, "three".to_owned())]))[&3], "three");
    assert_eq!(there_and_back(Some(f32::MIN)), Some(f32::MIN));
}

#[test]
fn a_tuple_at_the_top_is_a_list_of_values() {
    assert_eq!(payload(()).count(), 0);
    assert_eq!(payload((1, "two", value!(nil))).count(), 3);
    assert_eq!(payload("one").count(), 1);
    assert_eq!(payload(vec![1, 2]).value(), Ok(value!([1, 2])));
    let (one, two, missing): (i64, String, Option<bool>) = payload((1, "two")).decode().unwrap();
    assert_eq!((one, two.as_str(), missing), (1, "two", None));
    assert_eq!(payload(7).decode::<u8>(), Ok(7));
    assert_eq!(payload(7.0).decode::<u8>(), Ok(7));
    assert_eq!(payload(()).decode::<Option<u8>>(), Ok(None));
    let whole = payload((1, 2));
    assert_eq!(whole.clone().into_payload().map(|again| again.count()), Ok(2));
    assert_eq!(whole.decode::<Payload>().map(|again| again.count()), Ok(2));
}

#[test]
fn errors_say_where() {
    let encode = |values: Result<Payload, moonlet::EncodeError>| values.unwrap_err().to_string();
    assert_eq!(
        encode((1, vec![order(State::Paid(u64::MAX))]).into_payload()),
        "18446744073709551615 does not fit into an integer of Lua (at value 2[1].state.Paid)"
    );
    assert_eq!(encode(HashMap::from([(None::<u8>, 1)]).into_payload()), "nil cannot be a key");
    assert_eq!(
        encode(value!({ a = { [f64::NAN] = 1 } }).into_payload()),
        "NaN cannot be a key (at .a[key])"
    );
    let mut deep = value!(1);
    for _ in 0..201 {
        deep = Value::sequence([deep]);
    }
    assert!(
        encode(deep.into_payload()).starts_with("tables are nested more than 200 deep (at [1][1]")
    );

    let decode = |error: moonlet::DecodeError| error.to_string();
    let wrong = payload((value!({ sku = "A", count = "three" }),));
    assert_eq!(
        decode(wrong.decode::<Order>().unwrap_err()),
        "invalid type: string \"three\", expected u32 (at .count)"
    );
    assert_eq!(decode(payload((1, 2)).decode::<u8>().unwrap_err()), "expected one value, got 2");
    assert_eq!(
        decode(payload((1, 2, 3)).decode::<(u8, u8)>().unwrap_err()),
        "expected at most 2 values, got 3"
    );
    assert_eq!(
        decode(payload(value!({ a = 1 })).decode::<Vec<u8>>().unwrap_err()),
        "expected a list, got a table with other keys"
    );
    assert_eq!(
        decode(payload(value!({ [1000] = 1 })).decode::<Vec<Option<u8>>>().unwrap_err()),
        "expected a list, got a table with other keys"
    );
    assert_eq!(
        decode(payload(value!([1])).decode::<BTreeMap<String, u8>>().unwrap_err()),
        "invalid type: integer `1`, expected a string"
    );
}

#[test]
fn values_are_values_inside_of_types_too() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Envelope {
        to: String,
        body: Value,
        bytes: Vec<Value>,
    }
    let failure = Failure::new(Kind::NotFound, "gone");
    let shared = value!({ n = 1 });
    let body = Value::table([("x", shared.clone()), ("y", shared), ("error", failure.into())]);
    let raw = Value::String(Bytes::from(&b"\xfe"[..]));
    let envelope = Envelope { to: "you".into(), body, bytes: vec![raw, value!(2.5)] };
    let back: Envelope = payload(&envelope).decode().expect("it can be read");
    assert_eq!(back, envelope);
    let tables = ["x", "y"].map(|key| back.body.get(key).and_then(Value::as_table).unwrap());
    assert!(std::ptr::eq(tables[0], tables[1]), "it is shared still");
}

#[test]
fn a_reference_out_of_a_part_is_followed() {
    #[derive(Deserialize)]
    struct Pair {
        first: Vec<u8>,
        second: Value,
        third: (u8, u8),
    }
    let list = value!([1, 2]);
    let pair = Value::table([("first", list.clone()), ("second", list.clone()), ("third", list)]);
    let pair: Pair = payload(pair).decode().expect("it can be read");
    assert_eq!((pair.first, pair.second, pair.third), (vec![1, 2], value!([1, 2]), (1, 2)));
}

#[test]
fn other_formats_see_ordinary_data() {
    let value = value!({ list = [1, 2.5, "a"], none = {}, error = Failure::new("Own", "no") });
    let json = serde_json::to_value(&value).expect("it is plain");
    assert_eq!(
        json,
        serde_json::json!({
            "list": [1, 2.5, "a"], "none": {},
            "error": { "kind": "Own", "message": "no", "retryable": null, "details": null },
        })
    );
    let back: Value = serde_json::from_value(json).expect("it is plain");
    assert_eq!(back.get("list"), Some(&value!([1, 2.5, "a"])));
    assert!(serde_json::to_value(payload(1)).is_err(), "a payload is sent as a whole");
    let json: serde_json::Value = payload(value!([1, { a = true }])).decode().expect("it is plain");
    assert_eq!(json, serde_json::json!([1, { "a": true }]));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("equal to itself", |number| !number.is_nan())
            .prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..2000).prop_map(|bytes| Value::from(&bytes[..])),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let pair = (any::<i64>().prop_map(Value::from), inner.clone());
        let failure = (".*", inner.clone())
            .prop_map(|(text, details)| Failure::new("Kind", text).with_details(details).into());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::sequence),
            prop::collection::btree_map("[a-z]*", inner.clone(), 0..8).prop_map(|pairs| {
                Value::table(pairs.into_iter().filter(|(_, value)| !value.is_nil()))
            }),
            prop::collection::vec(pair, 0..4).prop_map(|pairs| {
                let pairs: HashMap<i64, Value> = pairs
                    .into_iter()
                    .filter_map(|(key, value)| Some((key.as_i64()?, value)))
                    .filter(|(_, value)| !value.is_nil())
                    .collect();
                Value::table(pairs)
            }),
            inner.prop_map(|twice| Value::sequence([twice.clone(), twice])),
            failure,
        ]
    })
}

proptest! {
    #[test]
    fn any_value_survives_a_payload(values in prop::collection::vec(any_value(), 0..4)) {
        let sent = values.as_slice().iter().cloned().map(Arc::new).collect::<Vec<_>>();
        for value in sent {
            let there = (&*value).into_payload().expect("it can be sent");
            prop_assert_eq!(&there.value().expect("no cycle"), &*value);
            prop_assert_eq!(&there.decode::<Value>().expect("any value"), &*value);
        }
    }
}
