//! Models of monitors, links and names against the end of a process.

use std::sync::Arc;

use loom::thread;

use super::exit::{Failure, Outcome, SharedOutcome, Watcher};
use super::links::{self, Told};
use super::loom_mailbox::model;
use super::message::Content;
use super::names::Names;
use super::relations::{self, MonitorError};
use super::slot::{ProcessTable, Slot};
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::sync::Ordering;
use crate::vm::control::{KILL_LINKED, KILL_NONE};

/// A watcher and a target, both alive.
struct Pair {
    slots: ProcessTable,
    names: Names,
    watcher: u64,
    target: u64,
}

impl Pair {
    fn new() -> Self {
        let slots = ProcessTable::new();
        let [watcher, target] = [0, 1].map(|_| {
            let slot = slots.claim().expect("a fresh table has room");
            slot.occupy(0);
            slot.uniq()
        });
        Pair { slots, names: Names::default(), watcher, target }
    }

    fn slot(&self, uniq: u64) -> &Slot {
        self.slots.slot(uniq).expect("the slot was claimed")
    }

    /// The steps of `death::end` without a VM, for a normal end.
    fn end(&self, uniq: u64) {
        self.end_with(uniq, Outcome::Value(Payload::default()));
    }

    fn fail(&self, uniq: u64) {
        self.end_with(uniq, Failure::text("broken").into());
    }

    fn end_with(&self, uniq: u64, outcome: Outcome) {
        let slot = self.slot(uniq);
        slot.stop_resolving();
        let relations = relations::retire(&self.slots, &self.names, slot, uniq);
        let outcome = SharedOutcome::from(outcome);
        let from = ProcessId { uniq, host: 0 };
        for peer in relations.links {
            if matches!(*outcome, Outcome::Value(_)) {
                links::vanish(&self.slots, peer, uniq);
                continue;
            }
            let content = Content::LinkDown { from, at: 0, outcome: outcome.clone() };
            // No worker runs here: nobody has to be scheduled or interrupted.
            let (Told::Nothing | Told::Event(_) | Told::Killed(_)) =
                links::fail(&self.slots, peer, uniq, content);
        }
        for watcher in relations.watchers {
            let Watcher::Monitor(watcher) = watcher else { continue };
            let content = Content::Exit { from, at: 0, outcome: outcome.clone() };
            let _ = relations::tell_exit(&self.slots, watcher, uniq, content);
        }
        slot.state.transition_to_free();
    }

    /// How many events the watcher has got.
    fn exits(&self) -> usize {
        let mut events = self.slot(self.watcher).mailbox.events.take();
        std::iter::from_fn(|| events.pop()).count()
    }

    /// Whether the process has to end because of a link.
    fn is_killed(&self, uniq: u64) -> bool {
        match self.slot(uniq).kill.load(Ordering::Relaxed) {
            KILL_NONE => false,
            kill => {
                assert_eq!(kill, KILL_LINKED);
                true
            }
        }
    }

    fn has_links(&self, uniq: u64) -> bool {
        !self.slot(uniq).relations().links.is_empty()
    }

    fn is_watching(&self) -> bool {
        !self.slot(self.watcher).relations().monitors.is_empty()
    }
}

#[test]
fn loom_a_monitor_gets_one_exit_or_is_refused() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let other = pair.clone();
        let death = thread::spawn(move || {
            other.end(other.target);
            // Its slot has a new tenant at once, whom nobody asked to monitor.
            other.slot(other.target).occupy(0);
        });
        let result = relations::monitor(&pair.slots, pair.watcher, pair.target);
        death.join().unwrap();
        match result {
            Ok(()) => assert_eq!(pair.exits(), 1),
            Err(error) => {
                assert_eq!(error, MonitorError::Gone);
                assert_eq!(pair.exits(), 0);
            }
        }
        assert!(!pair.is_watching());
        assert!(pair.slot(pair.target).relations().watchers.is_empty());
    });
}

#[test]
fn loom_after_unmonitor_no_exit_comes() {
    model(|| {
        let pair = Arc::new(Pair::new());
        relations::monitor(&pair.slots, pair.watcher, pair.target).unwrap();
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        let was_monitoring = relations::unmonitor(&pair.slots, pair.watcher, pair.target);
        death.join().unwrap();
        assert_eq!(pair.exits(), usize::from(!was_monitoring));
        assert!(!pair.is_watching());
    });
}

#[test]
fn loom_watcher_and_target_end_at_once() {
    model(|| {
        let pair = Arc::new(Pair::new());
        relations::monitor(&pair.slots, pair.watcher, pair.target).unwrap();
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        pair.end(pair.watcher);
        // The next tenant of the watcher's slot must not hear of it.
        pair.slot(pair.watcher).occupy(0);
        death.join().unwrap();
        assert_eq!(pair.exits(), 0);
        assert!(pair.slot(pair.target).relations().watchers.is_empty());
    });
}

