//! The pool of blocks for copied VMs: pieces of exactly the required size, cut out of slabs.
//!
//! General allocators have few size classes in this range and put few blocks of a class into a
//! page: with blocks of ten kilobytes, a tenth of the memory was lost. In addition, the block of a
//! process that has ended is still in the processor's caches, so the next process on the same
//! thread should get that block.
//!
//! Each thread keeps a few free pieces of the sizes that it used last. Further pieces are returned
//! to their slabs, in batches under one lock. A slab whose pieces are all free is freed, except for
//! one slab per size.

#![allow(unsafe_code)]

use std::cell::{RefCell, UnsafeCell};
use std::ptr::NonNull;
// The types of `std`, not of `crate::sync`: no loom model reaches this code, and loom's locks
// cannot be static.
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::size_class::ALIGN;
use super::slab_memory::{HUGE_PAGE, SlabMemory};

/// Bytes of the first slab of a size. Each further slab is twice as large, up to a huge page. A
/// slab of that size fills the page and is aligned to it, so a system that backs memory with huge
/// pages wastes none of it.
const FIRST_SLAB: usize = 64 * 1024;
/// Maximum number of free pieces of one size that a thread keeps.
const KEPT_MAX: usize = 32;
/// Number of pieces that are moved between a thread and the slabs at once.
const BATCH: usize = 16;
/// Maximum number of sizes that a thread keeps pieces of; the least recently used size is dropped
/// first.
const SIZES_MAX: usize = 8;

/// The memory for one block.
pub(in crate::vm) struct Piece {
    pub(in crate::vm) start: NonNull<u8>,
    pub(in crate::vm) slab: SlabPointer,
}

/// The slab that a piece was cut from.
#[derive(Clone, Copy)]
pub(in crate::vm) struct SlabPointer(NonNull<Slab>);

// SAFETY: the memory of a piece belongs to the owner of this value alone: `Slabs::take` hands out
// each piece once. Of the slab the owner reads only `size`, which no code writes after
// `Slabs::grow`; the rest is behind the lock of `SLABS`.
unsafe impl Send for Piece {}

/// One allocation, from which pieces of one size are cut.
struct Slab {
    /// Size of each piece, in bytes. Not written after `Slabs::grow`; the owner of a piece reads it
    /// without the lock.
    size: usize,
    /// Guarded by the lock of `SLABS`. A cell, since the references that are created under the lock
    /// must not cover `size`.
    parts: UnsafeCell<Parts>,
}

/// The part of a slab that the lock of the slabs guards.
struct Parts {
    memory: SlabMemory,
    /// Pieces that were returned and are free.
    free: Vec<NonNull<u8>>,
    /// Number of pieces at the end of the memory that were never handed out.
    fresh: usize,
    /// Number of all pieces of the slab.
    count: usize,
    /// Index in the list of its size, while a piece of the slab is free.
    place: usize,
}

/// The slabs of one size.
#[derive(Default)]
struct Slabs {
    /// The slabs that have a free piece.
    partial: Vec<NonNull<Slab>>,
    /// Number of all slabs of the size.
    count: u32,
}

// SAFETY: the list owns its slabs, whose parts are Send. They are reached only through this list,
// which `SLABS` keeps behind its lock.
unsafe impl Send for Slabs {}

type Sizes = FxHashMap<usize, Slabs>;

static SLABS: Mutex<Option<Sizes>> = Mutex::new(None);

fn lock_slabs() -> MutexGuard<'static, Option<Sizes>> {
    // No code panics while it holds the lock.
    SLABS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Free pieces of one size.
struct Kept {
    size: usize,
    pieces: Vec<Piece>,
}

/// The free pieces that a thread keeps, with the most recently used size first.
struct Keeper(Vec<Kept>);

thread_local! {
    static KEEPER: RefCell<Keeper> = const { RefCell::new(Keeper(Vec::new())) };
}

impl Piece {
    /// Takes a piece of `size` bytes, aligned to [`ALIGN`]. Returns `None` if memory is out.
    pub(in crate::vm) fn take(size: usize) -> Option<Piece> {
        let size = size.next_multiple_of(ALIGN);
        let kept = KEEPER.try_with(|keeper| keeper.borrow_mut().take(size));
        // While a thread ends, its keeper is gone: the piece comes directly from the slabs.
        kept.unwrap_or_else(|_| with_slabs(size, |slabs| slabs.take(size)))
    }

