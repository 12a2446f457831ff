//! Calls of native functions for which the coroutine waits: a future is polled by the worker that runs
//! the process, in the call and whenever it was woken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::{native, native_class};
use crate::coroutines::channel::Wake;
use crate::error::{ApiError, kind};
use crate::native::{CallError, Done, Function, Future, Pool};
use crate::payload::{Arguments, Results};
use crate::process::waits::Pending;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::Stack;

/// What a poll takes from the reductions of a slice, beyond the one of the API call that it is in.
const POLL_REDUCTIONS: u32 = 49;

/// Begins a call with the arguments from stack index `first` on, and polls its future once.
pub(super) fn begin(
    caller: &mut Caller<'_>,
    number: i64,
    function: &Function,
    first: i32,
    begin: impl FnOnce(&Arguments, &Pool) -> Result<Future, CallError>,
) -> ApiResult {
    caller.require_can_wait()?;
    let Some(node) = caller.process.node.share_again() else {
        return Err(ApiError::new(kind::UNAVAILABLE, "the runtime is shutting down").into());
    };
    let arguments = Arguments::new(caller.stack, first);
    let pool = &node.blocking;
    let future = match catch_unwind(AssertUnwindSafe(|| begin(&arguments, pool))) {
        Ok(Ok(future)) => future,
        Ok(Err(error)) => return native::refuse(caller, function, &arguments, error),
        Err(panic) => return Err(native::panicked(function, panic)),
    };
    let ticket = caller.process.inside.coroutines.next_ticket();
    let wakeup = caller.process.slot().wakeup(node, ticket.to_token());
    poll(caller, function, Pending::new(ticket, number, future, wakeup), true)
}

/// Continues a call whose future was woken.
fn woken(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        let process = &mut *caller.process;
        process.inside.coroutines.take_wake();
        let ticket = process.inside.coroutines.last_ticket();
        let pending = ticket.and_then(|ticket| process.waits.get_mut().take(ticket));
        let definition = process.definition;
        let found = pending.and_then(|pending| {
            Some((native::function_of(&definition.natives, pending.function)?, pending))
        });
        match found {
            Some((function, pending)) => poll(caller, function, pending, false),
            None => Err(ApiError::new(kind::INTERNAL, "the call has no future").into()),
        }
    })
}

/// Polls the future. The coroutine waits if it is not ready; in the first poll, the wait begins.
fn poll(
    caller: &mut Caller<'_>,
    function: &Function,
    mut pending: Pending,
    is_first: bool,
) -> ApiResult {
    let scheduler = &caller.process.node.scheduler;
    // No reference to the process is used meanwhile: the future may do anything that the program can.
    let polled = scheduler.while_native(|| catch_unwind(AssertUnwindSafe(|| pending.poll())));
    caller.control().spend(POLL_REDUCTIONS);
    match polled {
        Ok(Poll::Ready(result)) => {
            let number = pending.function;
            end_at_once(caller, &pending, is_first);
            drop(pending);
            finish(caller, function, number, result)
        }
        Ok(Poll::Pending) => {
            wait(caller, pending, is_first);
            caller.wait(woken)
        }
        Err(panic) => {
            end_at_once(caller, &pending, is_first);
            drop(pending);
            Err(native::panicked(function, panic))
        }
    }
}

/// Uses up the ticket of a future that was over in its first poll, and takes its wakeup out of the list:
/// whoever still has its waker must wake no later wait.
fn end_at_once(caller: &mut Caller<'_>, pending: &Pending, is_first: bool) {
    if is_first {
        caller.process.inside.coroutines.skip_ticket();
    }
    if pending.was_woken() {
        caller.process.wake_listed();
    }
}

/// Lets the coroutine wait for the next wake.
fn wait(caller: &mut Caller<'_>, pending: Pending, is_first: bool) {
    let (ticket, was_woken) = (pending.ticket(), pending.was_woken());
    let process = &mut *caller.process;
    if is_first {
        let begun = process.inside.coroutines.wait();
        debug_assert_eq!(begun, ticket);
    } else {
        process.inside.coroutines.wait_again();
    }
    process.waits.get_mut().add(pending);
    if was_woken {
        // Its next poll comes behind other processes, or a future that always wakes itself would keep
        // the worker.
        process.inside.coroutines.wake(ticket, Wake::Elapsed);
        let control = caller.control();
        control.spend(control.reductions());
    }
}

fn finish(
    caller: &mut Caller<'_>,
    function: &Function,
    number: i64,
    result: Result<Done, CallError>,
) -> ApiResult {
    let arguments = Arguments::none(caller.stack);
    let mut results = Results::new(caller.stack);
    let pushed = match result {
        Ok(Done::Object(value)) => {
            return native_class::push_object(caller, function, number, value);
        }
        Ok(Done::Values(values)) => results.push(&values).map_err(CallError::Results),
        Err(error) => Err(error),
    };
    match pushed {
        Ok(()) => Ok(Reply::Return(results.count() as isize)),
        Err(error) => native::refuse(caller, function, &arguments, error),
    }
}
