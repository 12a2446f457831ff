//! What a Rust program sees of the processes that it starts, calls and sends to.

mod support;

use std::sync::Arc;
use std::thread;

use moonlet::{Error, Kind, Value};
use support::{App, PATIENCE, exec, within};

#[test]
fn ends_of_processes_are_values_and_errors() {
    let runtime = App::new().process("main", "return { 1, 'two', three = 3.0 }").start();
    let value = exec(&runtime, "app:main", &[]);
    assert_eq!(value.as_table().map(|table| table.len()), Some(3));
    assert_eq!(value.get("three").and_then(Value::as_f64), Some(3.0));
    let runtime = App::new()
        .process("main", "return nil, errors.new('Own', 'the message')")
        .process("raising", "local function deep() error('raised', 0) end deep()")
        .start();
    let failure = |id| match runtime.exec(id, ()).block() {
        Err(Error::Failed(failure)) => failure,
        other => panic!("not a failure: {other:?}"),
    };
    let own = failure("app:main");
    assert_eq!((own.kind(), &*own.message()), (&Kind::from("Own"), "the message"));
    let raised = failure("app:raising");
    assert_eq!((raised.kind(), &*raised.message()), (&Kind::Internal, "raised"));
    assert!(raised.traceback().is_some_and(|text| text.contains("deep")));
    match runtime.exec("app:unknown", ()).block() {
        Err(Error::Refused(failure)) => assert_eq!(failure.kind(), &Kind::NotFound),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn messages_of_the_program_have_no_sender() {
    let main = "local pid = process.pid()
        assert(process.registry.register('main'))
        local m = process.inbox():receive()
        assert(m:from() == nil, 'no sender')
        return m:payload()[2]";
    let runtime = Arc::new(App::new().process("main", main).start());
    let sender = runtime.clone();
    let sending = thread::spawn(move || {
        while let Err(error) = sender.send("main", "topic", (1, "two")) {
            assert!(matches!(error, Error::Refused(_)), "{error:?}");
            thread::yield_now();
        }
    });
    assert_eq!(exec(&runtime, "app:main", &[]), Value::from("two"));
    sending.join().expect("it sends");
}

#[test]
fn who_starts_a_process_from_outside_hears_of_its_start_before_its_end() {
    within(PATIENCE, || {
        let runtime = App::new().process("main", "return 1").start();
        for _ in 0..20_000 {
            assert_eq!(exec(&runtime, "app:main", &[]).as_i64(), Some(1));
        }
    });
}

#[test]
fn definitions_whose_processes_cannot_be_copied_are_counted() {
    within(PATIENCE, || {
        // So many names are more than the image of a VM has room for.
        let names: String = (0..4000).map(|number| format!("name_{number} = {number}, ")).collect();
        let large = format!("local names = {{ {names} }} return names.name_3999");
        let runtime = App::new().process("large", &large).process("small", "return 1").start();
        assert_eq!(exec(&runtime, "app:small", &[]).as_i64(), Some(1));
        assert_eq!(runtime.metrics().refused_templates, 0);
        for _ in 0..3 {
            assert_eq!(exec(&runtime, "app:large", &[]).as_i64(), Some(3999));
            assert_eq!(runtime.metrics().refused_templates, 1);
        }
        runtime.shutdown();
    });
}

#[test]
fn the_counters_of_workers_add_up_to_those_of_the_runtime() {
    within(PATIENCE, || {
        let runtime = App::new().process("main", "time.sleep('1ms')").start();
        let calls: Vec<_> = (0..200).map(|_| runtime.exec("app:main", ())).collect();
        calls.into_iter().for_each(|call| drop(call.block().expect("it ends")));
        // The last slice is counted after its process has told its end.
        let sum = |name: &str| -> u64 {
            let workers = runtime.worker_metrics();
            assert_eq!(workers.len(), 2);
            let entries = workers.iter().flat_map(|worker| worker.entries());
            entries.filter(|(entry, _)| *entry == name).map(|(_, count)| count).sum()
        };
        while runtime.metrics().slices < 400 || sum("slices") != runtime.metrics().slices {
            thread::yield_now();
        }
        assert_eq!((sum("ended"), sum("lost_log_lines")), (200, 0));
        let handle = runtime.handle();
        let slices = handle.worker_metrics().expect("it runs").iter().map(|one| one.slices).sum();
        assert_eq!(runtime.shutdown().slices, slices);
        assert!(matches!(handle.worker_metrics(), Err(Error::Stopped)));
    });
}

#[test]
fn s3_3_only_the_coroutine_that_spawns_waits_for_the_chunk() {
    within(PATIENCE, || {
        // Nothing else happens, so nobody but the spawner wants its worker. Only time can tell when
        // the other workers sleep; if they do not yet, the test shows less and passes all the same.
        let main = r#"
            time.sleep("50ms")
            coroutine.spawn(function() process.spawn("app:endless", "app:processes") end)
            time.sleep("1ms")
            return "slept"
        "#;
        let app = App::new().process("main", main).chunk("endless", "while true do end");
        let runtime = app.start();
        assert_eq!(exec(&runtime, "app:main", &[]), "slept".into());
    });
}
