//! Log lines of processes as records of the crate `log`, and as events of the crate `tracing`.

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use log::kv::{self, Key, VisitSource};
use moonlet::{Builder, Level, LogRecord, Runtime};
use support::{App, PATIENCE, within};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Subscriber;
use tracing_core::{Dispatch, Event, Metadata, dispatcher};

const MAIN: &str = r#"
    local log = logger:named("shop.db"):with({ shard = 3 })
    log:info("paid", { ok = true, ratio = 0.5, text = "t\xff", list = { 1, 2 }, pid = "mine" })
    print("printed")
    logger:debug("details")
    process.spawn("app:crash", "app:processes")
"#;

/// What arrived: level, target and values, by name.
type Line = (String, String, BTreeMap<String, String>);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the program and stops the runtime, so that all lines have arrived.
fn run(main: &str, on_log: impl FnMut(&LogRecord) + Send + 'static) {
    let app = App::new().process("main", main).process("crash", "error('crashed')");
    let builder = Builder::new().workers(1).log_level(Level::Debug).application(app.load());
    let runtime: Runtime = builder.on_log(on_log).start().expect("the runtime starts");
    runtime.exec("app:main", ()).block().expect("it ends");
    // The crash is of a process that nobody waits for.
    while runtime.metrics().ended < runtime.metrics().spawned {
        std::thread::yield_now();
    }
    assert_eq!(runtime.shutdown().lost_log_lines, 0);
}

#[track_caller]
fn check_lines(lines: &[Line]) {
    let find = |message: &str| {
        let is_it = |line: &&Line| line.2["message"].starts_with(message);
        lines.iter().find(is_it).unwrap_or_else(|| panic!("no {message} in {lines:#?}"))
    };
    let (level, target, values) = find("paid");
    assert_eq!((&**level, &**target), ("INFO", "moonlet::shop::db"));
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    assert!(value("pid").starts_with("\"{app:processes|") && value("entry") == "\"app:main\"");
    assert!(u64::from_str_radix(value("chain").trim_matches('"'), 16).is_ok(), "{values:?}");
    for (name, expected) in [
        ("shard", "i3"),
        ("ok", "true"),
        ("ratio", "f0.5"),
        ("text", "\"t\\\\xff\""),
        ("list", "{1, 2}"),
        ("field.pid", "\"mine\""),
        ("traceback", ""),
        ("others", ""),
    ] {
        assert_eq!(value(name), expected, "{name} in {values:?}");
    }
    let (level, target, values) = find("printed");
    assert_eq!((&**level, &**target, values.len()), ("INFO", "moonlet", 4), "{values:?}");
    assert_eq!(find("details").0, "DEBUG");
    let (level, _, values) = find("process failed: ");
    assert_eq!((&**level, &*values["entry"]), ("WARN", "\"app:crash\""));
    assert!(values["traceback"].contains("crash.lua:1"), "{values:?}");
}

// `log` has one logger in a program.

struct Logger(Mutex<Vec<Line>>);

static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("moonlet")
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut values = Values(BTreeMap::from([("message".into(), record.args().to_string())]));
        record.key_values().visit(&mut values).expect("no visit fails");
        lock(&self.0).push((record.level().to_string(), record.target().to_owned(), values.0));
    }

    fn flush(&self) {}
}

struct Values(BTreeMap<String, String>);

impl<'kvs> VisitSource<'kvs> for Values {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let shown = match (value.to_bool(), value.to_i64(), value.to_borrowed_str()) {
            (Some(flag), ..) => flag.to_string(),
            (_, Some(number), _) => format!("i{number}"),
            (.., Some(text)) => format!("{text:?}"),
            _ if value.to_string().starts_with('{') => value.to_string(),
            _ => value.to_f64().map_or_else(String::new, |number| format!("f{number}")),
        };
        self.0.insert(key.as_str().to_owned(), shown);
        Ok(())
    }
}

#[test]
fn log_gets_records_with_values() {
    within(PATIENCE, || {
        log::set_logger(&LOGGER).expect("the only one");
        log::set_max_level(log::LevelFilter::Debug);
        run(MAIN, moonlet::to_log());
        check_lines(&lock(&LOGGER.0));
        // The program's own limit is asked first.
        log::set_max_level(log::LevelFilter::Warn);
        lock(&LOGGER.0).clear();
        run(MAIN, moonlet::to_log());
        let lines = lock(&LOGGER.0);
        assert!(lines.iter().all(|line| line.0 == "WARN") && !lines.is_empty(), "{lines:?}");
    });
}

/// Takes events, from a level on.
#[derive(Clone)]
struct Seen(Arc<Mutex<Vec<Line>>>, tracing_core::Level);

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.1
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut values = Values(BTreeMap::new());
        event.record(&mut values);
        let metadata = event.metadata();
        let (level, target) = (metadata.level().to_string(), metadata.target().to_owned());
        lock(&self.0).push((level, target, values.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Values {
    fn add(&mut self, field: &Field, value: String) {
        assert!(self.0.insert(field.name().to_owned(), value).is_none(), "{field} twice");
    }
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, format!("i{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, format!("f{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format!("{value:?}"));
    }
}

/// Runs the program with the subscriber that is current where it starts, and returns its events.
fn traced(main: &'static str, level: tracing_core::Level) -> Vec<Line> {
    within(PATIENCE, move || {
        let seen = Seen(Arc::default(), level);
        let dispatch = Dispatch::new(seen.clone());
        dispatcher::with_default(&dispatch, || run(main, moonlet::to_tracing()));
        std::mem::take(&mut *lock(&seen.0))
    })
}

#[test]
fn tracing_gets_events_with_fields() {
    check_lines(&traced(MAIN, tracing_core::Level::DEBUG));
    let lines = traced(MAIN, tracing_core::Level::WARN);
    assert!(lines.iter().all(|line| line.0 == "WARN") && !lines.is_empty(), "{lines:?}");
    // Last, because it leaves no room for more callsites in this program.
    fields_without_a_place_stand_in_one();
}

fn fields_without_a_place_stand_in_one() {
    let main = r#"
        local many = {}
        for number = 10, 45 do many["f" .. number] = number end
        logger:info("many", many)
        -- Names that scripts make up take no more memory than callsites are kept.
        for number = 1, 600 do logger:info("made up", { ["name" .. number] = number, a = true }) end
    "#;
    let lines = traced(main, tracing_core::Level::INFO);
    let values = &lines.iter().find(|line| line.2["message"] == "many").expect("a line").2;
    assert_eq!((&*values["f10"], &*values["f35"]), ("i10", "i35"));
    assert_eq!(
        values["others"],
        "{f36=36, f37=37, f38=38, f39=39, f40=40, f41=41, f42=42, \
                                  f43=43, f44=44, f45=45}"
    );
    let made_up = |line: &&Line| line.2["message"] == "made up";
    let last = lines.iter().rfind(made_up).expect("a line");
    assert_eq!((&*last.2["others"], &*last.1), ("{a=true, name600=600}", "moonlet"));
    assert_eq!(lines.iter().filter(made_up).count(), 600, "none is lost");
    let first = lines.iter().find(made_up).expect("a line");
    assert_eq!((&*first.2["a"], &*first.2["name1"]), ("true", "i1"));
}
