//! Blocking functions: their pool is bounded, and nobody waits for them for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use moonlet::{Failure, Module, Runtime, value};

use crate::run;
use crate::support::{self, App, PATIENCE, exec, within};

/// A function that blocks until the other side sends something.
fn gate() -> (Module, Sender<()>, Arc<AtomicUsize>) {
    let (open, gate): (Sender<()>, Receiver<()>) = mpsc::channel();
    let (gate, begun) = (Mutex::new(gate), Arc::new(AtomicUsize::new(0)));
    let counted = begun.clone();
    let module = Module::new("db").blocking_function("wait", move |number: i64| {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().unwrap().recv();
        Ok(number)
    });
    (module, open, begun)
}

fn start_with(app: App, module: Module, threads: usize, queued: usize) -> Runtime {
    let application = app.entry("name: db, kind: module.native").load();
    let builder = support::builder().workers(2).blocking_threads(threads, queued);
    builder.application(application).module(module).start().expect("the runtime starts")
}

#[test]
fn the_pool_is_bounded_in_threads_and_queue() {
    let (module, open, begun) = gate();
    let body = "
        local results = channel.new(3)
        for number = 1, 3 do
          coroutine.spawn(function() results:send(db.wait(number)) end)
        end
        while db.begun() < 2 do time.sleep('1ms') end
        local err = refused('RATE_LIMITED', \"'db.wait': all 2 threads are busy, and 1 calls wait\",
          db.wait(4))
        equal(err:retryable(), true)
        db.open()
        local sum = 0
        for _ = 1, 3 do sum = sum + results:receive() end
        equal(db.begun(), 3)
        return sum";
    let module = module.function("begun", move |()| Ok(begun.load(Ordering::SeqCst))).function(
        "open",
        move |()| {
            (0..3).for_each(|_| open.send(()).expect("the gate is there"));
            Ok(())
        },
    );
    let app = App::new().process_using("time, db", "main", body);
    let runtime = start_with(app, module, 2, 1);
    assert_eq!(within(PATIENCE, move || exec(&runtime, "app:main", &[])), value!(6));
}

#[test]
fn results_errors_and_panics_are_those_of_other_functions() {
    let module = Module::new("db")
        .blocking_function("add", |(a, b): (i64, i64)| Ok(a + b))
        .blocking_function("fail", |()| Err::<(), _>(Failure::new("Own", "no")))
        .blocking_function("panic", |()| -> Result<(), Failure> { panic!("off the worker") })
        .blocking_function("thread", |()| {
            Ok(thread::current().name().unwrap_or_default().to_owned())
        });
    let body = "
        for i = 1, 200 do equal(db.add(i, 1), i + 1) end
        equal(select(2, db.fail()):kind(), 'Own')
        raises(\"'db.panic' panicked: off the worker\", db.panic)
        refused('INVALID', \"bad argument #1 to 'db.add' (integer expected, got table)\", db.add({}))
        return db.thread()";
    assert_eq!(run(module, body), value!("moonlet-blocking"));
}

/// What the job of a killed caller returns is dropped, and its thread serves others.
#[test]
fn the_job_of_a_killed_caller_runs_on() {
    let (module, open, begun) = gate();
    let ended = Arc::new(AtomicUsize::new(0));
    let (counted, asked) = (ended.clone(), begun.clone());
    let module = module
        .function("begun", move |()| Ok(asked.load(Ordering::SeqCst)))
        .blocking_function("after", move |()| Ok(counted.fetch_add(1, Ordering::SeqCst)));
    let app = App::new().process_using("db", "waiter", "return db.wait(1)").process_using(
        "time, db",
        "main",
        "local waiter = process.spawn_monitored('app:waiter', 'app:processes')
         while db.begun() < 1 do time.sleep('1ms') end
         process.terminate(waiter)
         process.events():receive()
         return db.after()",
    );
    let runtime = start_with(app, module, 1, 10);
    let main = runtime.handle();
    let call = thread::spawn(move || main.exec("app:main", ()).block());
    within(PATIENCE, move || {
        while begun.load(Ordering::SeqCst) < 1 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        assert_eq!(ended.load(Ordering::SeqCst), 0, "the only thread is busy");
        open.send(()).expect("the gate is there");
        let value = call.join().expect("it ends").expect("it returns");
        assert_eq!(value.decode::<i64>().ok(), Some(0));
    });
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let (module, open, begun) = gate();
    let app = App::new().process_using("db", "main", "return db.wait(...)");
    let runtime = start_with(app, module, 1, 10);
    for number in 1..=3 {
        runtime.process("app:main").args(number).spawn().block().expect("it starts");
    }
    let waited = begun.clone();
    within(PATIENCE, move || {
        while waited.load(Ordering::SeqCst) < 1 {
            thread::yield_now();
        }
    });
    let before = Instant::now();
    drop(runtime);
    assert!(before.elapsed() < Duration::from_secs(20));
    assert_eq!(begun.load(Ordering::SeqCst), 1, "the others were dropped");
    open.send(()).expect("the job runs on");
}

/// A blocking function may stop the runtime that runs it.
#[test]
fn a_runtime_may_be_dropped_on_a_thread_of_the_pool() {
    let place: Arc<Mutex<Option<Runtime>>> = Arc::default();
    let (own, (done, dropped)) = (place.clone(), mpsc::channel());
    let module = Module::new("db").blocking_function("stop", move |()| {
        drop(own.lock().unwrap().take());
        done.send(()).expect("the test waits");
        Ok(())
    });
    let app = App::new().process_using("db", "main", "return db.stop()");
    let runtime = start_with(app, module, 1, 1);
    let handle = runtime.handle();
    *place.lock().unwrap() = Some(runtime);
    // The call may end before the stop, which happens on another thread.
    let _ = handle.exec("app:main", ()).block();
    dropped.recv_timeout(PATIENCE).expect("the drop returns");
}
