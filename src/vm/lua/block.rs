//! The allocation that every VM begins with: its control block, followed by the first memory of its
//! arena.
//!
//! The two share one allocation for three reasons: they have the same lifetime; the parts that the
//! delivery of a message touches lie on a few neighbouring cache lines; and the distance from Lua's
//! memory to the control block is the same in a copy as in the original, so pointers to the control
//! block can be relocated like all others (`vm/image/template.rs`).

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use super::control::Control;
use crate::vm::memory::pool::{Piece, SlabPointer};
use crate::vm::memory::size_class::ALIGN;

/// Offset of the arena's memory from the start of the block, in bytes.
pub(in crate::vm) const MEMORY: usize = size_of::<Control>().next_multiple_of(ALIGN);

/// The owner of one such allocation.
pub(in crate::vm) struct Block {
    start: NonNull<Control>,
    /// The slab that the block was cut from; `None` if the block came from the global allocator.
    slab: Option<SlabPointer>,
}

// SAFETY: a block owns its memory and the control in it, and both may be dropped on any thread: a
// `Control` is Send, and pieces are returned to a slab under the lock of the slabs.
unsafe impl Send for Block {}

impl Block {
    /// Allocates `size` bytes and creates an empty VM's control block in them. `limit` is the limit
    /// of the arena; `poison` has the meaning that it has in
    /// [`Arena::begin`](crate::vm::memory::arena::Arena::begin). Returns `None` if the machine is
    /// out of memory.
    pub(in crate::vm) fn new(size: usize, limit: usize, poison: u8) -> Option<Block> {
        let size = size.max(MEMORY).next_multiple_of(ALIGN);
        // SAFETY: the size is at least that of a control block, so it is not 0.
        let start = NonNull::new(unsafe { alloc(layout(size)?) })?;
        if poison != 0 {
            // SAFETY: `size` bytes were allocated just now, and no other code has their address.
            unsafe { start.write_bytes(poison, size) };
        }
        // SAFETY: `size` bytes of the global allocator, at least as many as a control block takes
        // and aligned for it (`layout`). No other code has them, and all hold the poison.
        Some(unsafe { Block::begin(start, size, None, limit, poison) })
    }

    /// Does the same as [`Block::new`], but takes the memory from the pool; for blocks of which
    /// many have the same size.
    pub(in crate::vm) fn pooled(size: usize, limit: usize) -> Option<Block> {
        let size = size.max(MEMORY).next_multiple_of(ALIGN);
        let piece = Piece::take(size)?;
        // SAFETY: `Piece::take` gave `size` bytes of this slab to this function alone: at least as
        // many as a control block takes, aligned to `ALIGN`.
        Some(unsafe { Block::begin(piece.start, size, Some(piece.slab), limit, 0) })
    }

    /// # Safety
    /// `size` bytes at `start` belong to the new value: a piece of `slab`, or memory of the global
    /// allocator with `layout(size)`. They are enough for a control block and aligned for it, and
    /// all hold `poison` if `poison` is not 0.
    unsafe fn begin(
        start: NonNull<u8>,
        size: usize,
        slab: Option<SlabPointer>,
        limit: usize,
        poison: u8,
    ) -> Block {
        let block = Block { start: start.cast(), slab };
        // SAFETY: the caller passes memory for a control block at `start`, aligned for it.
        unsafe { block.start.write(Control::new(limit)) };
        // SAFETY: the caller passes `size` bytes, which is at least `MEMORY`.
        let memory = unsafe { start.add(MEMORY).as_ptr() };
        // SAFETY: the control was written above, and no other code has it yet. The memory after it
        // holds the poison (the caller guarantees it) and belongs to the arena until `drop` frees
        // the block together with the arena.
        unsafe { (*block.control().arena_ptr()).begin(memory, size - MEMORY, poison) };
        block
    }

    pub(in crate::vm) fn control(&self) -> &Control {
        // SAFETY: `begin` wrote a control there, which stays until this value is dropped. All of
        // its fields are cells, so only shared references to it exist.
        unsafe { self.start.as_ref() }
    }

    /// Returns the address that pointers within the block are relative to.
    pub(in crate::vm) fn start(&self) -> *mut u8 {
        self.start.as_ptr().cast()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // The arena's first memory is everything after the control.
        let size = MEMORY + self.control().first_size();
        let start = self.start.cast::<u8>();
        // SAFETY: `begin` wrote the control, and the owner drops it once, here. The VM whose state
        // lies in the block ends at the same time: `Vm` owns both.
        unsafe { self.start.drop_in_place() };
        match self.slab {
            Some(slab) => Piece { start, slab }.give(),
            None => {
                if let Some(layout) = layout(size) {
                    // SAFETY: `new` allocated every block without a slab, with the layout of this
                    // size: that of the control plus that of the first memory (`begin`).
                    unsafe { dealloc(start.as_ptr(), layout) };
                }
            }
        }
    }
}

/// Returns `None` if the size exceeds the address space.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, ALIGN).ok()
}
