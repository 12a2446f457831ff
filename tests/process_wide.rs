//! What all runtimes of a program share: the cores, and the signal that ends long slices.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

mod support;

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use moonlet::{Builder, Error, Runtime};
use support::{App, PATIENCE, within};

/// The numbers of the cores on which this thread may run.
fn allowed() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().expect("the system tells");
    let mut cores: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
    cores.sort_unstable();
    cores
}

/// Starts a runtime and returns it with the cores of its workers, in order.
fn started(builder: Builder) -> (Runtime, Vec<Vec<usize>>) {
    let (tell, told) = mpsc::channel();
    let runtime = builder.around_worker(move |run| {
        let name = std::thread::current().name().map(str::to_owned);
        tell.send((name, allowed())).expect("the test listens");
        run();
    });
    let runtime = runtime.start().expect("the runtime starts");
    let mut cores: Vec<_> = told.iter().take(runtime.workers()).collect();
    cores.sort();
    (runtime, cores.into_iter().map(|(_, cores)| cores).collect())
}

/// One test, because all tests of a file share the cores.
#[test]
fn runtimes_of_one_program_avoid_the_cores_of_others() {
    within(PATIENCE, || {
        let all = allowed();
        let count = all.len();
        let mut runtimes: Vec<_> = (0..count).map(|_| started(Builder::new().workers(1))).collect();
        let used: BTreeSet<_> = runtimes.iter().flat_map(|(_, cores)| cores.clone()).collect();
        let each: BTreeSet<_> = all.iter().map(|core| vec![*core]).collect();
        assert_eq!(used, each, "one runtime on each core");
        let (freed, core) = runtimes.pop().expect("at least one");
        freed.shutdown();
        let (next, cores) = started(Builder::new().workers(1));
        assert_eq!(cores, core, "the only core without a worker");
        let (whole, cores) = started(Builder::new());
        assert_eq!(cores.len(), whole.workers());
        assert!(cores.iter().all(|core| core.len() == 1));
        drop((next, whole, runtimes));

        let last = all[count - 1];
        let (chosen, cores) = started(Builder::new().cores([last, last]));
        assert_eq!((chosen.workers(), cores), (2, vec![vec![last]; 2]));
        let (more, cores) = started(Builder::new().cores([last]).workers(2));
        assert_eq!(cores, [vec![last], all.clone()], "the second is not pinned");
        let (none, cores) = started(Builder::new().cores([]).workers(1));
        assert_eq!(cores, std::slice::from_ref(&all));
        drop((chosen, more, none));
        assert_eq!(started(Builder::new().cores([])).1.len(), started(Builder::new()).1.len());
        match Builder::new().cores([last, 4096]).start() {
            Err(Error::NoSuchCore { core, allowed }) => assert_eq!((core, allowed), (4096, all)),
            other => panic!("no such core: {other:?}"),
        }
    });
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn own_handler(_: c_int) {
    SEEN.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn a_programs_own_handler_of_the_signal_stays() {
    // SAFETY: a `sigaction` consists of numbers, a bit set and optional functions, for which zeroes
    // are valid.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = own_handler as *const () as usize;
    // SAFETY: the action is complete, and its handler adds to an atomic and does nothing else.
    assert_eq!(unsafe { libc::sigaction(libc::SIGURG, &action, ptr::null_mut()) }, 0);
    within(PATIENCE, || {
        let app = App::new().process("busy", "while true do end").process("quick", "return 1");
        let builder = Builder::new().workers(1).pinning(false).application(app.load());
        let runtime = builder.start().expect("the runtime starts");
        runtime.process("app:busy").spawn().block().expect("it starts");
        runtime.exec("app:quick", ()).block().expect("the busy one is preempted");
        assert!(runtime.metrics().preemptions > 0);
    });
    assert!(SEEN.load(Ordering::SeqCst) > 0, "the handler before is called, too");
}

#[test]
fn a_function_around_a_worker_is_there_for_its_whole_life() {
    within(PATIENCE, || {
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        let builder = Builder::new().workers(2).pinning(false).around_worker(move |run| {
            let name = std::thread::current().name().map(str::to_owned).unwrap_or_default();
            log.lock().unwrap().push(format!("{name} begins"));
            run();
            run();
            log.lock().unwrap().push(format!("{name} ends"));
        });
        builder.start().expect("the runtime starts").shutdown();
        let mut events = mem::take(&mut *events.lock().unwrap());
        events.sort();
        assert_eq!(
            events,
            ["moonlet-0 begins", "moonlet-0 ends", "moonlet-1 begins", "moonlet-1 ends"]
        );
    });
}

#[test]
fn a_worker_runs_whatever_the_function_around_it_does() {
    let panics = |_: &mut dyn FnMut()| panic!("on purpose");
    let forgets = |_: &mut dyn FnMut()| {};
    let late = |run: &mut dyn FnMut()| {
        run();
        panic!("on purpose, afterwards")
    };
    within(PATIENCE, move || {
        let app = || App::new().process("quick", "return 1");
        let works = |builder: Builder| {
            let builder = builder.workers(2).pinning(false).application(app().load());
            let runtime = builder.start().expect("the runtime starts");
            assert!(runtime.exec("app:quick", ()).block().is_ok());
            runtime.shutdown();
        };
        works(Builder::new().around_worker(panics));
        works(Builder::new().around_worker(forgets));
        works(Builder::new().around_worker(late));
    });
}
