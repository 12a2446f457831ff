//! Models of a name that changes its owner, and of those who wait for one. Seen to fail when a change does not increment the
//! version.

use std::sync::Arc;

use loom::thread;

use super::loom_mailbox::model;
use super::names::{Names, Waiter};
use super::table::ProcessTable;
use crate::pid::ProcessId;
use crate::sync::{AtomicBool, Ordering};

struct Shared {
    slots: ProcessTable,
    names: Names,
}

/// A cached lookup is valid while the version is unchanged, also for a thread that learns of a
/// change by another way than the table.
#[test]
fn loom_a_name_stands_for_the_same_at_the_same_version() {
    model(|| {
        let slots = ProcessTable::new();
        let [old, new] = [0, 1].map(|host| {
            let slot = slots.claim().expect("a fresh table has room");
            slot.occupy(host);
            ProcessId { uniq: slot.uniq(), host }
        });
        let shared = Arc::new(Shared { slots, names: Names::default() });
        shared.names.register(&shared.slots, b"n", old).unwrap();
        let heard = Arc::new(AtomicBool::new(false));
        let (other, told) = (shared.clone(), heard.clone());
        let change = thread::spawn(move || {
            assert!(other.names.unregister(&other.slots, b"n"));
            other.names.register(&other.slots, b"n", new).unwrap();
            told.store(true, Ordering::Release);
        });
        let version = shared.names.version();
        let found = shared.names.lookup(&shared.slots, b"n");
        let has_heard = heard.load(Ordering::Acquire);
        if has_heard && shared.names.version() == version {
            assert_eq!(found, Some(new));
        }
        change.join().unwrap();
        assert!(shared.names.version() != version || found == Some(new));
    });
}

/// Who waits for a name finds it, or is returned to the thread that registers it.
#[test]
fn loom_who_waits_for_a_name_is_told() {
    model(|| {
        let slots = ProcessTable::new();
        let [owner, asker] = [0, 1].map(|host| {
            let slot = slots.claim().expect("a fresh table has room");
            slot.occupy(host);
            ProcessId { uniq: slot.uniq(), host }
        });
        let shared = Arc::new(Shared { slots, names: Names::default() });
        let other = shared.clone();
        let change =
            thread::spawn(move || other.names.register(&other.slots, b"n", owner).unwrap());
        let waiter = Waiter { uniq: asker.uniq, token: 1 };
        let found = shared.names.lookup_or_wait(&shared.slots, b"n", waiter);
        let told = change.join().unwrap();
        match found {
            Some(found) => assert!(found == owner && told.is_empty()),
            None => assert_eq!(told, [waiter]),
        }
    });
}
