//! Models of park and notify: pushed work is run, whichever workers fall asleep meanwhile.
//!
//! The queue is a stand-in for the injector, because crossbeam's does not support loom. Its push
//! has the same two steps (claim a place, then fill it), and it compares the same two indices to
//! find out whether it is empty, with weaker orderings than crossbeam's. A lost notification shows
//! as a deadlock.
//!
//! Seen to fail: without the fence in `worker_to_notify`, without either fence of the monitor,
//! when the last searcher does not notify (`Search::stop`), and when a notified worker does not
//! count itself as searching (`Search::park`).

use std::sync::Arc;

use loom::sync::Notify;
use loom::thread;

use super::idle::Idle;
use super::monitor::Monitor;
use super::park::Parker;
use super::search::{Attempt, Search};
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// A stand-in for the injector, with room for all items that a model pushes.
struct StandIn {
    head: AtomicUsize,
    tail: AtomicUsize,
    is_written: Vec<AtomicBool>,
}

impl StandIn {
    fn new(places: usize) -> Self {
        StandIn {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            is_written: (0..places).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    fn push(&self) {
        let place = self.tail.fetch_add(1, Ordering::Relaxed);
        self.is_written[place].store(true, Ordering::Release);
    }

    fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == self.tail.load(Ordering::Relaxed)
    }

    /// Takes an item as `Scheduler::take_injected` does, which repeats a steal that lost a race.
    fn take(&self) -> bool {
        loop {
            // Acquire and Release act as crossbeam's fence does: the head never passes the tail.
            let head = self.head.load(Ordering::Acquire);
            if head == self.tail.load(Ordering::Relaxed) {
                return false;
            }
            let (order, failed) = (Ordering::AcqRel, Ordering::Relaxed);
            if self.head.compare_exchange(head, head + 1, order, failed).is_err() {
                continue;
            }
            while !self.is_written[head].load(Ordering::Acquire) {
                thread::yield_now();
            }
            return true;
        }
    }
}

struct Model {
    idle: Idle,
    parkers: Vec<Parker>,
    injector: StandIn,
    left: AtomicUsize,
    stopping: AtomicBool,
}

impl Model {
    fn new(workers: usize, items: usize) -> Arc<Self> {
        Arc::new(Model {
            idle: Idle::new(workers),
            parkers: (0..workers).map(|_| Parker::new()).collect(),
            injector: StandIn::new(items),
            left: AtomicUsize::new(items),
            stopping: AtomicBool::new(false),
        })
    }

    fn notify(&self) {
        self.idle.notify(|worker| &self.parkers[worker]);
    }

    fn push(&self) {
        self.injector.push();
        self.notify();
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty()
    }

    /// Does what `Scheduler::stop` does, once all items have run.
    fn finish_one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.stopping.store(true, Ordering::SeqCst);
            self.parkers.iter().for_each(Parker::unpark);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The loop of a worker, with `run` as the slice: check the injector, for which no permission
    /// to search is needed; then search; otherwise park.
    fn work(&self, worker: usize, run: impl Fn()) {
        let search = Search::default();
        while !self.is_stopping() {
            let attempt = || match self.injector.take() {
                true => Attempt::Found(()),
                false => Attempt::Over,
            };
            if self.injector.take() || search.run(&self.idle, attempt).is_some() {
                if search.stop(&self.idle) {
                    self.notify();
                }
                run();
                self.finish_one();
                continue;
            }
            let is_wanted = || self.has_work() || self.is_stopping();
            let _ = search.park(&self.idle, worker, &self.parkers[worker], None, is_wanted);
        }
    }
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(check);
}

#[test]
fn loom_work_pushed_while_a_worker_parks_is_run() {
    model(|| {
        let shared = Model::new(1, 2);
        let other = shared.clone();
        let worker = thread::spawn(move || other.work(0, || {}));
        shared.push();
        shared.push();
        worker.join().unwrap();
        assert!(!shared.has_work());
    });
}

/// Two threads that are no workers each push an item: one claims its place while the other fills
/// its own.
#[test]
fn loom_work_injected_from_two_threads_is_run() {
    model(|| {
        let shared = Model::new(1, 2);
        let (other, third) = (shared.clone(), shared.clone());
        let worker = thread::spawn(move || other.work(0, || {}));
        let pusher = thread::spawn(move || third.push());
        shared.push();
        pusher.join().unwrap();
        worker.join().unwrap();
        assert!(!shared.has_work());
    });
}

/// One item for two workers that both look for it and fall asleep.
#[test]
fn loom_work_injected_while_both_workers_park_is_run() {
    model(|| {
        let shared = Model::new(2, 1);
        let workers = [0, 1].map(|worker| {
            let shared = shared.clone();
            thread::spawn(move || shared.work(worker, || {}))
        });
        shared.push();
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(!shared.has_work());
    });
}

/// Two items that each wait for the other to run: one worker alone cannot run both, so the searcher
/// that finds the first must notify another worker.
#[test]
fn loom_both_workers_get_work() {
    model(|| {
        let shared = Model::new(2, 2);
        let meeting = Arc::new((AtomicUsize::new(0), Notify::new()));
        let workers = [0, 1].map(|worker| {
            let (shared, meeting) = (shared.clone(), meeting.clone());
            thread::spawn(move || {
                shared.work(worker, || match meeting.0.fetch_add(1, Ordering::AcqRel) {
                    0 => meeting.1.wait(),
                    _ => meeting.1.notify(),
                });
            })
        });
        shared.push();
        shared.push();
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(!shared.has_work());
    });
}

/// The monitor sleeps while all workers do. It must wake when one of them runs, otherwise that
/// worker's slices would never end: here the model would not end.
#[test]
fn loom_a_worker_that_woke_is_watched() {
    model(|| {
        let shared = Arc::new((Idle::new(1), Parker::new(), Monitor::new()));
        let is_wanted = Arc::new(AtomicBool::new(false));
        let (other, wanted) = (shared.clone(), is_wanted.clone());
        let worker = thread::spawn(move || {
            let (idle, parker, monitor) = &*other;
            let _ = idle.park(0, false, parker, None, || wanted.load(Ordering::Relaxed));
            monitor.look_by(0);
        });
        let other = shared.clone();
        let watcher = thread::spawn(move || {
            let (idle, _, monitor) = &*other;
            while idle.are_all_parked() {
                monitor.sleep_if_idle(idle, || false);
            }
        });
        is_wanted.store(true, Ordering::Relaxed);
        shared.0.notify(|_| &shared.1);
        worker.join().unwrap();
        watcher.join().unwrap();
    });
}

/// The monitor sleeps for long. It must look sooner if a worker needs that: either it has seen why, or
/// the worker wakes it. (Timed sleeps do not end by themselves in a model.)
#[test]
fn loom_a_worker_that_needs_a_look_gets_it() {
    const SOON: u64 = 1;
    const LATE: u64 = 9;
    model(|| {
        let shared = Arc::new((Monitor::new(), AtomicBool::new(false)));
        let other = shared.clone();
        let worker = thread::spawn(move || {
            let (monitor, needs_look) = &*other;
            needs_look.store(true, Ordering::Relaxed);
            monitor.look_by(SOON);
        });
        let (monitor, needs_look) = &*shared;
        while !needs_look.load(Ordering::Relaxed) {
            monitor.sleep(0, LATE, || match needs_look.load(Ordering::Relaxed) {
                true => {
                    // Stands for the end of the short sleep.
                    monitor.wake();
                    SOON
                }
                false => LATE,
            });
        }
        worker.join().unwrap();
    });
}
