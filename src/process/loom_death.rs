//! Models of monitors, links and names against the end of a process.

use std::sync::Arc;

use loom::thread;

use crate::clock::Clock;
use crate::coroutines::Coroutines;
use crate::coroutines::channel::{ChannelId, Channels};
use crate::coroutines::subscriptions::Subscriptions;
use crate::message::exit::{Failure, Outcome, SharedOutcome, Watcher};
use crate::message::{Content, Message};
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::slot::links::{self, Told};
use crate::slot::loom_mailbox::model;
use crate::slot::names::Names;
use crate::slot::table::ProcessTable;
use crate::slot::{Slot, relations};
use crate::vm::lua::control::{KILL_LINKED, KILL_NONE};

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
        let _ = slot.stop_resolving();
        let relations = relations::retire(&self.names, slot, uniq);
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
            if let Some(slot) = self.slots.find(watcher) {
                // One that ended meanwhile needs no EXIT, and here nobody has to be scheduled.
                let _ = slot.push_event(Message::new(watcher, content));
            }
        }
        slot.state.transition_to_free();
    }

    /// Whether the process has to end because of a link.
    fn is_killed(&self, uniq: u64) -> bool {
        match self.slot(uniq).kill_reason() {
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
}

/// What the worker of the watcher has: the part of a process that needs no VM.
struct Watching<'a> {
    pair: &'a Pair,
    subscriptions: Subscriptions,
    channels: Channels,
    coroutines: Coroutines,
    events: ChannelId,
}

impl<'a> Watching<'a> {
    fn new(pair: &'a Pair) -> Self {
        let (mut subscriptions, mut channels) = (Subscriptions::new(), Channels::default());
        let events = subscriptions.open_events(&mut channels);
        Watching { pair, subscriptions, channels, coroutines: Coroutines::default(), events }
    }

    /// `Process::monitor`, of one that is not monitored yet.
    fn monitor(&mut self) -> bool {
        let Pair { slots, watcher, target, .. } = self.pair;
        assert!(self.subscriptions.start_monitoring(*target));
        let is_watched = relations::watch(slots, *target, Watcher::Monitor(*watcher));
        if !is_watched {
            self.subscriptions.stop_monitoring(*target);
        }
        is_watched
    }

    /// `Process::unmonitor`.
    fn unmonitor(&mut self) {
        self.route();
        if self.subscriptions.stop_monitoring(self.pair.target) {
            relations::forget(&self.pair.slots, self.pair.watcher, self.pair.target);
        }
    }

    fn route(&mut self) {
        let Watching { pair, subscriptions, channels, coroutines, .. } = self;
        let mailbox = &pair.slot(pair.watcher).mailbox;
        subscriptions.drain(pair.watcher, mailbox, &Clock::new(), channels, coroutines);
    }

    /// How many events have been routed, with those that arrived.
    fn exits(&mut self) -> usize {
        self.route();
        let queue = self.channels.get(self.events).and_then(|channel| channel.messages());
        queue.expect("a channel of events").len()
    }

    fn is_watching(&self) -> bool {
        self.subscriptions.monitored().next().is_some()
    }

    /// `death::end` of the watcher.
    fn end(self) {
        let watcher = self.pair.watcher;
        let _ = self.pair.slot(watcher).stop_resolving();
        for target in self.subscriptions.monitored() {
            relations::forget(&self.pair.slots, watcher, target);
        }
        drop(relations::retire(&self.pair.names, self.pair.slot(watcher), watcher));
        self.pair.slot(watcher).state.transition_to_free();
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
        let mut watching = Watching::new(&pair);
        let is_watched = watching.monitor();
        death.join().unwrap();
        assert_eq!(watching.exits(), usize::from(is_watched));
        assert!(!watching.is_watching());
        assert!(pair.slot(pair.target).relations().watchers.is_empty());
    });
}

/// What a spawn does: the child knows its watcher from the start, and may have ended when the
/// watcher makes its own entry.
#[test]
fn loom_a_child_that_ends_at_once_sends_one_exit() {
    model(|| {
        let pair = Arc::new(Pair::new());
        assert!(relations::watch(&pair.slots, pair.target, Watcher::Monitor(pair.watcher)));
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        let mut watching = Watching::new(&pair);
        assert!(watching.subscriptions.start_monitoring(pair.target));
        watching.route();
        death.join().unwrap();
        assert_eq!(watching.exits(), 1);
        assert!(!watching.is_watching());
    });
}

#[test]
fn loom_after_unmonitor_no_exit_comes() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let mut watching = Watching::new(&pair);
        assert!(watching.monitor());
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        watching.unmonitor();
        let queued =
            watching.channels.get(watching.events).and_then(|c| c.messages()).unwrap().len();
        death.join().unwrap();
        assert_eq!(watching.exits(), queued, "one came after unmonitor had returned");
        assert!(!watching.is_watching());
    });
}

#[test]
fn loom_watcher_and_target_end_at_once() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let mut watching = Watching::new(&pair);
        assert!(watching.monitor());
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        watching.end();
        // The next tenant of the watcher's slot must not hear of it.
        pair.slot(pair.watcher).occupy(0);
        death.join().unwrap();
        let uniq = pair.slot(pair.watcher).uniq();
        let mut events = pair.slot(pair.watcher).mailbox.events.take();
        while let Some(event) = events.pop() {
            // A stray, which the tenant drops (M3).
            assert_ne!(event.destination(), uniq);
        }
        assert!(pair.slot(pair.target).relations().watchers.is_empty());
    });
}

/// A target that lives on keeps the watchers that live, and no others.
#[test]
fn loom_a_watcher_that_ends_is_forgotten() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let mut watching = Watching::new(&pair);
        assert!(watching.monitor());
        let slot = pair.slots.claim().expect("there is room for a third");
        slot.occupy(0);
        let (other, third) = (pair.clone(), slot.uniq());
        let watch = thread::spawn(move || {
            assert!(relations::watch(&other.slots, other.target, Watcher::Monitor(third)));
        });
        watching.end();
        watch.join().unwrap();
        let watchers = &pair.slot(pair.target).relations().watchers;
        assert_eq!(watchers.as_slice(), [Watcher::Monitor(third)]);
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
