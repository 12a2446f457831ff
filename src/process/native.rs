//! Native processes: an async function of the program as the occupant of a slot.
//!
//! A worker that runs the slot polls the function's future, whose waker lists token 0 in the slot
//! (`slot/wakes.rs`). What the function does as a process goes through its [`Seat`], which it may also
//! give to other threads. The future is dropped before anybody is told of the end.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use super::Step;
use super::lasting::Lasting;
use super::seat::Seat;
use super::spawn::SpawnArguments;
use super::spawn::start::{run_main, set_up};
use super::tenant::put_native;
use crate::error::ApiError;
use crate::message::exit::{Failure, Outcome};
use crate::native::{self, Main, Running};
use crate::node::Node;
use crate::node::definition::Definition;
use crate::node::output::{Level, Record};
use crate::node::tickets::Notice;
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::slot::state::Rest;
use crate::slot::wakes::Wakeup;
use crate::slot::{Slot, cancellation};
use crate::sync::Arc;
use crate::vm::lua::control::KILL_NONE;

/// What a poll costs of a slice; a message that is sent or received costs 1.
const POLL_COST: u32 = 50;
/// A poll that takes longer delays others, and is counted.
const LONG_POLL_NS: u64 = 1_000_000;

/// A native process in its slot.
pub(crate) struct NativeProcess {
    seat: Arc<Seat>,
    definition: Lasting<Definition>,
    stage: Stage,
    wakeup: Arc<Wakeup>,
    waker: Waker,
    /// Whether the log has told of a long poll.
    is_slow: bool,
}

enum Stage {
    /// Main was not called.
    Begin(Arc<Main>, Payload),
    Running(Running),
    Over,
}