    /// Returns the piece to the pool.
    pub(in crate::vm) fn give(self) {
        let mut own = Some(self);
        let kept = KEEPER.try_with(|keeper| keeper.borrow_mut().give(own.take()));
        if kept.is_err() {
            give_all(own);
        }
    }

    fn size(&self) -> usize {
        // SAFETY: the slab is alive: `Slabs::give` frees it only when all of its pieces are
        // returned, and this piece is not. Mutable references are created only to the slab's
        // `parts`.
        unsafe { self.slab.0.as_ref() }.size
    }
}

impl Keeper {
    fn of(&mut self, size: usize) -> &mut Vec<Piece> {
        let place = self.0.iter().position(|kept| kept.size == size);
        match place {
            Some(0) => {}
            Some(place) => self.0[..=place].rotate_right(1),
            None => {
                if self.0.len() == SIZES_MAX {
                    give_all(self.0.pop().into_iter().flat_map(|kept| kept.pieces));
                }
                self.0.insert(0, Kept { size, pieces: Vec::with_capacity(KEPT_MAX) });
            }
        }
        &mut self.0[0].pieces
    }

    fn take(&mut self, size: usize) -> Option<Piece> {
        let pieces = self.of(size);
        if pieces.is_empty() {
            with_slabs(size, |slabs| pieces.extend((0..BATCH).map_while(|_| slabs.take(size))));
        }
        pieces.pop()
    }

    fn give(&mut self, piece: Option<Piece>) {
        let Some(piece) = piece else { return };
        let pieces = self.of(piece.size());
        if pieces.len() == KEPT_MAX {
            // Returns the pieces that were given first: they are the coldest.
            give_all(pieces.drain(..BATCH));
        }
        pieces.push(piece);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        give_all(self.0.drain(..).flat_map(|kept| kept.pieces));
    }
}

fn with_slabs<T>(size: usize, act: impl FnOnce(&mut Slabs) -> T) -> T {
    act(lock_slabs().get_or_insert_default().entry(size).or_default())
}

fn give_all(pieces: impl IntoIterator<Item = Piece>) {
    let mut sizes = lock_slabs();
    let sizes = sizes.get_or_insert_default();
    for piece in pieces {
        sizes.entry(piece.size()).or_default().give(piece);
    }
}

impl Slabs {
    fn take(&mut self, size: usize) -> Option<Piece> {
        let slab = match self.partial.last() {
            Some(slab) => *slab,
            None => self.grow(size)?,
        };
        // SAFETY: all slabs in the list are alive, as `release` removes a slab before it frees it.
        // `&mut self` comes from the lock of `SLABS`, and this function creates no second
        // reference.
        let parts = unsafe { &mut *slab.as_ref().parts.get() };
        let start = parts.free.pop().or_else(|| parts.cut(size))?;
        if parts.free.is_empty() && parts.fresh == 0 {
            self.partial.pop();
        }
        Some(Piece { start, slab: SlabPointer(slab) })
    }

    fn grow(&mut self, size: usize) -> Option<NonNull<Slab>> {
        let bytes = FIRST_SLAB.checked_shl(self.count).unwrap_or(HUGE_PAGE);
        let bytes = if bytes == 0 { HUGE_PAGE } else { bytes.min(HUGE_PAGE) };
        let align = if bytes == HUGE_PAGE { HUGE_PAGE } else { ALIGN };
        let count = (bytes / size).max(1);
        // Rounded up to whole huge pages: the system backs no part of a page with a huge page.
        let bytes = size.checked_mul(count)?.next_multiple_of(align);
        let memory = SlabMemory::new(bytes, align)?;
        let (free, place) = (Vec::with_capacity(count), self.partial.len());
        let parts = UnsafeCell::new(Parts { memory, free, fresh: count, count, place });
        let slab = Box::new(Slab { size, parts });
        let slab = NonNull::from(Box::leak(slab));
        self.partial.push(slab);
        self.count += 1;
        Some(slab)
    }

