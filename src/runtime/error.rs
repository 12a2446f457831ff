//! Why a call of an embedding program failed.

use std::io;

use crate::error::ApiError;
use crate::message::exit::{self, Cause};
use crate::payload::{DecodeError, EncodeError};
use crate::value::{Failure, Kind, Value};

/// Why a call into the runtime failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API refused, as it would have refused a script: no such entry, name or process, a limit is
    /// reached, a host does not run, a policy denies it.
    #[error("{0}")]
    Refused(Failure),
    /// The process failed: its main returned or raised an error.
    #[error("{0}")]
    Failed(Failure),
    /// The process was terminated.
    #[error("process terminated")]
    Terminated,
    /// A process that it was linked with failed, and it did not trap links.
    #[error("linked process failed")]
    Linked,
    /// The process exceeded the memory limit of its host; the text says which.
    #[error("{0}")]
    MemoryLimit(String),
    /// The time for the call is over.
    #[error("the time is over")]
    Timeout,
    /// A call that blocks its thread was made on a worker of the same runtime, which may be needed for
    /// it.
    #[error("a worker of the runtime cannot wait for a process: await the call instead")]
    OnWorker,
    /// The runtime is shutting down.
    #[error("the runtime is shutting down")]
    Stopped,
    /// The wait was given up.
    #[error("interrupted")]
    Interrupted,
    /// A value cannot be sent to a process.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// What a process returned is not what was expected.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The node's id cannot be part of a PID; the text says why.
    #[error("{0}")]
    NodeId(String),
    /// A core that [`Builder::cores`](super::Builder::cores) names is none that this program may use.
    #[error("core {core} is not among the cores that this program may use: {}", list(.allowed))]
    NoSuchCore {
        /// The number that was named.
        core: usize,
        /// The numbers of the cores that may be used.
        allowed: Vec<usize>,
    },
    /// The application and the program do not fit together: an entry needs a native module that the
    /// application declares and [`Builder::module`](super::Builder::module) did not get, a native
    /// process has no main or a main no entry ([`Builder::native`](super::Builder::native)), or names
    /// of modules or of their functions are taken; the text says which.
    #[error("{0}")]
    Module(String),
    /// The operating system refused a thread or the signal handler.
    #[error("cannot start a worker thread: {0}")]
    Thread(#[source] io::Error),
}

fn list(numbers: &[usize]) -> String {
    let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
    numbers.join(", ")
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Error {
        let mut failure = Failure::new(error.kind, error.message).with_retryable(error.retryable);
        if let Some((name, text)) = error.detail {
            failure = failure.with_details(Value::table([(name, text)]));
        }
        Error::Refused(failure)
    }
}

impl From<&exit::Failure> for Error {
    fn from(failure: &exit::Failure) -> Error {
        match failure.cause {
            Cause::Terminated => Error::Terminated,
            Cause::Linked => Error::Linked,
            Cause::MemoryLimit => Error::MemoryLimit(failure.message()),
            Cause::Error => Error::Failed(failure.to_value()),
        }
    }
}

/// For native processes and functions, which fail with errors of Lua.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let text = error.to_string();
        match error {
            Error::Refused(failure) | Error::Failed(failure) => failure,
            Error::Timeout => Failure::new(Kind::Timeout, text).with_retryable(true),
            Error::Stopped => Failure::new(Kind::Unavailable, text),
            Error::Interrupted => Failure::new(Kind::Canceled, text),
            Error::Encode(_) | Error::Decode(_) | Error::OnWorker => {
                Failure::new(Kind::Invalid, text)
            }
            _ => Failure::new(Kind::Internal, text),
        }
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Failure {
        Error::from(error).into()
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
        Error::from(error).into()
    }
}
