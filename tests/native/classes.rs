//! Objects: Lua holds them, Rust has their values.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moonlet::{Class, Error, Failure, Kind, Module, value};

use crate::support::{App, exec};
use crate::{run, start};

/// A value that counts itself.
struct Counted {
    number: i64,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(number: i64, alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Ordering::SeqCst);
        Counted { number, alive: alive.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(self.number, 13, "a drop that panics");
    }
}

fn counters(alive: &Arc<AtomicUsize>) -> Module {
    let (made, later, asked) = (alive.clone(), alive.clone(), alive.clone());
    let class = Class::<Counted>::new("Counter")
        .constructor("new", move |(start,): (i64,)| match start {
            ..0 => Err(Failure::new(Kind::Invalid, "negative")),
            _ => Ok(Counted::new(start, &made)),
        })
        .async_constructor("later", move |(start,): (i64,)| {
            let alive = later.clone();
            async move { Ok(Counted::new(start, &alive)) }
        })
        .method("add", |counter, (n,): (i64,)| {
            counter.number += n;
            Ok(counter.number)
        })
        .method("get", |counter, ()| Ok(counter.number))
        .method("fail", |_, ()| Err::<(), _>(Failure::new(Kind::Conflict, "no")))
        .method("panic", |counter, ()| -> Result<(), Failure> {
            counter.number = 0;
            panic!("in a method")
        })
        .async_method("slow", |counter, (n,): (i64,)| {
            let number = counter.number;
            async move { Ok(number + n) }
        });
    let other = Class::<u8>::new("Other")
        .constructor("new", |()| Ok(1))
        .method("get", |number, ()| Ok(*number));
    Module::new("db")
        .class(class)
        .class(other)
        .function("alive", move |()| Ok(asked.load(Ordering::SeqCst)))
}

#[test]
fn methods_have_the_value() {
    let body = r##"
        local one, two = db.Counter.new(1), db.Counter.later(20)
        equal(one:add(2), 3) equal(one:add(2), 5) equal(two:get(), 20)
        equal(one:slow(10), 15)
        equal(show(db.Counter.new(-1)), "nil, negative")
        refused("CONFLICT", "no", one:fail())
        refused("INVALID", "bad argument #1 to 'db.Counter.new' (integer expected, got table)",
          db.Counter.new({}))
        refused("INVALID", "bad argument #1 to 'db.Counter:add' (integer expected, got string)",
          one:add("x"))
        raises("'db.Counter:panic' panicked: in a method", one.panic, one)
        equal(one:get(), 0)
        equal(getmetatable(one), "db.Counter")
        equal(string.find(tostring(one), "db.Counter: ", 1, true), 1)
        equal(db.Counter.add, nil) equal(one.new, nil)
        equal(db.alive(), 2)
        return "done""##;
    assert_eq!(run(counters(&Arc::default()), body), value!("done"));
}

#[test]
fn a_method_wants_an_object_of_its_class() {
    let body = r##"
        local one, other = db.Counter.new(1), db.Other.new()
        equal(other:get(), 1)
        local function wrong(got, ...)
          raises("bad argument #1 to 'db.Counter:get' (db.Counter expected, got " .. got .. ")", ...)
        end
        wrong("no value", one.get)
        wrong("table", one.get, {})
        wrong("native object", one.get, other)
        wrong("channel", one.get, channel.new())
        raises("db.Counter expected", one.slow, other, 1)
        refused("INVALID", "cannot send a native object", process.send(process.pid(), "x", one))
        refused("INVALID", "bad argument #1 to 'db.Counter.new' (integer expected, got userdata)",
          db.Counter.new(one))
        return "done""##;
    assert_eq!(run(counters(&Arc::default()), body), value!("done"));
}

