//! Where the blocks of copies come from: pieces of exactly their size, cut out of slabs.
//!
//! General allocators have few classes of this size and put few blocks of a class into a page: of
//! ten kilobytes a tenth was lost. And a block that a process leaves is warm, so the next process
//! on the same thread should get just that one.
//!
//! Each thread keeps a few free pieces of the sizes that it used last; beyond that they go back to
//! their slab, under one lock, many at a time. A slab of which all pieces are back is freed, but
//! for one of each size.

#![allow(unsafe_code)]

use std::cell::{RefCell, UnsafeCell};
use std::ptr::NonNull;
// Not those of `crate::sync`: models do not reach this, and their locks cannot be static.
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::size_class::ALIGN;
use super::slab_memory::{HUGE_PAGE, SlabMemory};

/// Bytes of the first slab of a size; each further one is twice as large, up to a huge page, which it
/// fills and is aligned to, so that a system which gives memory in such pages gives none in vain.
const FIRST_SLAB: usize = 64 * 1024;
/// Free pieces of one size that a thread keeps.
const KEPT_MAX: usize = 32;
/// Pieces that move between a thread and the slabs at once.
const BATCH: usize = 16;
/// Sizes that a thread keeps pieces of; the one not used for longest goes first.
const SIZES_MAX: usize = 8;

/// Memory for one block.
pub(in crate::vm) struct Piece {
    pub(in crate::vm) start: NonNull<u8>,
    pub(in crate::vm) slab: SlabPointer,
}

/// Where a piece was cut from.
#[derive(Clone, Copy)]
pub(in crate::vm) struct SlabPointer(NonNull<Slab>);

// SAFETY: the memory of a piece belongs to the owner of this value alone: `Slabs::take` hands each
// piece out once. Of the slab the owner reads `size` only, which nobody writes after `Slabs::grow`;
// the rest is behind the lock of `SLABS`.
unsafe impl Send for Piece {}

/// One allocation that pieces of one size are cut from.
struct Slab {
    /// Never written after `Slabs::grow`; the owner of a piece reads it without the lock.
    size: usize,
    /// Behind the lock of `SLABS`. A cell, since the references that the lock allows must not cover
    /// `size`.
    parts: UnsafeCell<Parts>,
}

/// What the lock of the slabs guards of one of them.
struct Parts {
    memory: SlabMemory,
    /// Given back, and free.
    free: Vec<NonNull<u8>>,
    /// Never given out, and free: so many at the end.
    fresh: usize,
    count: usize,
    /// Place in the list of its size while something of it is free.
    place: usize,
}

/// The slabs of one size.
#[derive(Default)]
struct Slabs {
    /// Those of which something is free.
    partial: Vec<NonNull<Slab>>,
    /// All of them.
    count: u32,
}

// SAFETY: the list owns its slabs, whose parts are Send; they are reached through this list only,
// which `SLABS` keeps behind its lock.
unsafe impl Send for Slabs {}

type Sizes = FxHashMap<usize, Slabs>;

static SLABS: Mutex<Option<Sizes>> = Mutex::new(None);

fn lock_slabs() -> MutexGuard<'static, Option<Sizes>> {
    // Nothing panics while it is held.
    SLABS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Free pieces of one size.
struct Kept {
    size: usize,
    pieces: Vec<Piece>,
}

/// What a thread keeps, the size used last in front.
struct Keeper(Vec<Kept>);

thread_local! {
    static KEEPER: RefCell<Keeper> = const { RefCell::new(Keeper(Vec::new())) };
}

impl Piece {
    /// Takes a piece of `size` bytes, aligned to [`ALIGN`]. `None` if memory is out.
    pub(in crate::vm) fn take(size: usize) -> Option<Piece> {
        let size = size.next_multiple_of(ALIGN);
        let kept = KEEPER.try_with(|keeper| keeper.borrow_mut().take(size));
        // A thread that ends keeps nothing any more.
        kept.unwrap_or_else(|_| with_slabs(size, |slabs| slabs.take(size)))
    }

    /// Gives it back.
    pub(in crate::vm) fn give(self) {
        let mut own = Some(self);
        let kept = KEEPER.try_with(|keeper| keeper.borrow_mut().give(own.take()));
        if kept.is_err() {
            give_all(own);
        }
    }

    fn size(&self) -> usize {
        // SAFETY: the slab is alive: `Slabs::give` frees it only when all of its pieces are back,
        // and this one is out. Mutable references are made to its `parts` only.
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
            // The ones that were given first: they are the coldest.
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
        // SAFETY: slabs in the list are alive, as `release` takes one out before it frees it. `&mut
        // self` comes from the lock of `SLABS`, and this function makes no second reference.
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
        // All of a huge page: one that is not whole is none.
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
        // SAFETY: the slab is alive, since its piece was out until now. `&mut self` comes from the
        // lock of `SLABS`, and this function makes no second reference.
        let parts = unsafe { &mut *piece.slab.0.as_ref().parts.get() };
        if parts.free.is_empty() && parts.fresh == 0 {
            parts.place = self.partial.len();
            self.partial.push(piece.slab.0);
        }
        parts.free.push(piece.start);
        if parts.free.len() + parts.fresh == parts.count && self.partial.len() > 1 {
            // SAFETY: `grow` made the slab, and its pieces are all back: none leads to it any more.
            unsafe { self.release(piece.slab.0) };
        }
    }

    /// Frees a slab whose pieces are all back.
    ///
    /// # Safety
    /// The slab is in the list, and no piece of it is out.
    unsafe fn release(&mut self, slab: NonNull<Slab>) {
        // SAFETY: `grow` leaked this box, and the caller vouches that no piece leads to it. The
        // list does not either: it is taken out below, before anybody else has the lock.
        let mut slab = unsafe { Box::from_raw(slab.as_ptr()) };
        // Its memory goes with it.
        self.count -= 1;
        let place = slab.parts.get_mut().place;
        self.partial.swap_remove(place);
        if let Some(moved) = self.partial.get(place) {
            // SAFETY: slabs in the list are alive, and `&mut self` comes from the lock of `SLABS`.
            unsafe { (*moved.as_ref().parts.get()).place = place };
        }
    }
}

impl Parts {
    /// A piece of `size` bytes, that of the slab, which was never given out.
    fn cut(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.fresh = self.fresh.checked_sub(1)?;
        let number = self.count - 1 - self.fresh;
        // SAFETY: `Slabs::grow` made the memory `count` pieces of this size long, and `number` is
        // less than `count`.
        Some(unsafe { self.memory.start().add(number * size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A size that no other test uses, so that nobody else changes its slabs.
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
