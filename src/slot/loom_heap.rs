//! A model of a sender that asks for a collection while the process ends a step. Seen to fail when
//! the report is a load and a store instead of a swap.

use loom::thread;

use super::heap_report::HeapReport;
use super::state::{Notify, Rest, State};
use crate::sync::Arc;

/// Ends a step as `process/timeslice.rs` does. Returns how often the process collected.
fn rest(heap: &HeapReport, state: &State, used: &mut usize) -> usize {
    let mut collections = 0;
    loop {
        if heap.publish(*used, *used > 16) {
            collections += 1;
            *used = 16;
            continue;
        }
        if state.transition_to_waiting() == Rest::Waiting {
            return collections;
        }
    }
}

#[test]
fn loom_who_asks_for_a_collection_gets_one() {
    loom::model(|| {
        let shared = Arc::new((HeapReport::new(), State::new()));
        let (heap, state) = &*shared;
        state.transition_to_claimed();
        assert!(!heap.publish(64, true));
        let sender = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (heap, state) = &*shared;
                (heap.ask(), state.notify(0))
            })
        };
        let mut used = 64;
        let mut collections = rest(heap, state, &mut used);
        let (has_asked, notify) = sender.join().unwrap();
        if notify == Notify::Schedule {
            state.transition_to_running();
            collections += rest(heap, state, &mut used);
        }
        assert!(has_asked);
        assert_eq!(collections, 1, "asked for and done, in whichever order");
        assert_eq!(heap.used(), 16);
        assert!(!heap.ask(), "there is nothing more to free");
    });
}
