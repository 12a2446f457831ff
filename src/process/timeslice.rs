//! One time slice: from the moment when a worker gets the process until it releases it.

#![allow(unsafe_code)]

use std::ptr;

use super::{Process, outcome};
use crate::message::exit::{Failure, Outcome};
use crate::payload::Payload;
use crate::slot::cancellation;
use crate::slot::state::Rest;
use crate::vm::lua::control::{Control, Leave, Yield};
use crate::vm::lua::resume::{self, CoroutineState, Resumed};

/// How a time slice ended.
pub(crate) enum Step {
    /// No coroutine is ready: the process waits, and no thread holds it.
    Waiting,
    /// The process has used all its reductions.
    Spent,
    /// The slice was interrupted from outside, usually because it took too long.
    Interrupted,
    /// The chunks are over; main is ready to run.
    Started,
    /// The process asks for new code, see `upgrade.rs`.
    Upgrading,
    /// The process ended.
    Ended(Outcome),
    /// The process ended in its chunks; its main never ran.
    ChunkEnded(Outcome),
}

/// Runs a process until it waits, ends, or has used its slice.
///
/// # Safety
/// The caller moved the state of the process's slot to running, or claimed the slot, so this thread
/// alone uses the process. The caller has no reference to the process and makes none before this
/// returns; after [`Step::Waiting`] it makes none at all, because any thread may run the process
/// then.
pub(crate) unsafe fn run_timeslice(process: *mut Process, reductions: u32) -> Step {
    // SAFETY: the caller passes the process of this thread. Its control block is part of its VM,
    // which stays until the slice is over: only `replace.rs` and `death.rs` drop a VM, after the
    // slice.
    let control = unsafe { &*ptr::from_ref((*process).vm.control()) };
    // SAFETY: the process lives as long as this slice, outside of which its Lua code does not run.
    // No reference to it is used across a resume here. All references that are made meanwhile, here
    // and in the API, come from this one pointer.
    unsafe { control.bind(process.cast()) };
    control.set_reductions(reductions);
    loop {
        // SAFETY: this thread alone uses the process (the caller's duty), and no Lua code of it
        // runs now, so the API has no reference. This one is not used across the resume below.
        let this = unsafe { &mut *process };
        if control.is_past_limit() {
            this.vm.collect_past_limit();
        }
        if let Some(step) = this.leave(control) {
            return step;
        }
        this.drop_released();
        this.drain();
        this.end_waits();
        let Some((id, state, arguments)) = this.inside.coroutines.next() else {
            // SAFETY: this thread alone uses the process (the caller's duty), no Lua code of it
            // runs, and no reference from before is used from here on.
            match unsafe { rest_if_idle(process) } {
                Rest::Waiting => return Step::Waiting,
                Rest::Again => continue,
            }
        };
        // SAFETY: the process's coroutines are states of its VM that the registry keeps, and those
        // that are ready do not run. This thread alone has the VM, and uses no reference to the
        // process until the resume is over: the API makes its own.
        let result = unsafe { resume::resume(state.lua(), arguments) };
        // SAFETY: this thread alone uses the process (the caller's duty), the resume is over, and
        // no reference from before it is used.
        if let Some(step) = unsafe { after_resume(process, control, id, state, result) } {
            return step;
        }
        // SAFETY: the resume is over, so this thread has the only reference again.
        let this = unsafe { &mut *process };
        if this.inside.coroutines.has_ready() {
            if control.reductions() == 0 && control.leave().is_none() {
                this.flush_taken();
                this.report_heap();
                return Step::Spent;
            }
        } else if control.leave().is_none() {
            // SAFETY: this thread alone uses the process (the caller's duty), no Lua code of it
            // runs, and no reference from before is used from here on.
            if unsafe { rest_if_idle(process) } == Rest::Waiting {
                // A later message finds the process waiting, and an earlier one has notified it, so
                // there is no need to look into the mailbox once more.
                return Step::Waiting;
            }
        }
    }
}

/// Lets the process wait, if no coroutine is ready and no pending message is left to be routed.
/// Takes a pointer, because another thread may run and even free the process before this returns.
///
/// # Safety
/// As for [`run_timeslice`]; no Lua code of the process runs.
#[inline]
unsafe fn rest_if_idle(process: *mut Process) -> Rest {
    // SAFETY: this thread alone uses the process until the transition below (the caller's duty),
    // and no Lua code of it runs.
    let this = unsafe { &mut *process };
    if !this.settle_to_rest() {
        return Rest::Again;
    }
    // The slot outlives the process.
    let slot = this.slot;
    slot.state.transition_to_waiting()
}

