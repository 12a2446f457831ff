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

// SAFETY: a block owns its memory; the control in it is Send, and so is a value that owns it.
unsafe impl Send for Block {}

impl Block {
    /// Allocates `size` bytes and makes an empty VM's control block in them. `limit` is that of
    /// the arena, `poison` as for [`Arena::begin`](crate::vm::memory::arena::Arena::begin). `None` if memory is out.
    pub(in crate::vm) fn new(size: usize, limit: usize, poison: u8) -> Option<Block> {
        let size = size.max(MEMORY).next_multiple_of(ALIGN);
        // SAFETY: the layout has a size above zero.
        let start = NonNull::new(unsafe { alloc(layout(size)) })?;
        if poison != 0 {
            // SAFETY: fresh memory of this size.
            unsafe { start.write_bytes(poison, size) };
        }
        // SAFETY: as above.
        Some(unsafe { Block::begin(start, size, None, limit, poison) })
    }

    /// As [`Block::new`], for one of many of the same size.
    pub(in crate::vm) fn pooled(size: usize, limit: usize) -> Option<Block> {
        let size = size.max(MEMORY).next_multiple_of(ALIGN);
        let piece = Piece::take(size)?;
        // SAFETY: the piece is as long, and this value's.
        Some(unsafe { Block::begin(piece.start, size, Some(piece.slab), limit, 0) })
    }

    /// # Safety
    /// `size` bytes at `start` are a piece of `slab`, or of the global allocator, and this value's:
    /// at least those of a control block, aligned for it.
    unsafe fn begin(
        start: NonNull<u8>,
        size: usize,
        slab: Option<SlabPointer>,
        limit: usize,
        poison: u8,
    ) -> Block {
        let block = Block { start: start.cast(), slab };
        // SAFETY: the caller's duty; what is behind the control belongs to the arena until the
        // block is freed.
        unsafe {
            block.start.write(Control::new(limit));
            let memory = start.add(MEMORY).as_ptr();
            (*block.control().arena_ptr()).begin(memory, size - MEMORY, poison);
        }
        block
    }

    pub(in crate::vm) fn control(&self) -> &Control {
        // SAFETY: `new` made it, and it stays until the block is dropped.
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
        // SAFETY: `begin` made the control; whoever drops the block is done with its VM.
        unsafe { self.start.drop_in_place() };
        match self.slab {
            Some(slab) => Piece { start, slab }.give(),
            // SAFETY: made by `new` with this layout.
            None => unsafe { dealloc(start.as_ptr(), layout(size)) },
        }
    }
}

fn layout(size: usize) -> Layout {
    // Sizes are those of real blocks, so the only way to fail is one beyond the address space.
    Layout::from_size_align(size, ALIGN).unwrap_or(Layout::new::<Control>())
}
