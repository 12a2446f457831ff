//! Models of monitors and names against the end of a process.

use std::sync::Arc;

use loom::thread;

use super::exit::{Outcome, Watcher};
use super::loom_mailbox::model;
use super::message::Content;
use super::names::Names;
use super::relations::{self, MonitorError};
use super::slot::{ProcessTable, Slot};
use crate::payload::Payload;
use crate::pid::ProcessId;

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

    /// The steps of `death::end` without a VM.
    fn end(&self, uniq: u64) {
        let slot = self.slot(uniq);
        slot.stop_resolving();
        let relations = relations::retire(&self.slots, &self.names, slot, uniq);
        let outcome = Arc::new(Outcome::Value(Payload::default()));
        for watcher in relations.watchers {
            let Watcher::Monitor(watcher) = watcher else { continue };
            let from = ProcessId { uniq, host: 0 };
            let content = Content::Exit { from, at: 0, outcome: outcome.clone() };
            let _ = relations::tell_exit(&self.slots, watcher, uniq, content);
        }
        slot.state.transition_to_free();
    }

    /// How many EXITs the watcher has got.
    fn exits(&self) -> usize {
        let mut events = self.slot(self.watcher).mailbox.events.take();
        std::iter::from_fn(|| events.pop()).count()
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
        let death = thread::spawn(move || other.end(other.target));
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