thread_local! {
    /// What is left of the slice of the native process that this thread runs.
    static BUDGET: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Spends a part of the running slice; false if it is used up. Without a slice, which is so on threads
/// of the program, there is no limit.
pub(crate) fn spend(cost: u32) -> bool {
    BUDGET.with(|budget| match budget.get() {
        None => true,
        Some(0) => false,
        Some(left) => {
            budget.set(Some(left.saturating_sub(cost)));
            true
        }
    })
}

/// Starts a native process in a slot that was claimed for it, and makes it runnable. The holder of
/// `ticket` is told.
///
/// # Errors
/// `UNAVAILABLE` if the runtime stops; the slot is then free again.
///
/// # Safety
/// The calling thread holds the slot, which is one of the node's, as the definition is.
pub(super) unsafe fn start(
    node: &Node,
    slot: &Slot,
    definition: &Definition,
    main: &Arc<Main>,
    request: SpawnArguments<'_>,
    ticket: Option<u64>,
) -> Result<ProcessId, ApiError> {
    let SpawnArguments { arguments, setup, chain, context, .. } = request;
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let Some(shared) = node.share_again() else {
        super::spawn::give_back(node, slot, &setup);
        return Err(ApiError::new(crate::error::kind::UNAVAILABLE, "the runtime stops"));
    };
    let wakeup = slot.wakeup(shared.clone(), 0);
    let waker = wakeup.waker();
    let chain = chain.unwrap_or_else(|| node.next_chain());
    let seat = Seat::for_native(&shared, id, &definition.id, chain, context, waker.clone());
    let stage = Stage::Begin(main.clone(), arguments);
    // SAFETY: the definition is one of the node (the caller's duty), which outlives the occupants of
    // its slots (`lasting.rs`); the process becomes one.
    let definition = unsafe { Lasting::new(definition) };
    let process = NativeProcess { seat, definition, stage, wakeup, waker, is_slow: false };
    // SAFETY: the caller holds the slot until `run_main` below schedules it.
    unsafe { put_native(slot, Box::new(process)) };
    set_up(node, slot, id, setup);
    node.scheduler.count(|counters| &counters.spawned);
    // Before it runs: the notice of its end comes later.
    if let Some(ticket) = ticket {
        node.tickets.notify(ticket, Notice::Started(Ok(id)));
    }
    run_main(node, slot);
    Ok(id)
}

/// Runs a native process until it waits, ends, or has used up its slice.
///
/// # Safety
/// The calling worker holds the slot, one of the node's, in which the process is; nobody has a
/// reference to the process. If [`Step::Waiting`] is returned, the worker does not hold it any more.
// Not inlined: the loop of the worker became slower for processes of Lua.
#[inline(never)]
pub(crate) unsafe fn run_slice(process: *mut NativeProcess, node: &Node, slot: &Slot) -> Step {
    BUDGET.set(Some(node.reductions));
    // SAFETY: the caller vouches for the process, and passes the duty on.
    let step = node.scheduler.while_native(|| unsafe { run_within_budget(process, node, slot) });
    BUDGET.set(None);
    step
}

/// # Safety
/// As for [`run_slice`].
unsafe fn run_within_budget(process: *mut NativeProcess, node: &Node, slot: &Slot) -> Step {
    loop {
        // SAFETY: the caller holds the slot, so this thread alone uses the process until the
        // transition below; the reference ends before it.
        let this = unsafe { &mut *process };
        let now = node.clock.coarse();
        if slot.deadline() != u64::MAX {
            // The process runs on this thread, so there is nobody to notify.
            let _ = cancellation::enforce(slot, node.clock.now());
        }
        if slot.kill_reason() != KILL_NONE {
            // What it was killed for overrules this.
            return Step::Ended(Failure::terminated().into());
        }
        this.seat.fire_timers(node);
        if this.is_woken(slot) {
            if let Poll::Ready(outcome) = this.poll() {
                return Step::Ended(outcome);
            }
            this.note_length(node, node.clock.coarse().saturating_sub(now));
            if !spend(POLL_COST) || this.wakeup.is_listed() {
                return Step::Spent;
            }
            continue;
        }
        if let Some(due) = this.seat.due_to_register(node.clock.now(), slot.deadline()) {
            node.scheduler.register_timer(due, slot.uniq());
        }
        if slot.state.transition_to_waiting() == Rest::Waiting {
            return Step::Waiting;
        }
    }
}

impl NativeProcess {
    /// Whether to poll: because the future was woken, waits for a message that is there, or begins.
    fn is_woken(&self, slot: &Slot) -> bool {
        let is_listed = slot.wakes.take(slot.uniq()).count() > 0;
        let is_reader = !slot.mailbox.is_empty() && self.seat.wake_reader();
        is_listed || is_reader || matches!(self.stage, Stage::Begin(..))
    }

    /// Polls the future, or calls main first. All of it is code of the program.
    fn poll(&mut self) -> Poll<Outcome> {
        let NativeProcess { seat, stage, waker, .. } = self;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let Stage::Begin(..) = stage
                && let Stage::Begin(main, arguments) = mem::replace(stage, Stage::Over)
            {
                *stage = Stage::Running(main(seat.clone(), arguments));
            }
            match stage {
                Stage::Running(future) => future.as_mut().poll(&mut Context::from_waker(waker)),
                Stage::Begin(..) | Stage::Over => Poll::Pending,
            }
        }));
        match polled {
            Ok(polled) => polled.map(|result| match result {
                Ok(value) => Outcome::Value(value),
                Err(failure) => Failure::from_value(&failure).into(),
            }),
            Err(panic) => Poll::Ready(panicked(panic).into()),
        }
    }

    /// Counts a long poll, and tells the log of the first one of this process.
    #[inline]
    fn note_length(&mut self, node: &Node, nanos: u64) {
        if nanos >= LONG_POLL_NS {
            self.note_long_poll(node, nanos);
        }
    }

    #[cold]
    fn note_long_poll(&mut self, node: &Node, nanos: u64) {
        node.scheduler.count(|counters| &counters.long_polls);
        if mem::replace(&mut self.is_slow, true) {
            return;
        }
        let text = format!(
            "a poll of native process {} took {} ms, while others waited: await more often, or \
             move the work to a thread",
            self.definition.id,
            nanos / 1_000_000
        );
        node.output.log(&Record {
            level: Level::Warn,
            origin: Some(&self.seat.origin(node)),
            logger: b"",
            message: text.as_bytes(),
            fields: &[],
            traceback: None,
        });
    }

    /// Drops the future, and returns the seat to be ended.
    pub(crate) fn leave(mut self) -> Arc<Seat> {
        let stage = mem::replace(&mut self.stage, Stage::Over);
        native::quietly(|| drop(stage));
        self.seat.clone()
    }
}

impl Drop for NativeProcess {
    fn drop(&mut self) {
        let stage = mem::replace(&mut self.stage, Stage::Over);
        native::quietly(|| drop(stage));
    }
}

/// The failure of a process that panicked.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Failure {
    let text = match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    };
    native::quietly(|| drop(panic));
    let message = format!("panic: {text}");
    // With a traceback it is a crash, of which the log tells if nobody else is told.
    let traceback = Some("(the program's panic hook has told where it was)".to_owned());
    Failure { traceback, ..Failure::text(message) }
}
