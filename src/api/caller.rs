//! What an API function is given: the stack with its arguments, and the calling process.

#![allow(unsafe_code)]

use std::ops::Deref;

use crate::error::ApiError;
use crate::node::Unresolved;
use crate::pid::{self, ProcessId};
use crate::process::{Process, Stage};
use crate::security::Action;
use crate::vm::lua::boundary::{Continuation, Reply};
use crate::vm::lua::error_object::{self, DETAILS};
use crate::vm::lua::preempt;
use crate::vm::lua::stack::{Stack, Type};

/// How an API function fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Returns `nil` and the error object.
    Nil(ApiError),
    /// Returns `false` and the error object.
    False(ApiError),
    /// Raises the error object.
    Raised(ApiError),
    /// Raises a plain text, with the position of the caller in front.
    Text(String),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Failure::Nil(error)
    }
}

pub(crate) type ApiResult = Result<Reply, Failure>;

/// The caller of an API function. Dereferences to its stack.
pub(crate) struct Caller<'a> {
    pub(crate) stack: Stack,
    pub(crate) process: &'a mut Process,
}

impl Deref for Caller<'_> {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

/// Runs `inner` for the process that the VM belongs to. Only for what [`boundary::call`] runs, a
/// function of the API or its continuation: there must be no other [`Caller`] of the process.
///
/// [`boundary::call`]: crate::vm::lua::boundary::call
#[inline(always)]
pub(crate) fn enter(stack: Stack, inner: impl FnOnce(&mut Caller<'_>) -> ApiResult) -> Reply {
    if stack.control().set_individual() {
        return Reply::Leave;
    }
    enter_shared(stack, inner)
}

/// As [`enter`], for functions that do the same in every process of a definition and leave nothing
/// behind but in Lua: what a chunk does with them need not be done anew for each (`process/spawn/ready.rs`).
#[inline(always)]
pub(crate) fn enter_shared(
    stack: Stack,
    inner: impl FnOnce(&mut Caller<'_>) -> ApiResult,
) -> Reply {
    let process = stack.control().process().cast::<Process>();
    // SAFETY: `run_timeslice` bound the VM to the process that it runs, and neither it nor
    // `after_resume` uses a reference across the resume that led here. Shells are called by Lua
    // alone (V6), and no inner function runs Lua code of its process: so there is no other `Caller`
    // of it.
    let process = unsafe { &mut *process };
    let mut caller = Caller { stack, process };
    match inner(&mut caller) {
        Ok(reply) => reply,
        Err(failure) => fail(&caller, failure),
    }
}

#[cold]
fn fail(caller: &Caller<'_>, failure: Failure) -> Reply {
    caller.stack.reserve(8);
    match failure {
        Failure::Nil(error) => {
            caller.push_nil();
            push_error(caller.stack, &error);
            Reply::Return(2)
        }
        Failure::False(error) => {
            caller.push_boolean(false);
            push_error(caller.stack, &error);
            Reply::Return(2)
        }
        Failure::Raised(error) => {
            push_error(caller.stack, &error);
            Reply::Raise
        }
        Failure::Text(text) => {
            let position = position(caller.stack);
            caller.push_string(position + &text);
            Reply::Raise
        }
    }
}

/// The position of the Lua code that called, `app:job:12: `, or nothing.
fn position(stack: Stack) -> String {
    stack.push_where(1);
    let text = stack.string(-1).map(|text| String::from_utf8_lossy(text).into_owned());
    stack.pop(1);
    text.unwrap_or_default()
}

/// Pushes an error object.
pub(crate) fn push_error(stack: Stack, error: &ApiError) {
    let retryable = Some(error.retryable);
    error_object::push(stack, error.kind.as_bytes(), error.message.as_bytes(), retryable);
    if let Some((name, value)) = &error.detail {
        stack.push_table(0, 1);
        stack.push_string(value);
        stack.set_raw_field(-2, name);
        stack.set_user_value(-2, DETAILS);
    }
}

/// By how much more than its size the collector is advanced for a userdata with a finalizer. It
/// is freed a cycle later than other garbage and counts as alive in between; a loop that only makes
/// and drops such values would have more of them in each cycle.
const FINALIZED_LATER: usize = 128;

impl Caller<'_> {
    /// Tells the collector and the memory limit that a new userdata, whose finalizer takes the
    /// charge back, stands for so many bytes that neither sees. What was collected by now makes
    /// room first.
    pub(crate) fn charge_for_userdata(&mut self, bytes: usize) {
        self.advance_collector(bytes + FINALIZED_LATER);
        self.process.drop_released();
        self.control().charge(bytes);
    }

    /// Number of arguments; an explicit nil counts as one.
    pub(crate) fn arguments(&self) -> i32 {
        self.top()
    }

    /// Whether the argument is absent or nil.
    pub(crate) fn is_missing(&self, index: i32) -> bool {
        matches!(self.kind(index), Type::None | Type::Nil)
    }

    /// A text argument; numbers are converted as Lua does.
    pub(crate) fn text<'b>(&self, index: i32) -> Result<&'b [u8], ApiError> {
        match self.kind(index) {
            Type::String | Type::Number => Ok(self.string(index).unwrap_or_default()),
            other => Err(bad_argument(index, "string", other)),
        }
    }

    /// Returns `true, nil`.
    pub(crate) fn succeed(&self) -> ApiResult {
        self.push_boolean(true);
        self.push_nil();
        Ok(Reply::Return(2))
    }

    /// Whether a call can wait here: Lua can yield, and so can all who resumed it.
    pub(crate) fn can_wait(&self) -> bool {
        // SAFETY: the stack of a `Caller` is that of the running state: `boundary::call` got that
        // from Lua, and `enter_shared` makes callers of such stacks only.
        unsafe { preempt::can_wait(self.lua()) }
    }

    /// Suspends the coroutine; fails as a function of `process` where nothing can wait.
    pub(crate) fn wait_or_invalid(&self) -> Result<(), Failure> {
        if self.can_wait() {
            return Ok(());
        }
        Err(ApiError::invalid("cannot wait here").into())
    }

    /// As [`Caller::wait_or_invalid`], for channels and time, which raise.
    pub(crate) fn wait_or_raise(&self) -> Result<(), Failure> {
        if self.can_wait() {
            return Ok(());
        }
        Err(Failure::Text("cannot wait here".to_owned()))
    }

    pub(crate) fn wait(&self, then: Continuation) -> ApiResult {
        Ok(Reply::Wait(then))
    }

    /// Raises while the chunk runs, which must have no effects outside.
    pub(crate) fn require_main(&self) -> Result<(), Failure> {
        if self.process.stage == Stage::Main {
            return Ok(());
        }
        Err(Failure::Text("not available while the chunk runs".to_owned()))
    }

    /// Resolves the first argument of a function that takes a destination,
    /// and that the caller must be allowed to do `action` on.
    pub(crate) fn destination(
        &mut self,
        function: &str,
        action: Action,
    ) -> Result<Destination, ApiError> {
        if self.is_missing(1) {
            let text = format!("{function} requires a destination argument");
            return Err(ApiError::invalid(text));
        }
        let text = self.text(1)?;
        let destination = self.resolve(text)?;
        self.require_on(action, &destination, text, function)?;
        Ok(destination)
    }

    /// Resolves a destination: a PID if it parses as one, else a registered name. A PID that
    /// names no living process is answered with its own number, so that permissions can be
    /// checked before its absence is reported.
    pub(crate) fn resolve(&self, destination: &[u8]) -> Result<Destination, ApiError> {
        let node = &self.process.node;
        match pid::parse(destination) {
            Ok(pid) => Ok(match node.resolve_pid(pid) {
                Ok(process) => Destination::Alive(process),
                Err(reason) => {
                    // Of another node or host it may have the number of a process that is alive.
                    let is_gone = reason == Unresolved::Process;
                    let uniq = pid.uniq.filter(|uniq| is_gone && node.slots.find(*uniq).is_none());
                    Destination::Gone { reason, uniq: uniq.unwrap_or(0) }
                }
            }),
            Err(_) => match node.names.lookup(&node.slots, destination) {
                Some(process) => Ok(Destination::Alive(process)),
                None => Err(unresolved_name(destination)),
            },
        }
    }
}

/// What a destination resolved to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Alive(ProcessId),
    /// A PID of no living process, and its number; 0 if it is of no process here at all.
    Gone {
        reason: Unresolved,
        uniq: u64,
    },
}

impl Destination {
    /// The process, or the error for one that is gone; `missing` is the text for a PID of ours.
    pub(crate) fn process(self, missing: &str) -> Result<ProcessId, ApiError> {
        match self {
            Destination::Alive(process) => Ok(process),
            Destination::Gone { reason, .. } => Err(ApiError::not_found(match reason {
                Unresolved::Node => "node not found",
                Unresolved::Host => "host not found",
                Unresolved::Process => missing,
            })),
        }
    }
}

fn unresolved_name(destination: &[u8]) -> ApiError {
    let name = String::from_utf8_lossy(destination);
    ApiError::not_found(format!("could not resolve '{name}' as PID or registered name"))
}

/// The error for an argument of the wrong type.
pub(crate) fn bad_argument(index: i32, expected: &str, got: Type) -> ApiError {
    let got = got.name();
    ApiError::invalid(format!("bad argument #{index} ({expected} expected, got {got})"))
}