/// Handles the result of resuming coroutine `id`; `None` to continue the slice.
///
/// # Safety
/// As for [`run_timeslice`]; the resume is over, and `state` is the coroutine's.
unsafe fn after_resume(
    process: *mut Process,
    control: &Control,
    id: u32,
    state: CoroutineState,
    result: Resumed,
) -> Option<Step> {
    // SAFETY: this thread alone uses the process (the caller's duty), and the resume is over.
    let this = unsafe { &mut *process };
    match result {
        Resumed::Yielded(Yield::Wait | Yield::Leave) => {}
        Resumed::Yielded(Yield::Script | Yield::Pause) => this.inside.coroutines.resume_last(),
        Resumed::Yielded(Yield::Preempted) => {
            this.inside.coroutines.resume_first();
            this.flush_taken();
            this.report_heap();
            return Some(Step::Interrupted);
        }
        Resumed::Finished(results) => {
            if control.leave().is_none() {
                let step = this.finished(id, state, results);
                if step.is_some() {
                    this.flush_taken();
                }
                return step;
            }
        }
        // The process leaves its VM by this error. The coroutine's to-be-closed variables must not
        // run: hooks are off after an error in one, so nothing could end them.
        Resumed::Failed { .. } if control.leave().is_some() => {}
        Resumed::Failed { out_of_memory } => {
            let limit = this.memory_limit();
            let failure = if out_of_memory && limit > 0 {
                outcome::memory_limit(limit)
            } else {
                let (definition, wrapped) = (this.definition, this.wrapped.take());
                // SAFETY: `state` is the coroutine that has just failed, of the VM that this thread
                // has. No reference to the process is used until the call returns: `definition` is
                // not in the process, and `this` is made anew below.
                unsafe { outcome::of_failure(state, &definition.chunks, wrapped) }
            };
            if control.leave().is_none() {
                // SAFETY: the variables are closed, so no Lua code runs and this is the only
                // reference.
                let this = unsafe { &mut *process };
                return Some(this.ended(this.chunk_failed(failure)));
            }
        }
    }
    None
}

impl Process {
    /// Ends the slice if the process must leave its VM; checks for reasons to.
    fn leave(&mut self, control: &Control) -> Option<Step> {
        self.enforce_deadline();
        match control.leave()? {
            Leave::Upgrade => {
                self.flush_taken();
                Some(Step::Upgrading)
            }
            reason => {
                let outcome = self.left(reason);
                Some(self.ended(outcome))
            }
        }
    }

    /// The last step of the process.
    pub(super) fn ended(&self, outcome: Outcome) -> Step {
        if self.is_started { Step::Ended(outcome) } else { Step::ChunkEnded(outcome) }
    }

    /// The outcome of a process that had to leave its VM.
    fn left(&mut self, reason: Leave) -> Outcome {
        let limit = self.memory_limit();
        let failure = match reason {
            Leave::Terminated => Failure::terminated(),
            Leave::Linked => Failure::linked(),
            Leave::MemoryLimit => outcome::memory_limit(limit),
            Leave::Panic => {
                let message = self.vm.control().take_panic().unwrap_or_default();
                Failure::text(format!("internal error: {message}"))
            }
            Leave::ClosedItself if self.is_chunk_of_upgrade() => {
                return self.chunk_failed(Failure::text(outcome::CHUNK_ENDED));
            }
            Leave::ClosedItself => return Outcome::Value(Payload::default()),
            Leave::Upgrade => Failure::text("upgrade: not possible here"),
        };
        failure.into()
    }

    /// Orders the end of the process if its deadline has passed.
    fn enforce_deadline(&self) {
        if self.slot().deadline() != u64::MAX {
            // The process runs on this thread, so there is no one to notify.
            let _ = cancellation::enforce(self.slot(), self.node.clock.now());
        }
    }

    /// Prepares the process for waiting; false if it has something to do first.
    #[inline]
    fn settle_to_rest(&mut self) -> bool {
        let control = self.vm.control();
        // Somebody may wait for what a collected value stood for.
        if self.inside.subscriptions.has_pending()
            || control.is_past_limit()
            || control.has_released()
        {
            return false;
        }
        self.flush_taken();
        let deadline = self.slot().deadline();
        let has_timers = self.waits.get().is_some_and(|waits| !waits.timers.is_empty());
        if has_timers || deadline != u64::MAX {
            let now = self.node.clock.now();
            if let Some(due) = self.waits.get_mut().timers.due_to_register(now, deadline) {
                self.node.scheduler.register_timer(due, self.id.uniq);
            }
        }
        self.report_heap();
        true
    }

    /// Publishes the used memory to senders at the end of a step, and collects garbage if a sender
    /// found no room.
    #[inline]
    fn report_heap(&mut self) {
        if self.memory_limit() > 0 {
            self.report_limited_heap();
        }
    }

    #[inline(never)]
    fn report_limited_heap(&mut self) {
        loop {
            let control = self.vm.control();
            let may_hold_garbage = control.end_step();
            if !self.slot().report_heap(control.used_bytes(), may_hold_garbage) {
                return;
            }
            self.vm.collect_for_senders();
            self.drop_released();
        }
    }
}
