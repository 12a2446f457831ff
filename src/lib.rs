//! Moonlet: a runtime for Lua processes.
//!
//! A process is a Lua program with its own VM. It runs as a green task on one of a few workers and
//! has a PID and a mailbox. Through the Lua module `process` it spawns, monitors and messages other
//! processes. A Rust program loads an [`Application`], starts a [`Runtime`] with a [`Builder`] and
//! calls processes like functions:
//!
//! ```
//! let files = [
//!     ("app.yaml", "namespace: app\nentries:\n  - name: double\n    kind: process.lua\n    \
//!                   source: return function(x) return 2 * x end\n"),
//! ];
//! let files = files.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
//! let application = moonlet::Application::from_files(files);
//! let runtime = moonlet::Builder::new().workers(1).application(application).start()?;
//! let double: i64 = runtime.exec("app:double", 21).block()?.decode()?;
//! assert_eq!(double, 42);
//! # Ok::<(), moonlet::Error>(())
//! ```
//!
//! # Floors
//!
//! A module refers to modules on the floors below its own, never upward. Modules on one floor do not
//! refer to each other. `cargo test --test tidy -- --nocapture` draws the arrows.
//!
//! | floor | what |
//! |---|---|
//! | `cli` `bench` `copied` | the command; what `benches/` and `studies/` measure of the inside; a large test |
//! | `runtime` | `Builder` and `Runtime`: starting a node with its threads, calling it from a program, stopping it |
//! | `supervisor` `loader` | `supervisor` starts, restarts and stops services; `loader` makes the definitions of an application |
//! | `api` | what scripts can call, a file per family |
//! | `worker` | a worker's loop: find work, execute, park; the monitor that ends long slices |
//! | `process` | a whole Lua process and the stages of its life: spawn, time slice, upgrade, death |
//! | `node` | what all processes share: definitions, hosts, standard streams; `delivery` brings messages to processes |
//! | `slot` `coroutines` `scheduler` | `slot`: the outside of a process, for any thread (state word, mailbox, links); `coroutines`: its inside, for its worker (coroutines, channels, timers); `scheduler`: run queues of slot numbers |
//! | `message` | messages, the mailbox, outcomes, contexts, limits |
//! | `native` | Rust functions that Lua code calls |
//! | `payload` | encodes Lua values, and Rust's [`Value`], as owned bytes, and decodes them |
//! | `app` | applications on disk |
//! | `security` | policies, who acts under which of them, and what that allows |
//! | `vm/image` | VMs made by copying |
//! | `vm/lua` | a VM: its stack, calls into it, preemption, its control block |
//! | `vm/memory` | the memory of VMs |
//! | `calendar` `metrics` | layouts of times, durations; counters |
//! | `error` | errors of API functions |
//! | `value` | values and errors as Rust programs see them |
//! | `build_info` `clock` `depth` `escape` `nearest` `pid` `prefetch` `shared_bytes` | the ground |
//! | `sync` | the one door to atomics and locks, std's or a model checker's |
//!
//! # The way of one message
//!
//! A sender calls `process.send` (a Rust program calls [`Runtime::send`], which begins at `Node::send`).
//!
//! | file | functions | step |
//! |---|---|---|
//! | `api/send` | `send_inner`: `two_texts`, `check_topic`, `resolve` | reads the arguments, resolves the destination, checks the permission |
//! | `message/mod` | `from_process` | creates the message in place |
//! | `payload/encode` | `encode_into` | copies the values into it |
//! | `node/delivery` | `send` | finds the slot (`slot/table`: `find`); hands the message over if the receiver waits (**A**), otherwise pushes it (**B**) |
//! | **A** `node/delivery`, `slot/mod` | `hand_over`, `hand_over` | takes the receiver out of its wait (`slot/state`: `take_waiting`) if its mailbox is empty |
//! | **A** `coroutines/inside` | `accept` | finds the channel (`subscriptions`: `target_of`) and wakes the coroutine that waits on it (`channel`: `add_message`, `mod`: `end_wait`); if none does: **B** |
//! | **B** `slot/mod` | `reserve` | reserves a place in the mailbox |
//! | **B** `slot/places`, `message/mailbox` | `push` | appends to the lane; then the state word says whether to schedule (`slot/state`: `notify`) |
//! | `node/delivery` | `follow` | schedules the receiver if it was waiting |
//! | `scheduler/mod` | `schedule` | into the worker's LIFO slot (`run_queue`: `push_woken`) or the injector; `notify` wakes a worker (`idle`, `park`) |
//! | `worker/mod` | `find_work`, `execute` | picks the slot (`run_queue`: `pick`), enters the host's gate (`node/host`: `try_enter`), sets the state to running |
//! | `process/spawn/deferred` | `ensure_built` | the process in the slot, which the first worker to run it builds |
//! | `process/timeslice` | `run_timeslice` | **B**: routes the mailbox's messages to channels (`process/mod`: `drain`, `coroutines/subscriptions`: `drain`) |
//! | `vm/lua/resume` | `resume` | enters Lua |
//! | `api/channel` | `received` | takes the message that the coroutine was woken with (`coroutines/mod`: `take_message`) |
//! | `api/inbox` | `push_delivery` | pushes it as a Message, or its values (`payload/decode`: `push_one`) |
//!
//! # The way of one spawn
//!
//! `process/spawn/mod` says which ways there are. This is the most common one: the definition has an
//! image. A Rust program ([`Process::spawn`]) calls `spawn_from_outside`, and always takes the way
//! `leave_to_worker`.
//!
//! | file | functions | step |
//! |---|---|---|
//! | `api/spawn` | `run`: `check_permissions`, `begin` | reads the arguments, checks permissions, inherits the context |
//! | `process/spawn/mod` | `spawn` | chooses the way |
//! | `process/spawn/place` | `claim` | finds the definition (`loader` made it at the start), counts the process on its host, claims a slot (`slot/mod`: `occupy`) |
//! | `process/spawn/ready` | `image` | returns the image of a process whose chunks are over, if there is one |
//! | `process/spawn/deferred` | `defer` | stores a spawn request in the slot (`process/tenant`: `put_deferred`) |
//! | `process/spawn/start` | `set_up`, `run_main` | monitor, link, first messages, name; schedules the slot (`scheduler/mod`: `schedule_young`) |
//! | `worker/mod` | `find_work`, `execute` | picks the slot |
//! | `process/spawn/deferred` | `ensure_built` | builds the process: copies the image (`vm/image/template`: `copy`), pushes the arguments (`payload/decode`: `push_all`) |
//! | `process/timeslice` | `run_timeslice` | runs main |
//!
//! # A new kind of process
//!
//! Everything in `slot`, `message` and `scheduler` works on slots, whatever occupies them. The kinds of
//! occupants are the variants of `Tenant` (`slot/tenant`): processes of Lua, spawn requests for them, and
//! native processes (`process/native`). A mailbox of the program occupies its slot without a tenant: its
//! state is *outside*, and no worker runs it (`process/seat`). A new kind is a new variant, and the compiler
//! then lists each `match` that must know it: in `process/tenant` (converts it), `node/delivery` (hands
//! messages over to it), `process/spawn/deferred` (what `worker` runs) and `runtime` (drops it at a
//! stop). `process/spawn` gets a way that puts it into a slot. `worker/mod` (`execute`, `after`) runs
//! its slices and does what a slice's `Step` asks for; `process/death` ends it. A slice takes the
//! mailbox's messages, drops and counts those for earlier processes of the slot, obeys the kill word
//! and the deadline, and moves the state word as `slot/state` says.
//!
//! # Invariants
//!
//! - Only the thread that holds a process's slot touches the process: it moved the state word to
//!   *running*, took it out of its wait to hand over a message, or claimed the slot.
//! - A message is delivered, or its sender gets an error, or it is a counted dead letter.
//! - No Rust value with a destructor is alive where a Lua error may jump.
//! - Every queue has a limit, or is bounded by another queue's.

