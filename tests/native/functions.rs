//! Functions that run at once: values, errors, panics, templates and policies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moonlet::{Bytes, Failure, IntoPayload, Kind, Module, Payload, Value, value};

use crate::support::{App, exec};
use crate::{run, start};

fn db() -> Module {
    Module::new("db")
}

#[test]
fn values_go_in_and_out_as_written() {
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Order {
        sku: String,
        count: u32,
        note: Option<String>,
    }
    let module = db()
        .function("add", |(a, b): (i64, i64)| Ok(a + b))
        .function("half", |(a,): (f64,)| Ok(a / 2.0))
        .function("swap", |(a, b): (Value, Value)| Ok((b, a)))
        .function("not_", |flag: bool| Ok(!flag))
        .function("length", |(bytes,): (Bytes,)| Ok(bytes.len()))
        .function("upper", |text: String| Ok(text.to_uppercase()))
        .function("double", |order: Order| Ok(Order { count: 2 * order.count, ..order }))
        .function("nothing", |()| Ok(()))
        .function("maybe", |(text,): (Option<String>,)| Ok(text.map(|text| text.len())))
        .function("all", |all: Payload| Ok(all))
        .function("count", |all: Payload| Ok(all.count()))
        .function("long", |(text,): (String,)| Ok(text.repeat(1000)))
        .function("pair", |()| Ok(("x", None::<i64>, 2.5, 'c', false)));
    let body = r##"
        equal(db.add(1, 2), 3)
        equal(db.add(1.0, 2), 3)
        equal(db.add(math.maxinteger, 0), math.maxinteger)
        equal(db.half(3), 1.5)
        equal(show(db.swap("a", nil)), show(nil, "a"))
        local shared = {}
        local a, b = db.swap({ shared, shared }, 1.0)
        equal(a, 1.0) equal(b[1], b[2])
        equal(db.not_(false), true)
        equal(db.length("\xff\0"), 2)
        equal(db.upper("moon"), "MOON")
        local order = db.double({ sku = "A", count = 4 })
        equal(order.count, 8) equal(order.sku, "A") equal(order.note, nil)
        equal(select("#", db.nothing()), 0)
        equal(show(db.maybe(), db.maybe(nil), db.maybe("four")), show(nil, nil, 4))
        equal(show(db.all(1, nil, "x", nil)), show(1, nil, "x", nil))
        equal(db.count(1, nil), 2)
        equal(#db.long("four"), 4000)
        equal(show(db.pair()), show("x", nil, 2.5, "c", false))
        equal(db.add(1, 2, nil), 3)
        equal(require("db"), db)
        equal(pcall(db.add, 1, 2), true)
        return coroutine.wrap(function() return db.add(20, 22) end)()"##;
    assert_eq!(run(module, body), value!(42));
}

#[test]
fn wrong_arguments_are_returned_and_named() {
    #[derive(serde::Deserialize)]
    struct Order {
        #[allow(dead_code)]
        count: u8,
    }
    let module = db()
        .function("hash", |(text, seed): (String, i64)| Ok(text.len() as i64 + seed))
        .function("byte", |(number,): (u8,)| Ok(number))
        .function("float", |number: f32| Ok(number))
        .function("flag", |(flag,): (bool,)| Ok(flag))
        .function("order", |(_, _): (i64, Order)| Ok(()))
        .function("list", |(list,): (Vec<i64>,)| Ok(list.len()))
        .function("nothing", |()| Ok(()));
    let body = r##"
        local function bad(text, ...)
          local err = refused("INVALID", text, ...)
          equal(tostring(err), text) equal(err:retryable(), false)
        end
        bad("bad argument #1 to 'db.hash' (string expected, got table)", db.hash({}, 1))
        bad("bad argument #1 to 'db.hash' (string expected, got number)", db.hash(1, 1))
        bad("bad argument #2 to 'db.hash' (integer expected, got string)", db.hash("x", "1"))
        bad("bad argument #2 to 'db.hash' (integer expected, got no value)", db.hash("x"))
        bad("bad argument #2 to 'db.hash' (integer expected, got nil)", db.hash("x", nil))
        bad("bad argument #2 to 'db.hash' (integer expected, got another number)", db.hash("x", 1.5))
        bad("bad argument #3 to 'db.hash' (it takes at most 2 arguments)", db.hash("x", 1, 2))
        bad("bad argument #1 to 'db.nothing' (it takes at most 0 arguments)", db.nothing(1))
        bad("bad argument #1 to 'db.byte' (invalid value: integer `300`, expected u8)", db.byte(300))
        bad("bad argument #1 to 'db.float' (number expected, got function)", db.float(print))
        bad("bad argument #1 to 'db.flag' (boolean expected, got no value)", db.flag())
        bad("bad argument #2 to 'db.order' (table expected, got boolean)", db.order(1, true))
        bad("bad argument #2 to 'db.order' (missing field `count`)", db.order(1, {}))
        bad("bad argument #2 to 'db.order' (invalid type: string \"x\", expected u8 (at .count))",
          db.order(1, { count = "x" }))
        bad("bad argument #1 to 'db.list' (table expected, got string)", db.list("x"))
        bad("bad argument #1 to 'db.list' (cannot send a function (at [1]))", db.list({ print }))
        return "done""##;
    assert_eq!(run(module, body), value!("done"));
}

#[test]
fn an_err_is_nil_and_an_error_object() {
    let module = db()
        .function("take", |(seat,): (i64,)| {
            let failure = Failure::new(Kind::Conflict, format!("seat {seat} is taken"));
            Err::<(), _>(failure.with_retryable(true).with_details(value!({ seat = seat })))
        })
        .function("too_large", |()| Ok((1, u64::MAX)))
        .function("own", |()| Err::<i64, _>(Failure::new("Own", "x")));
    let body = r##"
        local err = refused("CONFLICT", "seat 12 is taken", db.take(12))
        equal(select("#", db.take(12)), 2)
        equal(err:retryable(), true) equal(err:details().seat, 12)
        equal(select(2, db.own()):kind(), "Own")
        refused("INTERNAL", "'db.too_large' returned what Lua does not have: " ..
          "18446744073709551615 does not fit into an integer of Lua", db.too_large())
        equal(select("#", db.too_large()), 2)
        return "done""##;
    assert_eq!(run(module, body), value!("done"));
}

#[test]
fn a_panic_is_an_error_that_lua_can_catch() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            panic!("the drop of what was thrown");
        }
    }
    let module = db()
        .function("text", |()| -> Result<(), Failure> { panic!("lost {}", "it") })
        .function("sore", |()| -> Result<(), Failure> { std::panic::panic_any(Sore) })
        .function("add", |(a, b): (i64, i64)| Ok(a + b));
    let body = r##"
        local ok, err = pcall(db.text)
        equal(ok, false) equal(err:kind(), errors.INTERNAL)
        equal(err:message(), "'db.text' panicked: lost it")
        raises("'db.sore' panicked: unknown panic", db.sore)
        equal(db.add(1, 2), 3)
        db.text()"##;
    let runtime = start(App::new().process_using("time, db", "main", body), module);
    for _ in 0..3 {
        match runtime.exec("app:main", ()).block() {
            Err(moonlet::Error::Failed(failure)) => {
                assert_eq!(failure.kind(), &Kind::Internal);
                assert_eq!(failure.message(), "'db.text' panicked: lost it");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A chunk that calls a native function runs in each process, unless the function is pure; and either
/// way processes are copies of a template.
#[test]
fn templates_are_copied_whatever_functions_they_mention() {
    const PROCESSES: usize = 40;
    for (is_pure, expected) in [(false, PROCESSES..=PROCESSES), (true, 1..=10)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let one = move |(a,): (i64,)| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(a + 1)
        };
        let module = db().function("other", |()| Ok(7));
        let module =
            if is_pure { module.pure_function("one", one) } else { module.function("one", one) };
        let source = "local two = db.one(1) return function() return two + db.other() end";
        let parent = format!(
            "for i = 1, {PROCESSES} do equal(process.exec('app:child', 'app:processes'), 9) end"
        );
        let app = App::new().code("child", source, "kind: process.lua, modules: [db]");
        let runtime = start(app.process("main", &parent), module);
        exec(&runtime, "app:main", &[]);
        let calls = calls.load(Ordering::Relaxed);
        assert!(expected.contains(&calls), "pure: {is_pure}, {calls} calls");
        assert_eq!(runtime.metrics().refused_templates, 0);
    }
}

#[test]
fn policies_decide_about_calls() {
    let module = db()
        .function("get", |()| Ok(1))
        .function("put", |()| Ok(2))
        .pure_function("name", |()| Ok("db"));
    let body = r##"
        equal(db.get(), 1) equal(db.name(), "db")
        local err = refused("PERMISSION_DENIED", "not allowed to call: db.put", db.put())
        return "done""##;
    let app = App::new().process_using("db", "main", body).entry(
        "name: readers, kind: security.policy, \
         policy: { actions: module.call, resources: db.get, effect: allow }",
    );
    let runtime = start(app, module);
    let process = runtime.process("app:main").actor("ada", value!({})).scope(["app:readers"]);
    let done: String = process.exec().block().and_then(|done| Ok(done.decode()?)).expect("it runs");
    assert_eq!(done, "done");
    // Without an actor, everything is allowed.
    match runtime.exec("app:main", ()).block() {
        Err(moonlet::Error::Failed(failure)) => {
            assert!(failure.message().contains("not refused: 2"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_functions_own_is_dropped_with_the_runtime() {
    struct Bell(Arc<AtomicUsize>);
    impl Drop for Bell {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a drop that panics stays alone");
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (first, second) = (Bell(dropped.clone()), Bell(dropped.clone()));
    let module = db()
        .function("first", move |()| Ok(Arc::strong_count(&first.0)))
        .function("second", move |()| Ok(Arc::strong_count(&second.0)));
    let runtime = start(App::new().process_using("db", "main", "return db.first()"), module);
    assert_eq!(exec(&runtime, "app:main", &[]), value!(3));
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(runtime);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

/// The results of a call count against the limit of the host like any other memory.
#[test]
fn results_count_against_the_memory_limit() {
    let module = db().function("large", |(bytes,): (usize,)| Ok("x".repeat(bytes)));
    let body = "local kept = {} for i = 1, 100 do kept[i] = db.large(100000) end return #kept";
    let app = App::with_host("{ max_memory: 1000000 }").process_using("db", "main", body);
    let runtime = start(app, module);
    match runtime.exec("app:main", ()).block() {
        Err(moonlet::Error::MemoryLimit(text)) => assert!(text.contains("1000000"), "{text}"),
        other => panic!("{other:?}"),
    }
}

/// Types that decode themselves take the same way.
#[test]
fn own_implementations_are_used() {
    struct Sum(i64);
    impl moonlet::FromPayload for Sum {
        fn from_payload(payload: &Payload) -> Result<Sum, moonlet::DecodeError> {
            let values = payload.values()?;
            Ok(Sum(values.iter().filter_map(Value::as_i64).sum()))
        }
    }
    impl IntoPayload for Sum {
        fn into_payload(self) -> Result<Payload, moonlet::EncodeError> {
            ("sum", self.0).into_payload()
        }
    }
    let module = db().function("sum", |sum: Sum| Ok(sum));
    let body = "equal(show(db.sum(1, 'x', 2, 3)), show('sum', 6)) return 'done'";
    assert_eq!(run(module, body), value!("done"));
}