    fn give(&mut self, piece: Piece) {
        // SAFETY: the slab is alive, since one of its pieces was handed out until now. `&mut self`
        // comes from the lock of `SLABS`, and this function creates no second reference.
        let parts = unsafe { &mut *piece.slab.0.as_ref().parts.get() };
        if parts.free.is_empty() && parts.fresh == 0 {
            parts.place = self.partial.len();
            self.partial.push(piece.slab.0);
        }
        parts.free.push(piece.start);
        if parts.free.len() + parts.fresh == parts.count && self.partial.len() > 1 {
            // SAFETY: `grow` created the slab, and all of its pieces are returned: none points to
            // it any more.
            unsafe { self.release(piece.slab.0) };
        }
    }

    /// Frees a slab whose pieces are all returned.
    ///
    /// # Safety
    /// The slab is in the list, and none of its pieces is handed out.
    unsafe fn release(&mut self, slab: NonNull<Slab>) {
        // SAFETY: `grow` leaked this box, and the caller guarantees that no piece points to it. The
        // list will not either: the slab is removed from it below, before another thread gets the
        // lock.
        let mut slab = unsafe { Box::from_raw(slab.as_ptr()) };
        // Dropping `slab` at the end of this function frees its memory, too.
        self.count -= 1;
        let place = slab.parts.get_mut().place;
        self.partial.swap_remove(place);
        if let Some(moved) = self.partial.get(place) {
            // SAFETY: all slabs in the list are alive, and `&mut self` comes from the lock of
            // `SLABS`.
            unsafe { (*moved.as_ref().parts.get()).place = place };
        }
    }
}

impl Parts {
    /// Returns a piece of `size` bytes (the slab's size) that was never handed out.
    fn cut(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.fresh = self.fresh.checked_sub(1)?;
        let number = self.count - 1 - self.fresh;
        // SAFETY: `Slabs::grow` allocated memory for `count` pieces of this size, and `number` is
        // less than `count`.
        Some(unsafe { self.memory.start().add(number * size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of slabs of a size. Each test uses a size of its own, so that no other
    /// test changes its slabs.
    fn slabs_of(size: usize) -> u32 {
        with_slabs(size, |slabs| slabs.count)
    }

    #[test]
    fn pieces_are_apart_and_come_back() {
        const SIZE: usize = 4008;
        let mut pieces: Vec<Piece> = (0..1000).map(|_| Piece::take(SIZE).unwrap()).collect();
        for (piece, number) in pieces.iter().zip(0..) {
            // SAFETY: the test owns the piece, which is `SIZE` bytes long.
            unsafe { piece.start.as_ptr().write_bytes(number as u8, SIZE) };
        }
        let mut starts: Vec<usize> = pieces.iter().map(|piece| piece.start.addr().get()).collect();
        starts.sort_unstable();
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= SIZE));
        for (piece, number) in pieces.iter().zip(0..) {
            // SAFETY: the test owns the piece, and has written all of its `SIZE` bytes.
            let last = unsafe { piece.start.add(SIZE - 1).read() };
            assert_eq!(last, number as u8);
        }
        pieces.drain(..).for_each(Piece::give);
        assert!(slabs_of(SIZE) <= 2, "what is free is given back, but for one and what is kept");
    }

    #[test]
    fn the_piece_given_last_is_taken_first() {
        let (one, other) = (Piece::take(5008).unwrap(), Piece::take(5008).unwrap());
        let starts = [one.start, other.start];
        one.give();
        other.give();
        assert_eq!(Piece::take(5008).map(|piece| piece.start), Some(starts[1]));
    }

    #[test]
    fn pieces_may_be_given_back_on_other_threads() {
        const SIZE: usize = 6008;
        let pieces: Vec<Piece> = (0..500).map(|_| Piece::take(SIZE).unwrap()).collect();
        std::thread::spawn(move || pieces.into_iter().for_each(Piece::give)).join().unwrap();
        assert!(slabs_of(SIZE) <= 2);
        let again: Vec<Piece> = (0..500).map(|_| Piece::take(SIZE).unwrap()).collect();
        again.into_iter().for_each(Piece::give);
    }

    #[test]
    fn a_thread_forgets_sizes_that_it_does_not_use() {
        for size in (0..SIZES_MAX * 2).map(|number| 7008 + number * 8) {
            Piece::take(size).unwrap().give();
        }
        KEEPER.with(|keeper| assert_eq!(keeper.borrow().0.len(), SIZES_MAX));
    }
}
