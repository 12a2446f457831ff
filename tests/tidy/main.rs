//! The style of the workspace, enforced: which part may know which, and mechanical rules for every
//! source file. That each `unsafe` is argued is checked by clippy (`undocumented_unsafe_blocks`).

mod floors;
mod imports;
mod sources;
mod text;
