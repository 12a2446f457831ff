//! The outcome of a process, and the watchers that are told about it.

use std::ops::Deref;

use crate::payload::Payload;
use crate::sync::Arc;
use crate::value::{self, Bytes, Value};

/// The outcome of a process.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A normal end, with the value that `main` returned (nil if none).
    Value(Payload),
    /// An abnormal end.
    Failure(Box<Failure>),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Outcome::Failure(Box::new(failure))
    }
}

/// An outcome as watchers receive it. A small outcome is copied for each watcher, which is cheaper
/// than an allocation; all others are shared.
#[derive(Clone, Debug)]
pub(crate) enum SharedOutcome {
    Small(Outcome),
    Large(Arc<Outcome>),
}

impl From<Outcome> for SharedOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Value(value) if value.is_inline() => {
                SharedOutcome::Small(Outcome::Value(value))
            }
            outcome => SharedOutcome::Large(Arc::new(outcome)),
        }
    }
}

impl Deref for SharedOutcome {
    type Target = Outcome;

    fn deref(&self) -> &Outcome {
        match self {
            SharedOutcome::Small(outcome) => outcome,
            SharedOutcome::Large(outcome) => outcome,
        }
    }
}

/// Why a process ended abnormally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its main or a chunk returned or raised an error, or could not run.
    Error,
    /// It was killed by `terminate`, by the deadline of a cancel, or by a stop.
    Terminated,
    /// It was killed because a linked process failed.
    Linked,
    /// It exceeded the memory limit of its host.
    MemoryLimit,
}

/// An abnormal end, as text and as an error object.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) message: Vec<u8>,
    /// Kind of the error object, or `Internal` if there is no object.
    pub(crate) kind: Vec<u8>,
    pub(crate) retryable: Option<bool>,
    /// The error object itself, if the process returned or raised one.
    pub(crate) object: Option<Payload>,
    /// The Lua traceback of a raised error, for people to read.
    pub(crate) traceback: Option<String>,
}

impl Failure {
    /// A failure with a plain text.
    pub(crate) fn text(message: impl Into<Vec<u8>>) -> Self {
        Failure {
            cause: Cause::Error,
            message: message.into(),
            kind: crate::error::kind::INTERNAL.as_bytes().to_vec(),
            retryable: None,
            object: None,
            traceback: None,
        }
    }

    /// The failure that a Rust program gives.
    pub(crate) fn from_value(failure: &value::Failure) -> Self {
        let object = Value::Error(Arc::new(failure.clone()));
        Failure {
            kind: failure.kind().as_str().as_bytes().to_vec(),
            retryable: failure.retryable(),
            object: Payload::from_values(&[object]).ok(),
            ..Failure::text(failure.message().as_bytes())
        }
    }

    /// The end of a process that was terminated.
    pub(crate) fn terminated() -> Self {
        Failure { cause: Cause::Terminated, ..Failure::text("process terminated") }
    }

    /// The end of a process that did not trap a failing link.
    pub(crate) fn linked() -> Self {
        Failure { cause: Cause::Linked, ..Failure::text("linked process failed") }
    }

    pub(crate) fn message(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }

    /// The error for Rust programs: the object if there is one, with the traceback.
    pub(crate) fn to_value(&self) -> value::Failure {
        let object = self.object.as_ref().and_then(|object| object.value().ok());
        let mut failure = match object {
            Some(Value::Error(failure)) => (*failure).clone(),
            _ => {
                let kind = &*String::from_utf8_lossy(&self.kind);
                let failure = value::Failure::new(kind, &self.message[..]);
                value::Failure { retryable: self.retryable, ..failure }
            }
        };
        // Only a raised error has frames that say more than where its object was created.
        failure.traceback = self.traceback.as_deref().map(Bytes::from);
        failure
    }
}

/// A watcher: one receiver that is told about the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watcher {
    /// A process that monitors; it gets an EXIT event.
    Monitor(u64),
    /// A process that waits in `exec`; it gets an answer with its token.
    Exec { uniq: u64, token: u64 },
    /// A thread outside of the runtime that waits on a ticket.
    Outside(u64),
}
