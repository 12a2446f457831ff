//! Moonlet: a runtime for Lua processes.
//!
//! Each process has its own Lua VM and runs as a green task on one of a few workers. It has a
//! PID and a mailbox; through the Lua module `process` it starts, watches and messages others.
//! A host program loads an [`Application`], starts a [`Runtime`] with a [`Builder`] and calls
//! processes like functions:
//!
//! ```
//! let files = [
//!     ("app.yaml", "namespace: app\nentries:\n  - name: double\n    kind: process.lua\n    \
//!                   source: return function(x) return 2 * x end\n"),
//! ];
//! let files = files.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
//! let application = moonlet::Application::from_files(files);
//! let runtime = moonlet::Builder::new().workers(1).application(application).start()?;
//! let value = runtime.exec("app:double", "app:processes", &[21.into()])?;
//! assert_eq!(value.as_i64(), Some(42));
//! # Ok::<(), moonlet::Error>(())
//! ```
//!
//! # Floors
//!
//! A module refers to modules on the floors below its own, never upward; those on one floor know
//! nothing of each other. `cargo test --test tidy -- --nocapture` draws the arrows.
//!
//! | floor | what |
//! |---|---|
//! | `cli` `bench` `copied` | the command; what `benches/` and `studies/` measure of the inside; a large test |
//! | `runtime` | making a node with its threads, calling it from a program, stopping it |
//! | `supervisor` `loader` | services: start, restart, stop; from an application to definitions |
//! | `api` | what scripts can call, a file per family |
//! | `worker` | a worker's loop: find work, execute, park; the monitor that ends long slices |
//! | `process` | a whole process and the turns of its life: spawn, time slice, upgrade, death |
//! | `node` | what all processes share: definitions, hosts, streams; the one delivery |
//! | `slot` `coroutines` `scheduler` | a process from outside, for any thread; from inside, for its worker; run queues of slot numbers |
//! | `message` | messages, the mailbox, outcomes, contexts, limits |
//! | `payload` | Lua values as owned bytes, and back |
//! | `app` | applications on disk |
//! | `security` | policies, who acts under which of them, and what that allows |
//! | `vm/image` | VMs made by copying |
//! | `vm/lua` | a VM: its stack, calls into it, preemption, its control block |
//! | `vm/memory` | the memory of VMs |
//! | `calendar` `metrics` | layouts of times, durations; counters |
//! | `build_info` `clock` `depth` `error` `escape` `nearest` `pid` `prefetch` `shared_bytes` `value` | the ground |
//! | `sync` | the one door to atomics and locks, std's or a model checker's |
//!
//! # The way of one message
//!
//! | file | functions | step |
//! |---|---|---|
//! | `api/send` | `send_inner`: `two_texts`, `check_topic`, `resolve` | arguments, destination, permission |
//! | `message/mod` | `from_process` | a message, where it stays |
//! | `payload/encode` | `encode_into` | copies the values into it |
//! | `node/delivery` | `send` | finds the slot (`slot/table`: `find`) and chooses between the next two ways |
//! | `slot/mod` | `hand_over` | the receiver waits: takes it out of its wait (`slot/state`: `take_waiting`) |
//! | `coroutines/inside` | `accept` | finds the channel (`subscriptions`: `target_of`) and wakes the coroutine (`channel`: `add_message`, `mod`: `end_wait`) |
//! | `slot/mod` | `reserve` | it does not wait: a place in its mailbox |
//! | `slot/places`, `message/mailbox` | `push` | appends to the lane; then asks the state word (`slot/state`: `notify`) |
//! | `node/delivery` | `follow` | what that asks for |
//! | `scheduler/mod` | `schedule` | into the worker's LIFO slot (`run_queue`: `push_woken`) or the injector; `notify` wakes a worker (`idle`, `park`) |
//! | `worker/mod` | `find_work`, `execute` | picks the slot (`run_queue`: `pick`), its state becomes running |
//! | `process/timeslice` | `run_timeslice` | routes what the mailbox holds (`coroutines/subscriptions`: `drain`) |
//! | `vm/lua/resume` | `resume` | enters Lua |
//! | `api/channel` | `received` | takes the message that the coroutine was woken with (`coroutines/mod`: `take_message`) |
//! | `api/inbox` | `push_delivery` | pushes it as a Message, or its values (`payload/decode`: `push_one`) |
//!
//! # The way of one spawn
//!
//! | file | functions | step |
//! |---|---|---|
//! | `api/spawn` | `run`: `check_permissions`, `begin` | arguments, permissions, what is inherited |
//! | `process/spawn/mod` | `spawn` | takes one of four ways, which are said there |
//! | `process/spawn/place` | `claim` | finds the definition, counts on the host, claims a slot (`slot/mod`: `occupy`) |
//! | `process/spawn/ready` | `image` | is there an image of a process past its chunks? |
//! | `process/spawn/deferred` | `defer` | then leaves a request in the slot (`process/tenant`: `put_deferred`) |
//! | `process/spawn/start` | `relate`, `run_main` | monitor, link, first messages, name; the slot is scheduled (`scheduler/mod`: `schedule_young`) |
//! | `worker/mod` | `find_work`, `execute` | picks the slot |
//! | `process/spawn/deferred` | `process_of` | builds the process: a copy of the image (`vm/image/template`: `copy`), its arguments pushed (`payload/decode`: `push_all`) |
//! | `process/timeslice` | `run_timeslice` | runs main |
//!
//! # Invariants
//!
//! - Only the worker that moved a process's state word to *running* touches its VM.
//! - A message is delivered, or its sender gets an error, or it is a counted dead letter.
//! - No Rust value with a destructor is alive where a Lua error may jump.
//! - Every queue has a limit or is bounded by one that has.

mod api;
mod app;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod build_info;
mod calendar;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
#[cfg(all(test, not(loom)))]
mod copied;
mod coroutines;
mod depth;
mod error;
mod escape;
mod loader;
mod message;
mod metrics;
mod nearest;
mod node;
mod payload;
mod pid;
mod prefetch;
mod process;
mod runtime;
mod scheduler;
mod security;
mod shared_bytes;
mod slot;
mod supervisor;
mod sync;
mod value;
mod vm;
mod worker;

pub use app::{Application, EntryId, Problem, Severity};
pub use build_info::{BuildInfo, VERSION, build};
pub use error::Error;
pub use metrics::Metrics;
pub use node::interrupt::Interrupt;
pub use node::output::{Level, LogFormat};
pub use pid::Pid;
pub use runtime::{Builder, Runtime};
pub use supervisor::ServiceState;
pub use value::Value;

// The example of a Rust program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
