//! Memory made warm. On virtual machines a page that is touched for the first time since the
//! machine started costs microseconds, because the host has to provide it; whoever runs first
//! would pay for all. Which process touches it does not matter to the host.

use std::hint;

use crate::machine;
use crate::session::Session;

/// What one step touches.
const STEP_BYTES: usize = 64 << 20;

/// No page is smaller.
const PAGE_BYTES: usize = 4096;

/// Touches so much memory, or half of what is free if that is less, and gives it back.
pub(crate) fn touch(session: &Session, bytes: u64) {
    let bytes = bytes.min(machine::available_bytes().unwrap_or(0) / 2);
    let mut steps = Vec::new();
    for _ in 0..bytes / STEP_BYTES as u64 {
        if session.is_interrupted() {
            return;
        }
        let mut step = vec![0_u8; STEP_BYTES];
        // Zeroed memory comes untouched from the system.
        step.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
        steps.push(hint::black_box(step));
    }
}