#[test]
fn values_are_dropped_when_they_are_collected_and_with_their_process() {
    let alive: Arc<AtomicUsize> = Arc::default();
    let app = App::new()
        .process_using(
            "db",
            "child",
            "
            kept = {}
            for i = 1, 20 do kept[i] = db.Counter.new(i) end
            process.send(..., 'made')
            process.inbox():receive()",
        )
        .process_using(
            "db",
            "main",
            "
            for i = 1, 20000 do
              local counter = db.Counter.new(i)
              assert(counter:get() == i)
            end
            assert(db.alive() < 10000, db.alive())
            local child = process.spawn_monitored('app:child', 'app:processes', process.pid())
            process.inbox():receive()
            local before = db.alive()
            process.terminate(child)
            process.events():receive()
            return before - db.alive()",
        );
    let runtime = start(app, counters(&alive));
    assert_eq!(exec(&runtime, "app:main", &[]), value!(20));
    assert_eq!(alive.load(Ordering::SeqCst), 0, "main has ended");
}

#[test]
fn the_memory_limit_counts_what_objects_hold() {
    let buffers = || {
        let class = Class::<Vec<u8>>::new("Buffer")
            .constructor("new", |(bytes,): (usize,)| Ok(vec![0; bytes]))
            .method("resize", |buffer, (bytes,): (usize,)| {
                *buffer = vec![0; bytes];
                Ok(())
            })
            .size(|buffer| size_of::<Vec<u8>>() + buffer.capacity());
        Module::new("db").class(class)
    };
    let limited = |body: &str| {
        let app = App::with_host("{ max_memory: 2000000 }").process_using("db", "main", body);
        start(app, buffers()).exec("app:main", ()).block()
    };
    let past = |body: &str| match limited(body) {
        Err(Error::MemoryLimit(_)) => {}
        other => panic!("{other:?}"),
    };
    past("local all = {} for i = 1, 30 do all[i] = db.Buffer.new(100000) end");
    past("local one = db.Buffer.new(0) one:resize(3000000) return one:resize(0)");
    // What is collected, or given back, does not count.
    for body in [
        "for i = 1, 2000 do db.Buffer.new(100000) end",
        "for i = 1, 2000 do db.Buffer.new(10):resize(100000) end",
        "local one = db.Buffer.new(1000000)
         for i = 1, 100 do one:resize(0) one:resize(1000000) end",
        "local all = {} for i = 1, 100 do all[i] = db.Buffer.new(100000) all[i]:resize(10) end",
    ] {
        limited(body).unwrap_or_else(|error| panic!("{body}: {error}"));
    }
}

#[test]
fn policies_decide_about_constructors() {
    let body = r##"
        refused("PERMISSION_DENIED", "not allowed to call: db.Counter.later", db.Counter.later(1))
        return db.Counter.new(1):add(1)"##;
    let app = App::new().process_using("db", "main", body).entry(
        "name: rule, kind: security.policy, \
         policy: { actions: module.call, resources: db.Counter.new, effect: allow }",
    );
    let runtime = start(app, counters(&Arc::default()));
    let process = runtime.process("app:main").actor("ada", value!({})).scope(["app:rule"]);
    let two = process.exec().block().and_then(|two| Ok(two.decode::<i64>()?));
    assert_eq!(two.ok(), Some(2));
}

#[test]
fn names_in_classes_do_not_repeat() {
    let refusal = |module: Module| match moonlet::Builder::new().module(module).start() {
        Err(Error::Module(text)) => text,
        other => panic!("{other:?}"),
    };
    let class = || Class::<u8>::new("One").constructor("new", |()| Ok(1));
    let module = || Module::new("db");
    for (module, name) in [
        (module().class(class()).class(class()), "One"),
        (module().class(class()).function("One", |()| Ok(1)), "One"),
        (module().class(class().constructor("new", |()| Ok(2))), "db.One.new"),
        (module().class(class().method("a", |_, ()| Ok(1)).method("a", |_, ()| Ok(1))), "db.One:a"),
    ] {
        let text = refusal(module);
        assert_eq!(text, format!("native module \"db\" has two functions {name:?}"));
    }
    // A method may have the name of a constructor.
    let both = module().class(class().method("new", |_, ()| Ok(1)));
    moonlet::Builder::new().workers(1).module(both).start().expect("it starts");
}
