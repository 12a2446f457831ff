//! Async functions: the coroutine waits and its worker does not, whatever the future does.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use moonlet::{Error, Failure, Kind, Module, Runtime, Value, value};

use crate::support::{self, App, PATIENCE, exec, within};
use crate::{run, start};

fn db() -> Module {
    Module::new("db")
}

fn start_alone(app: App, module: Module) -> Runtime {
    let application = app.entry("name: db, kind: module.native").load();
    let builder = support::builder().workers(1).application(application);
    builder.module(module).start().expect("the runtime starts")
}

/// A door behind which futures wait.
#[derive(Clone, Default)]
struct Door(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Door {
    fn open(&self) {
        let wakers = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn waiting(&self) -> usize {
        self.0.lock().unwrap().1.len()
    }

    fn pass(&self) -> impl Future<Output = ()> + Send + use<> {
        let door = self.clone();
        poll_fn(move |context| {
            let mut state = door.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        })
    }

    /// A module with a function that waits for the door, and one that opens it.
    fn module(&self) -> Module {
        let (door, opened) = (self.clone(), self.clone());
        db().async_function("pass", move |(value,): (Value,)| {
            let passed = door.pass();
            async move {
                passed.await;
                Ok(value)
            }
        })
        .function("open", move |()| {
            opened.open();
            Ok(opened.waiting())
        })
    }
}

/// Counts drops.
#[derive(Clone)]
struct Bell(Arc<AtomicUsize>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_worker_runs_others_while_a_coroutine_waits() {
    let app = App::new()
        .process_using("db", "waiter", "return db.pass({ ... })")
        .process_using(
            "db",
            "main",
            "
            local waiter = process.spawn_monitored('app:waiter', 'app:processes', 'x', 2)
            equal(process.exec('app:other', 'app:processes'), 'other')
            db.open()
            local event = process.events():receive()
            return event.result.value[1] .. event.result.value[2]",
        )
        .process("other", "return 'other'");
    let runtime = start_alone(app, Door::default().module());
    let value = within(PATIENCE, move || exec(&runtime, "app:main", &[]));
    assert_eq!(value, value!("x2"));
}

#[test]
fn coroutines_of_a_process_wait_each_for_its_own() {
    let doors: Vec<Door> = (0..3).map(|_| Door::default()).collect();
    let opened = doors.clone();
    let module = db()
        .async_function("pass", move |number: usize| {
            let passed = doors[number].pass();
            async move {
                passed.await;
                Ok(number)
            }
        })
        .function("open", move |number: usize| {
            opened[number].open();
            Ok(())
        });
    let body = "
        local order, done = {}, channel.new(3)
        for number = 0, 2 do
          coroutine.spawn(function()
            local passed = db.pass(number)
            order[#order + 1] = passed
            done:send(true)
          end)
        end
        coroutine.spawn(function() for _, number in ipairs { 1, 2, 0 } do db.open(number) end end)
        for _ = 1, 3 do done:receive() end
        local inner = coroutine.wrap(function() return db.pass(0), 'inner' end)
        equal(show(inner()), show(0, 'inner'))
        return table.concat(order, ' ')";
    assert_eq!(within(PATIENCE, move || run(module, body)), value!("1 2 0"));
}

#[test]
fn results_errors_and_wrong_arguments_are_those_of_other_functions() {
    let module = db()
        .async_function("add", |(a, b): (i64, i64)| async move { Ok(a + b) })
        .async_function("pair", |()| async { Ok(("a", value!({ b = [1, 2] }))) })
        .async_function("fail", |()| async {
            Err::<(), _>(Failure::new(Kind::Conflict, "taken").with_retryable(true))
        })
        .async_function("large", |()| async { Ok(u64::MAX) });
    let body = "
        equal(db.add(1, 2), 3)
        local a, table = db.pair()
        equal(a, 'a') equal(table.b[2], 2)
        local err = refused('CONFLICT', 'taken', db.fail())
        equal(err:retryable(), true) equal(select('#', db.fail()), 2)
        refused('INTERNAL', \"'db.large' returned what Lua does not have\", db.large())
        refused('INVALID', \"bad argument #2 to 'db.add' (integer expected, got nil)\", db.add(1, nil))
        return 'done'";
    assert_eq!(run(module, body), value!("done"));
}

/// Two processes on one worker, whose futures wake themselves in each poll, take turns.
#[test]
fn a_future_that_wakes_itself_goes_behind_others() {
    const POLLS: usize = 300;
    let polls: Arc<Mutex<Vec<i64>>> = Arc::default();
    let seen = polls.clone();
    let module = db().async_function("spin", move |(own,): (i64,)| {
        let (polls, mut left) = (polls.clone(), POLLS);
        poll_fn(move |context| {
            polls.lock().unwrap().push(own);
            left -= 1;
            if left == 0 {
                return Poll::Ready(Ok(own));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
    });
    let app = App::new().process_using("db", "spinner", "return db.spin(...)").process(
        "main",
        "for number = 1, 2 do
           process.spawn_monitored('app:spinner', 'app:processes', number)
         end
         local first, second = process.events():receive(), process.events():receive()
         return first.result.value + second.result.value",
    );
    let runtime = start_alone(app, module);
    assert_eq!(within(PATIENCE, move || exec(&runtime, "app:main", &[])), value!(3));
    let polls = seen.lock().unwrap();
    let turns = polls.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(turns > POLLS, "{turns} turns: {polls:?}");
}

#[test]
fn a_panic_in_a_poll_is_an_error_of_that_call() {
    let door = Door::default();
    let passed = door.clone();
    let module = door
        .module()
        .async_function("begin", |()| -> std::future::Ready<Result<(), Failure>> {
            panic!("before the future")
        })
        .async_function("first", |()| async { panic!("the first poll") as Result<(), Failure> })
        .async_function("later", move |()| {
            let passed = passed.pass();
            async move {
                passed.await;
                panic!("a later poll") as Result<(), Failure>
            }
        });
    let body = "
        raises(\"'db.begin' panicked: before the future\", db.begin)
        raises(\"'db.first' panicked: the first poll\", db.first)
        coroutine.spawn(function() db.open() end)
        local err = raises(\"'db.later' panicked: a later poll\", db.later)
        equal(err:kind(), errors.INTERNAL)
        return db.pass('alive')";
    assert_eq!(within(PATIENCE, move || run(module, body)), value!("alive"));
}

/// A module whose `hang` never returns; its future rings when it is dropped, and then panics.
fn hanging(dropped: &Arc<AtomicUsize>, wakers: &Arc<Mutex<Vec<Waker>>>) -> Module {
    struct Sore(#[allow(dead_code)] Bell);
    impl Drop for Sore {
        fn drop(&mut self) {
            panic!("the drop of a future");
        }
    }
    let (counted, wakers) = (dropped.clone(), wakers.clone());
    let own = dropped.clone();
    db().async_function("hang", move |()| {
        let (sore, wakers) = (Sore(Bell(counted.clone())), wakers.clone());
        poll_fn(move |context| {
            let _kept = &sore;
            wakers.lock().unwrap().push(context.waker().clone());
            Poll::<Result<(), Failure>>::Pending
        })
    })
    .function("dropped", move |()| Ok(own.load(Ordering::SeqCst)))
}

#[test]
fn futures_are_dropped_before_an_end_is_told() {
    let (dropped, wakers) = Default::default();
    let app = App::new()
        .process_using("db", "hanging", "coroutine.spawn(function() db.hang() end) db.hang()")
        .process_using(
            "time, db",
            "main",
            "
            for number = 1, 50 do
              local child = process.spawn_monitored('app:hanging', 'app:processes')
              if number % 2 == 0 then time.sleep('200us') end
              process.terminate(child)
              process.events():receive()
              local count = db.dropped()
              process.send(process.pid(), 'count', count)
              if number % 2 == 0 then assert(count % 2 == 0, count) end
            end
            return db.dropped()",
        );
    let runtime = start(app, hanging(&dropped, &wakers));
    let total = exec(&runtime, "app:main", &[]).as_i64().expect("a number");
    assert_eq!(total as usize, wakers.lock().unwrap().len(), "each was polled once and dropped");
    // Wakers of processes that are gone find others, or nobody, and do nothing.
    wakers.lock().unwrap().iter().for_each(Waker::wake_by_ref);
    let waker = wakers.lock().unwrap().pop();
    drop(runtime);
    let wakers = std::mem::take(&mut *wakers.lock().unwrap());
    wakers.into_iter().chain(waker).for_each(Waker::wake);
}

#[test]
fn an_upgrade_and_a_stop_drop_futures() {
    let (dropped, wakers) = Default::default();
    let main = "
        if ... then return db.hang() end
        coroutine.spawn(function() db.hang() end)
        coroutine.spawn(function() db.hang() end)
        process.upgrade(nil, 'again')";
    let app = App::new().process_using("db", "main", main);
    let runtime = start(app, hanging(&dropped, &wakers));
    let spawned = runtime.process("app:main").spawn().block();
    spawned.expect("it starts");
    within(PATIENCE, {
        let (dropped, wakers) = (dropped.clone(), wakers.clone());
        move || {
            while (wakers.lock().unwrap().len(), dropped.load(Ordering::SeqCst)) != (3, 2) {
                thread::yield_now();
            }
        }
    });
    drop(runtime);
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
}

#[test]
fn where_lua_cannot_wait_the_function_is_not_called() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let module = db().async_function("get", move |()| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(1) }
    });
    let body = "
        local indexed = setmetatable({}, { __index = function() return { db.get() } end })
        equal(show(indexed.x), show(indexed.x) and show(indexed.x))
        local function cannot(...) refused('INVALID', 'cannot wait here', ...) end
        string.gsub('x', 'x', function() cannot(db.get()) end)
        table.sort({ 1, 2 }, function(a, b) cannot(db.get()) return a < b end)
        return 'done'";
    let body = body.replace(
        "equal(show(indexed.x), show(indexed.x) and show(indexed.x))",
        "equal(indexed.x[1], 1)",
    );
    assert_eq!(run(module, &body), value!("done"));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "only where Lua can wait");
}

#[test]
fn a_chunk_cannot_wait() {
    let module = db().async_function("get", |()| async { Ok(1) });
    let source = "local one = db.get() return function() return one end";
    let app = App::new().code("main", source, "kind: process.lua, modules: [db]");
    match start(app, module).exec("app:main", ()).block() {
        Err(Error::Refused(failure) | Error::Failed(failure)) => {
            assert!(failure.message().contains("not available while the chunk runs"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
}

/// A future that wants to be woken, and what it then looks at.
type Asked = (Waker, Arc<AtomicBool>);

/// A thread that wakes futures in the order in which they came.
#[derive(Default)]
struct Echo {
    queue: Mutex<(VecDeque<Asked>, bool)>,
    came: Condvar,
}

impl Echo {
    fn run(&self) {
        let mut queue = self.queue.lock().unwrap();
        loop {
            while let Some((waker, flag)) = queue.0.pop_front() {
                drop(queue);
                flag.store(true, Ordering::Release);
                waker.wake();
                queue = self.queue.lock().unwrap();
            }
            if queue.1 {
                return;
            }
            queue = self.came.wait(queue).unwrap();
        }
    }
}

/// Calls in many processes, woken by several threads, each of which may be between any two steps of a
/// worker.
#[test]
fn no_wake_of_a_thread_is_lost() {
    const THREADS: usize = 3;
    let echoes: Vec<_> = (0..THREADS).map(|_| Arc::new(Echo::default())).collect();
    let threads: Vec<_> = echoes
        .iter()
        .map(|echo| {
            let echo = echo.clone();
            thread::spawn(move || echo.run())
        })
        .collect();
    let own = echoes.clone();
    let next = AtomicUsize::new(0);
    let module = db().async_function("echo", move |(value,): (i64,)| {
        let echo = own[next.fetch_add(1, Ordering::Relaxed) % THREADS].clone();
        let flag = Arc::new(AtomicBool::new(false));
        let mut is_asked = false;
        poll_fn(move |context| {
            if flag.load(Ordering::Acquire) {
                return Poll::Ready(Ok(value));
            }
            if !std::mem::replace(&mut is_asked, true) {
                let asked = (context.waker().clone(), flag.clone());
                echo.queue.lock().unwrap().0.push_back(asked);
                echo.came.notify_one();
            }
            Poll::Pending
        })
    });
    let app = App::new()
        .process_using(
            "db",
            "child",
            "
            local sum = 0
            for i = 1, 200 do sum = sum + db.echo(i) end
            return sum",
        )
        .process(
            "main",
            "
            for i = 1, 50 do process.spawn_monitored('app:child', 'app:processes') end
            for i = 1, 50 do equal(process.events():receive().result.value, 20100) end
            return 'done'",
        );
    let runtime = start(app, module);
    let value = within(PATIENCE, move || exec(&runtime, "app:main", &[]));
    assert_eq!(value, value!("done"));
    for echo in &echoes {
        echo.queue.lock().unwrap().1 = true;
        echo.came.notify_one();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
}

/// A waker that outlives its runtime keeps nothing running, and may be dropped anywhere.
#[test]
fn a_call_in_a_runtime_that_is_dropped_ends() {
    let door = Door::default();
    let app = App::new().process_using("db", "main", "return db.pass(1)");
    let runtime = start(app, door.module());
    let handle = runtime.handle();
    let call = thread::spawn(move || handle.exec("app:main", ()).block());
    while door.waiting() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    drop(runtime);
    assert!(call.join().expect("it ends").is_err());
    door.open();
}
