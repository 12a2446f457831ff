//! What an API function gets: the stack with its arguments, and the calling process.

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
pub(crate) enum ApiFailure {
    /// Returns `nil` and the error object.
    Nil(ApiError),
    /// Returns `false` and the error object.
    False(ApiError),
    /// Raises the error object.
    Raised(ApiError),
    /// Raises a plain text, with the position of the calling code before it.
    Text(String),
}

impl From<ApiError> for ApiFailure {
    fn from(error: ApiError) -> Self {
        ApiFailure::Nil(error)
    }
}

pub(crate) type ApiResult = Result<Reply, ApiFailure>;

/// The calling process of an API function, and its stack, to which this dereferences.
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

/// Runs `inner` for the process that the VM belongs to, which is marked as individual; in a trial run
/// (`process/spawn/ready.rs`) the process leaves its VM instead. Only for functions that [`boundary::call`]
/// runs, which are API functions and their continuations: there must be no other [`Caller`] of the
/// process.
///
/// [`boundary::call`]: crate::vm::lua::boundary::call
#[inline(always)]
pub(crate) fn enter(stack: Stack, inner: impl FnOnce(&mut Caller<'_>) -> ApiResult) -> Reply {
    if stack.control().set_individual() {
        return Reply::Leave;
    }
    enter_shared(stack, inner)
}

/// Like [`enter`], for functions that do the same in every process of a definition and have no
/// effect outside of Lua. A chunk that only calls such functions need not run in each process
/// (`process/spawn/ready.rs`).
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
fn fail(caller: &Caller<'_>, failure: ApiFailure) -> Reply {
    caller.stack.reserve(8);
    match failure {
        ApiFailure::Nil(error) => {
            caller.push_nil();
            push_error(caller.stack, &error);
            Reply::Return(2)
        }
        ApiFailure::False(error) => {
            caller.push_boolean(false);
            push_error(caller.stack, &error);
            Reply::Return(2)
        }
        ApiFailure::Raised(error) => {
            push_error(caller.stack, &error);
            Reply::Raise
        }
        ApiFailure::Text(text) => {
            let position = position(caller.stack);
            caller.push_string(position + &text);
            Reply::Raise
        }
    }
}

/// Returns the position of the calling Lua code, `app:job:12: `, or nothing.
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

/// For a userdata with a finalizer, the collector is advanced by its size and this many bytes. Such
/// a userdata is freed one cycle later than other garbage and counts as alive until then; without
/// this, a loop that creates and drops such values would have more of them in each cycle.
const FINALIZED_LATER: usize = 128;

impl Caller<'_> {
    /// Charges the process for `bytes` outside of Lua that belong to a new userdata, so that the
    /// collector and the memory limit count them. The finalizer of the userdata reverses the
    /// charge. First drops what was collected, to make room.
    pub(crate) fn charge_for_userdata(&mut self, bytes: usize) {
        self.advance_collector(bytes + FINALIZED_LATER);
        self.process.drop_released();
        self.control().charge(bytes);
    }

    /// Returns the number of arguments; an explicit nil counts as one.
    pub(crate) fn arguments(&self) -> i32 {
        self.top()
    }

    /// Whether the argument is absent or nil.
    pub(crate) fn is_missing(&self, index: i32) -> bool {
        matches!(self.kind(index), Type::None | Type::Nil)
    }

    /// Returns a text argument; numbers are converted as Lua does.
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

    /// Whether a call can wait here: whether Lua can yield, and everything that resumed the running
    /// coroutine can, too.
    pub(crate) fn can_wait(&self) -> bool {
        // SAFETY: the stack of a `Caller` is that of the running state: `boundary::call` got it
        // from Lua, and `enter_shared` creates callers only for such stacks.
        unsafe { preempt::can_wait(self.lua()) }
    }

    /// Fails if the coroutine cannot wait here, in the way of the functions of `process`.
    pub(crate) fn require_can_wait(&self) -> Result<(), ApiFailure> {
        if self.can_wait() {
            return Ok(());
        }
        Err(ApiError::invalid("cannot wait here").into())
    }

    /// Like [`Caller::require_can_wait`], in the way of channels and `time`, which raise.
    pub(crate) fn require_can_wait_raised(&self) -> Result<(), ApiFailure> {
        if self.can_wait() {
            return Ok(());
        }
        Err(ApiFailure::Text("cannot wait here".to_owned()))
    }

    pub(crate) fn wait(&self, then: Continuation) -> ApiResult {
        Ok(Reply::Wait(then))
    }

    /// Raises while a chunk runs, because a chunk must have no effects outside of its process.
    pub(crate) fn require_main(&self) -> Result<(), ApiFailure> {
        if self.process.stage == Stage::Main {
            return Ok(());
        }
        Err(ApiFailure::Text("not available while the chunk runs".to_owned()))
    }

    /// Resolves the first argument of a function that takes a destination, and checks that the
    /// caller may do `action` on it.
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

    /// Resolves a destination: a PID if the text parses as one, otherwise a registered name. For a
    /// PID that names no living process it returns the PID's number, so that the caller can check
    /// permissions before it reports that the process is gone.
    pub(crate) fn resolve(&self, destination: &[u8]) -> Result<Destination, ApiError> {
        let node = &self.process.node;
        match pid::parse(destination) {
            Ok(pid) => Ok(match node.resolve_pid(pid) {
                Ok(process) => Destination::Alive(process),
                Err(reason) => {
                    // A PID of another node or host may have the number of a living process.
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

/// Result of resolving a destination.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Alive(ProcessId),
    /// A PID that names no living process, with its number; 0 if it cannot name a process of this
    /// node.
    Gone {
        reason: Unresolved,
        uniq: u64,
    },
}

impl Destination {
    /// Returns the process, or the error for one that is gone. `missing` is the text for a PID of
    /// this node.
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

pub(crate) fn unresolved_name(destination: &[u8]) -> ApiError {
    let name = String::from_utf8_lossy(destination);
    ApiError::not_found(format!("could not resolve '{name}' as PID or registered name"))
}

/// The error for an argument of the wrong type.
pub(crate) fn bad_argument(index: i32, expected: &str, got: Type) -> ApiError {
    let got = got.name();
    ApiError::invalid(format!("bad argument #{index} ({expected} expected, got {got})"))
}
