//! Models of monitors, links and names against the end of a process, which takes the product's
//! steps (`slot/ending.rs`).
//!
//! Seen to fail: when the lists are taken before the process stops resolving, when linked processes
//! are not told, when `link` does not check that the other process is alive, and when `monitor`
//! keeps its own entry although the target is gone.

use std::sync::Arc;

use loom::thread;

use super::watching;
use crate::clock::Clock;
use crate::coroutines::Coroutines;
use crate::coroutines::channel::{ChannelId, Channels};
use crate::coroutines::subscriptions::Subscriptions;
use crate::message::exit::{Failure, Outcome, SharedOutcome, Watcher};
use crate::message::{Content, Message};
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::slot::ending::{self, Ended, Surroundings};
use crate::slot::links;
use crate::slot::loom_mailbox::model;
use crate::slot::names::Names;
use crate::slot::state::Notify;
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

    /// Ends a process normally, by the steps of `slot/ending.rs`.
    fn end(&self, uniq: u64) {
        self.end_with(uniq, Outcome::Value(Payload::default()));
    }

    fn fail(&self, uniq: u64) {
        self.end_with(uniq, Failure::text("broken").into());
    }

    fn end_with(&self, uniq: u64, outcome: Outcome) {
        let slot = self.slot(uniq);
        let relations = ending::retire(&self.names, slot, |_| {});
        let process = ProcessId { uniq, host: 0 };
        let ended = Ended { process, at: 0, outcome: SharedOutcome::from(outcome) };
        ending::tell_all(self, &relations, &ended);
        ending::free(slot);
    }

    /// Whether the process must end because of a link.
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

/// There are no workers here, so there is nothing to schedule or interrupt.
impl Surroundings for Pair {
    fn slots(&self) -> &ProcessTable {
        &self.slots
    }

    fn deliver_event(&self, uniq: u64, content: Content) -> bool {
        let slot = self.slots.find(uniq);
        slot.is_some_and(|slot| slot.push_event(Message::new(uniq, content)).is_ok())
    }

    fn tell_outside(&self, _: u64, _: SharedOutcome) -> bool {
        unreachable!("no thread outside waits in a model")
    }

    fn follow(&self, _: u32, _: Notify) {}

    fn follow_kill(&self, _: u32, _: Notify) {}
}

/// The watcher's side: the part of a process that needs no VM.
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

    fn monitor(&mut self) -> bool {
        let Pair { slots, watcher, target, .. } = self.pair;
        watching::monitor(slots, &mut self.subscriptions, *watcher, *target).is_ok()
    }

    fn unmonitor(&mut self) {
        self.route();
        let Pair { slots, watcher, target, .. } = self.pair;
        watching::unmonitor(slots, &mut self.subscriptions, *watcher, *target);
    }

    fn route(&mut self) {
        let Watching { pair, subscriptions, channels, coroutines, .. } = self;
        let mailbox = &pair.slot(pair.watcher).mailbox;
        subscriptions.drain(pair.watcher, mailbox, &Clock::new(), channels, coroutines);
    }

    /// Number of EXIT events that were routed, after routing those that have arrived.
    fn exits(&mut self) -> usize {
        self.route();
        let queue = self.channels.get(self.events).and_then(|channel| channel.messages());
        queue.expect("a channel of events").len()
    }

    fn is_watching(&self) -> bool {
        self.subscriptions.monitored().next().is_some()
    }

    /// The end of the watcher.
    fn end(self) {
        let Pair { slots, names, watcher, .. } = self.pair;
        let slot = self.pair.slot(*watcher);
        let forget = |_| watching::forget_monitored(slots, &self.subscriptions, *watcher);
        drop(ending::retire(names, slot, forget));
        ending::free(slot);
    }
}

#[test]
fn loom_a_monitor_gets_one_exit_or_is_refused() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let other = pair.clone();
        let death = thread::spawn(move || {
            other.end(other.target);
            // The target's slot gets a new process at once, which the watcher does not monitor.
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

/// As in a spawn: the child has its watcher from the start, and may have ended before the watcher
/// makes its own entry.
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
        // The next process of the watcher's slot must not get the EXIT.
        pair.slot(pair.watcher).occupy(0);
        death.join().unwrap();
        let uniq = pair.slot(pair.watcher).uniq();
        let mut events = pair.slot(pair.watcher).mailbox.events.take();
        while let Some(event) = events.pop() {
            // A stray, which that process drops (M3).
            assert_ne!(event.destination(), uniq);
        }
        assert!(pair.slot(pair.target).relations().watchers.is_empty());
    });
}

/// A target that stays alive keeps the watchers that are alive, and no others.
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

/// R3: a process whose lists were taken no longer resolves.
#[test]
fn loom_a_process_that_is_said_to_be_gone_is_not_found() {
    model(|| {
        let pair = Arc::new(Pair::new());
        let other = pair.clone();
        let death = thread::spawn(move || other.end(other.target));
        if links::link(&pair.slots, pair.watcher, pair.target).is_err() {
            assert!(pair.slots.find(pair.target).is_none());
        }
        death.join().unwrap();
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
        // The next process of the slot must neither be killed nor be linked.
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

/// Two processes that link each other at once take the same two locks, in slot order, so neither
/// waits for ever.
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
        let expected = result.ok().map(|_| next);
        assert_eq!(pair.names.lookup(&pair.slots, b"n"), expected);
    });
}
