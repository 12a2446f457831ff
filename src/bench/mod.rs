//! Access to the inside of the engine for the benches, and for nothing else: this is no stable
//! interface.
//!
//! Benches and studies are separate programs and see only public items. They see these items by the
//! feature `bench`, which is off for all other users. All items are thin enough to add nothing to
//! what is measured. There is one file per layer; `docs/benches.md` states which bench measures
//! which layer.

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