// The inside, which `bench` makes public, has its own rules.
#![cfg_attr(not(feature = "bench"), deny(missing_docs))]

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
mod native;
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
pub use metrics::{Metrics, WorkerMetrics};
pub use native::{Class, Module};
pub use node::interrupt::Interrupt;
#[cfg(feature = "log")]
pub use node::output::to_log;
#[cfg(feature = "tracing")]
pub use node::output::to_tracing;
pub use node::output::{Level, LogFormat, LogRecord};
pub use payload::{DecodeError, EncodeError, FromPayload, IntoPayload, Payload};
pub use pid::Pid;
pub use runtime::{
    Builder, Cancel, Context, Error, Event, Exec, Exit, Handle, Mailbox, MailboxBuilder, Message,
    OnDrop, Process, Recv, Request, Runtime, ServicesEnded, Sleep, Spawn, Stopping, Wait,
};
pub use supervisor::ServiceState;
pub use value::{Bytes, Failure, Kind, Table, Value};

// The examples of Rust programs in the documents compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
#[cfg(all(doctest, feature = "cli"))] // which has the allocator that the page shows
#[doc = include_str!("../docs/embedding.md")]
mod embedding {}
#[cfg(doctest)]
#[doc = include_str!("../docs/native.md")]
mod native_modules {}
