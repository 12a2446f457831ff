//! Futures, mailboxes, native processes and runtimes that are dropped at random moments under load leave
//! nothing behind: no process, no thread, not a byte.
//!
//! `STRESS_SECONDS=10 cargo test --release --test drops` runs longer than the usual moment a round.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use moonlet::{Context, Error, Event, Failure, OnDrop, Runtime};
use support::{App, PATIENCE, builder, within};

const ROUNDS: usize = 6;
/// Threads that start and drop.
const THREADS: u64 = 4;

/// Counts the bytes that are allocated.
struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is passed on to the system's allocator, by the rules of which the caller calls.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps to the rules of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller passes what `alloc` has returned for this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Ignore;

impl Wake for Ignore {
    fn wake(self: Arc<Self>) {}
}

/// Polls a future once.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let waker = Waker::from(Arc::new(Ignore));
    Box::pin(future).as_mut().poll(&mut Task::from_waker(&waker))
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn start() -> Runtime {
    let app = App::new()
        .process("add", "local a, b = ... return a + b")
        .process("waits", "process.inbox():receive()")
        .process("loops", "while true do end")
        .process("calls", "return process.request(...)")
        .process(
            "answers",
            "local inbox, kept = process.inbox(), {} \
             while true do local m = inbox:receive() \
               if m:topic() == 'keep' then kept[#kept % 8 + 1] = m else m:reply(m:payload()) end \
             end",
        )
        .entry("name: native, kind: process.native");
    let native = |mut context: Context, (): ()| async move {
        context.sleep(Duration::from_micros(100)).await?;
        loop {
            match context.recv().await? {
                Event::Message(message) if message.is_request() => message.reply(1)?,
                Event::Message(_) => {}
                _ => return Ok::<_, Failure>(()),
            }
        }
    };
    let builder = builder().workers(2).application(app.load()).native("app:native", native);
    builder.start().expect("it starts")
}

/// What the runtime refuses because it ends, or because it is full, is no fault here.
fn allow<T>(result: Result<T, Error>) {
    match result {
        Ok(_) | Err(Error::Stopped | Error::Refused(_) | Error::Timeout | Error::Terminated) => {}
        Err(Error::Failed(failure)) => assert!(!failure.message().contains("attempt"), "{failure}"),
        Err(other) => panic!("{other:?}"),
    }
}

/// Does one thing and drops it in the middle, or not.
fn act(runtime: &Runtime, answers: &str, dice: &mut Dice) {
    let short = Duration::from_micros(dice.below(300));
    match dice.below(12) {
        0 => allow(runtime.exec("app:add", (1, 2)).block()),
        1 => drop(poll_once(runtime.exec("app:add", (1, 2)))),
        2 => drop(poll_once(runtime.exec("app:loops", ()))),
        3 => allow(runtime.exec("app:waits", ()).timeout(short).block()),
        4 => {
            let exec = runtime.exec("app:waits", ()).on_drop(OnDrop::Cancel(short));
            drop(poll_once(exec));
        }
        5 => drop(poll_once(runtime.process("app:waits").spawn())),
        6 => allow(runtime.request(answers, "echo", "x".repeat(100)).block()),
        7 => drop(poll_once(runtime.request(answers, "keep", 1))),
        8 => allow(runtime.request(answers, "keep", 1).timeout(short).block()),
        9 => {
            let Ok(mut mailbox) = runtime.mailbox().trap_links(true).open() else { return };
            let native = runtime.process("app:native").monitored_by(&mailbox).linked_to(&mailbox);
            allow(native.spawn().block().map(|pid| {
                allow(mailbox.send(&pid, "hello", ()));
                allow(mailbox.request(&pid, "ask", ()).timeout(short).block());
                if dice.below(2) == 0 {
                    allow(runtime.terminate(&pid));
                    allow(mailbox.recv().timeout(Duration::from_millis(5)).block());
                }
            }));
            drop(poll_once(mailbox.recv()));
        }
        10 => {
            let Ok(mailbox) = runtime.mailbox().open() else { return };
            let args = (mailbox.pid().as_str(), "question", "1s", 1);
            let call = runtime.process("app:calls").args(args).exec();
            let waker = Waker::from(Arc::new(Ignore));
            let mut call = Box::pin(call);
            drop(call.as_mut().poll(&mut Task::from_waker(&waker)));
            thread::sleep(short);
            // Its end is the answer.
            drop(mailbox);
        }
        _ => allow(runtime.send(answers, "echo", vec![1; 50])),
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn round(number: usize, length: Duration) {
    let end = Instant::now() + length;
    let mut dice = Dice(number as u64);
    while Instant::now() < end {
        let runtime = start();
        let answers = runtime.process("app:answers").spawn().block().expect("it starts");
        // Some runtimes are dropped while others still use them, some when nothing happens any more.
        let part = Instant::now() + (length / 4).min(Duration::from_millis(50 + dice.below(200)));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (runtime, answers) = (&runtime, answers.as_str());
                let mut dice = Dice(dice.below(1 << 30) + thread);
                scope.spawn(move || {
                    while Instant::now() < part {
                        act(runtime, answers, &mut dice);
                    }
                });
            }
        });
        if dice.below(2) == 0 {
            allow(runtime.terminate(&answers));
            let begin = Instant::now();
            // What was polled once and dropped before it ran goes, too; what was spawned stays.
            while runtime.process_count() > 0 && begin.elapsed() < Duration::from_millis(100) {
                thread::sleep(Duration::from_millis(1));
            }
        }
        drop(runtime);
    }
}

#[test]
fn nothing_is_left_behind() {
    let seconds = std::env::var("STRESS_SECONDS").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs_f64(seconds.unwrap_or(0.4));
    within(PATIENCE + 2 * ROUNDS as u32 * length, move || {
        let mut left = Vec::new();
        let before = threads();
        for number in 0..ROUNDS {
            round(number, length);
            let begin = Instant::now();
            while threads() > before && begin.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(threads(), before, "threads");
            left.push(BYTES.load(Ordering::Relaxed));
        }
        println!("bytes after each round: {left:?}");
        // Caches, such as memory for VMs, grow to the most that was ever needed. Short rounds differ in
        // that by chance.
        if length >= Duration::from_secs(5) {
            assert!(left[ROUNDS - 1] <= left[1], "{left:?}");
        }
    });
}
