//! The one allocation that every VM begins with: its control block, and behind it the first
//! memory of its arena.
//!
//! They lie together because they live and die together, because what a message touches of them
//! is then a few neighbouring lines, and because a pointer from Lua's memory to the control
//! block is in a copy of that memory as far away as in the original (`vm/image/template.rs`).

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use super::control::Control;
use crate::vm::memory::pool::{Piece, SlabPointer};
use crate::vm::memory::size_class::ALIGN;

/// Where the arena's memory begins.
pub(in crate::vm) const MEMORY: usize = size_of::<Control>().next_multiple_of(ALIGN);

pub(in crate::vm) struct Block {
    start: NonNull<Control>,
    /// What it was cut from; if it was, else it came from the global allocator.
    slab: Option<SlabPointer>,
}

// SAFETY: a block owns its memory and the control in it, and both may be dropped on any thread: a
// `Control` is Send, and a slab's pieces are given back under the lock of the slabs.
unsafe impl Send for Block {}

impl Block {
    /// Allocates `size` bytes and makes an empty VM's control block in them. `limit` is that of
    /// the arena, `poison` as for [`Arena::begin`](crate::vm::memory::arena::Arena::begin). `None` if memory is out.
    pub(in crate::vm) fn new(size: usize, limit: usize, poison: u8) -> Option<Block> {
        let size = size.max(MEMORY).next_multiple_of(ALIGN);
        // SAFETY: the size is that of a control block or more, which is not 0.
        let start = NonNull::new(unsafe { alloc(layout(size)?) })?;
        if poison != 0 {
            // SAFETY: `size` bytes were allocated just now, and nobody else knows of them.
            unsafe { start.write_bytes(poison, size) };
        }
        // SAFETY: `size` bytes of the global allocator, those of a control block at least and
        // aligned for it (`layout`), that nobody else has and that hold the poison.
        Some(unsafe { Block::begin(start, size, None, limit, poison) })
    }

    /// As [`Block::new`], for one of many of the same size.
    pub(in crate::vm) fn pooled(size: usize, limit: usize) -> Option<Block> {
        let size = size.max(MEMORY).next_multiple_of(ALIGN);
        let piece = Piece::take(size)?;
        // SAFETY: `Piece::take` gave `size` bytes of this slab to this function alone, those of a
        // control block at least, aligned to `ALIGN`.
        Some(unsafe { Block::begin(piece.start, size, Some(piece.slab), limit, 0) })
    }

    /// # Safety
    /// `size` bytes at `start` belong to the new value: a piece of `slab`, or of the global
    /// allocator with `layout(size)`. They are those of a control block at least, aligned for it,
    /// and all hold `poison` if that is not 0.
    unsafe fn begin(
        start: NonNull<u8>,
        size: usize,
        slab: Option<SlabPointer>,
        limit: usize,
        poison: u8,
    ) -> Block {
        let block = Block { start: start.cast(), slab };
        // SAFETY: the caller gives memory for a control block at `start`, aligned for it.
        unsafe { block.start.write(Control::new(limit)) };
        // SAFETY: the caller gives `size` bytes, which are `MEMORY` or more.
        let memory = unsafe { start.add(MEMORY).as_ptr() };
        // SAFETY: the control was written above, and nobody else has it yet. What is behind it
        // holds the poison (the caller's duty) and belongs to the arena until `drop` frees the
        // block with it.
        unsafe { (*block.control().arena_ptr()).begin(memory, size - MEMORY, poison) };
        block
    }

    pub(in crate::vm) fn control(&self) -> &Control {
        // SAFETY: `begin` wrote a control there, which stays until this value is dropped; all of
        // its fields are cells, so shared references to it are all that there is.
        unsafe { self.start.as_ref() }
    }

    /// The address that everything inside is relative to.
    pub(in crate::vm) fn start(&self) -> *mut u8 {
        self.start.as_ptr().cast()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // The arena has all that is behind the control.
        let size = MEMORY + self.control().first_size();
        let start = self.start.cast::<u8>();
        // SAFETY: `begin` wrote the control, and the owner drops it once, here. The VM whose state
        // lies in the block goes at the same time: `Vm` owns both.
        unsafe { self.start.drop_in_place() };
        match self.slab {
            Some(slab) => Piece { start, slab }.give(),
            None => {
                if let Some(layout) = layout(size) {
                    // SAFETY: without a slab `new` allocated the block, with the layout of this
                    // size: the control's and the first memory's (`begin`).
                    unsafe { dealloc(start.as_ptr(), layout) };
                }
            }
        }
    }
}

/// `None` for a size beyond the address space.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, ALIGN).ok()
}
