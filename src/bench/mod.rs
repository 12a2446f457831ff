//! What the benches measure of the engine's inside, and nothing else: no promise, no interface.
//!
//! Benches and studies are programs of their own and see public items only. They see these by the
//! feature `bench`, which is off for everybody else. All are thin enough to add nothing to what is
//! measured. A file per layer; `docs/benches.md` says which bench looks at which.

mod codec;
mod lookup;
mod mailbox;
mod scheduler;
mod vms;
mod waiting;

pub use codec::{Codec, Encoded};
pub use lookup::{Slots, parse_pid, write_pid};
pub use mailbox::Mailbox;
pub use scheduler::{Injector, RunQueue, State, TimerHeap};
pub use vms::Vms;
pub use waiting::{Figures, Packed, Sleeper, Waiting};
