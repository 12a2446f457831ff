//! A runtime embedded in a Rust program: start, call, send, stop.
//!
//! A stop takes these steps:
//!
//! 1. If the program wants it, services are asked to stop, in the reverse of their start order,
//!    each with its deadline; a service that does not end in time is terminated (`supervisor/`).
//! 2. Hosts refuse new processes.
//! 3. The remaining processes on the hosts are terminated.
//! 4. The workers end after the slice that they run. Remaining processes are dropped.
//! 5. Threads outside that still wait are told. Unwritten output is written if somebody reads it
//!    within two seconds; the command waits longer for its readers (`cli/run.rs`).
//!
//! `Runtime` owns the node and stops it; `handle` is for everybody else. `running` does the steps from
//! the second on.

mod builder;
mod call;
mod context;
mod error;
mod event;
mod exec;
mod handle;
mod mailbox;
mod process;
mod recv;
mod request;
mod running;
mod services;
mod wait;

use crate::message::exit::Outcome;
use crate::metrics::{Metrics, WorkerMetrics};
#[cfg(feature = "cli")]
use crate::node::output::Output;
use crate::payload::Payload;
use crate::supervisor::ServiceState;
use crate::sync::Arc;
pub use builder::Builder;
pub use context::{Context, Sleep};
pub use error::Error;
pub use event::{Cancel, Event, Exit, Message};
pub use exec::{Exec, OnDrop, Spawn};
pub use handle::Handle;
pub use mailbox::{Mailbox, MailboxBuilder};
pub use process::Process;
pub use recv::Recv;
pub use request::Request;
use running::Running;
pub use services::{ServicesEnded, Stopping};
pub use wait::Wait;

/// A running node: its workers, hosts and processes. Dropping it stops all of them.
///
/// It may be dropped on any thread, its own included. There, another thread does what the drop would
/// have done.
pub struct Runtime {
    running: Arc<Running>,
    /// Whether its stop was begun.
    is_halted: bool,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("workers", &self.running.workers).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Returns a handle for other threads and tasks, which keeps nothing alive.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::downgrade(&self.running.node))
    }

    /// Returns the number of workers.
    pub fn workers(&self) -> usize {
        self.running.workers
    }

    /// Returns the sums of the scheduler's counters.
    pub fn metrics(&self) -> Metrics {
        self.running.node.metrics()
    }

    /// Returns the counters of each worker, the first worker's first.
    ///
    /// They are read one after the other while the workers run, so they are of slightly different
    /// moments.
    ///
    /// ```
    /// let runtime = moonlet::Builder::new().workers(2).start()?;
    /// let busiest = runtime.worker_metrics().into_iter().map(|worker| worker.slices).max();
    /// assert_eq!(busiest, Some(0));
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn worker_metrics(&self) -> Vec<WorkerMetrics> {
        self.running.node.worker_metrics()
    }

    /// Returns the number of living processes on all hosts.
    pub fn process_count(&self) -> usize {
        self.running.node.hosts().iter().map(crate::node::host::Host::processes).sum()
    }

    /// Tells whether a service ended badly: it did not start, failed for good, or did not stop in
    /// time.
    pub fn has_failed_services(&self) -> bool {
        self.running.supervisor.has_failed()
    }

    /// Returns the state of a host or service that starts with the application, by its id.
    pub fn service_state(&self, id: &str) -> Option<ServiceState> {
        self.running.supervisor.state(id)
    }

    /// Stops everything at once: running processes are terminated, and readers get two seconds to
    /// take unwritten output. Returns the counters, which say what was lost.
    ///
    /// On a thread of this runtime, such as a worker, it does not wait: another thread stops the
    /// runtime, and the counters are those of now.
    pub fn shutdown(mut self) -> Metrics {
        self.halt();
        self.metrics()
    }

    /// Does nothing the second time, when `shutdown` drops the runtime.
    fn halt(&mut self) {
        if std::mem::replace(&mut self.is_halted, true) {
            return;
        }
        if !self.running.is_own_thread() {
            return self.running.halt();
        }
        let running = self.running.clone();
        let stop = move || running.halt();
        if std::thread::Builder::new().name("moonlet-stop".to_owned()).spawn(stop).is_err() {
            // The workers end, but nobody waits for them and drops what they leave.
            self.running.halt();
        }
    }

    /// Stops everything except for the writing of output. Does nothing the second time.
    #[cfg(feature = "cli")]
    pub(crate) fn halt_processes(&self) {
        self.running.halt_processes();
    }

    /// The standard streams, for the command.
    #[cfg(feature = "cli")]
    pub(crate) fn output(&self) -> &Output {
        &self.running.node.output
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.halt();
    }
}

fn outcome_of(outcome: &Outcome) -> Result<Payload, Error> {
    match outcome {
        Outcome::Value(value) => Ok(value.clone()),
        Outcome::Failure(failure) => Err(Error::from(&**failure)),
    }
}