/// A target that lives on keeps the watchers that live, and no others.
#[test]
fn loom_a_watcher_that_ends_is_forgotten() {
    model(|| {
        let pair = Arc::new(Pair::new());
        relations::monitor(&pair.slots, pair.watcher, pair.target).unwrap();
        let slot = pair.slots.claim().expect("there is room for a third");
        slot.occupy(0);
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.watcher));
        relations::monitor(&pair.slots, slot.uniq(), pair.target).unwrap();
        death.join().unwrap();
        let watchers = &pair.slot(pair.target).relations().watchers;
        assert_eq!(watchers.as_slice(), [Watcher::Monitor(slot.uniq())]);
    });
}

#[test]
fn loom_a_link_kills_or_is_refused() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let other = pair.clone();
        let death = thread::spawn(move || {
            other.fail(other.target);
            other.slot(other.target).occupy(0);
        });
        let result = links::link(&pair.slots, pair.watcher, pair.target);
        death.join().unwrap();
        assert!(!pair.has_links(pair.target), "the next tenant has none");
        assert_eq!(pair.is_killed(pair.watcher), result.is_ok());
        assert!(!pair.has_links(pair.watcher));
    });
}

#[test]
fn loom_both_sides_of_a_link_fail_at_once() {
    model(|| {
        let pair = Arc::new(Pair::new());
        links::link(&pair.slots, pair.watcher, pair.target).unwrap();
        let other = pair.clone();
        let death = thread::spawn(move || other.fail(other.target));
        pair.fail(pair.watcher);
        // The next tenant of the slot must neither die of it nor be linked.
        pair.slot(pair.watcher).occupy(0);
        death.join().unwrap();
        assert!(!pair.is_killed(pair.slot(pair.watcher).uniq()));
        assert!(!pair.has_links(pair.watcher) && !pair.has_links(pair.target));
    });
}

#[test]
fn loom_after_unlink_no_kill_comes() {
    model(|| {
        let pair = Arc::new(Pair::new());
        links::link(&pair.slots, pair.watcher, pair.target).unwrap();
        let other = pair.clone();
        let death = thread::spawn(move || other.fail(other.target));
        links::unlink(&pair.slots, pair.watcher, pair.target);
        let was_killed = pair.is_killed(pair.watcher);
        death.join().unwrap();
        assert_eq!(pair.is_killed(pair.watcher), was_killed, "killed after unlink returned");
        assert!(!pair.has_links(pair.watcher));
    });
}

#[test]
fn loom_a_normal_end_leaves_no_link() {
    model(|| {
        let pair = Arc::new(Pair::new());
        links::link(&pair.slots, pair.watcher, pair.target).unwrap();
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        links::unlink(&pair.slots, pair.target, pair.watcher);
        death.join().unwrap();
        assert!(!pair.is_killed(pair.watcher));
        assert!(!pair.has_links(pair.watcher));
    });
}

/// Two that link each other at once take the same two locks: in slot order, so nobody waits for
/// ever.
#[test]
fn loom_linking_each_other() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let other = pair.clone();
        let linker =
            thread::spawn(move || links::link(&other.slots, other.target, other.watcher).unwrap());
        links::link(&pair.slots, pair.watcher, pair.target).unwrap();
        linker.join().unwrap();
        pair.fail(pair.target);
        assert!(pair.is_killed(pair.watcher));
    });
}

#[test]
fn loom_no_name_outlives_its_owner() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        let owner = ProcessId { uniq: pair.target, host: 0 };
        let result = pair.names.register(&pair.slots, b"n", owner);
        death.join().unwrap();
        assert!(pair.names.is_empty(), "registered: {result:?}");
        let next = ProcessId { uniq: pair.watcher, host: 0 };
        pair.names.register(&pair.slots, b"n", next).unwrap();
        assert_eq!(pair.names.lookup(&pair.slots, b"n"), Some(next));
    });
}

#[test]
fn loom_a_name_taken_over_from_an_ending_owner_stays() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let owner = ProcessId { uniq: pair.target, host: 0 };
        pair.names.register(&pair.slots, b"n", owner).unwrap();
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        let next = ProcessId { uniq: pair.watcher, host: 0 };
        let result = pair.names.register(&pair.slots, b"n", next);
        death.join().unwrap();
        let expected = result.ok().map(|()| next);
        assert_eq!(pair.names.lookup(&pair.slots, b"n"), expected);
    });
}
