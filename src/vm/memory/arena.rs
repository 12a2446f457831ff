//! The allocator of one VM: it counts exactly, enforces a limit, and frees everything at once.
//!
//! [`Arena::serve`] serves all requests of a VM's Lua (`vm/lua/allocate.rs`). Small requests come
//! from size classes that are carved out of chained blocks. Larger ones go to the global allocator
//! with a header that links them, so dropping the arena frees all of them without asking Lua what
//! is alive. One thread at a time uses an arena: the one that runs the process.
//!
//! - **A1** `used` is the sum of the sizes that Lua requested and has not freed, plus all charges.
//! - **A2** While `may_refuse` is false no request is refused: our own functions run then, and no
//!   Lua error may jump over them. A request past the limit is noted, and the next safe point
//!   collects (`limit.rs`).
//! - **A3** With `may_refuse`, the first request past the limit is refused: Lua runs a full
//!   collection and retries. If the retry does not fit either, a small request is granted and noted
//!   as in A2; a request of at least [`LARGE_REQUEST`] bytes is refused, as an error in Lua that
//!   `pcall` catches.
//! - **A4** A free small piece is in the free list of its class, which links the pieces by their
//!   first words, or lies between `bump` and `bump_end`, which are in one live block.
//! - **A5** `blocks` links what `grow` allocated, `large` what `take_large` allocated, each with
//!   its size. Only `give` (a large piece) and `drop` free them, after they have unlinked them.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::limit::{Limit, Verdict};
use super::size_class::{ALIGN, CLASSES, SMALL_MAX, class_of, class_size, class_within};

/// Requests of at least this many bytes fail inside Lua if they do not fit the limit.
pub(crate) const LARGE_REQUEST: usize = 4096;
/// Bytes of chained blocks, first and at most. Each is twice as large as the one before, so a VM
/// that needs little more than its first memory gets little more.
///
/// All sizes are slightly below a power of two, which suits allocators that add a header or align.
const NEXT_BLOCK: usize = 2 * 1024 - 16;
const NEXT_BLOCK_MAX: usize = 16 * 1024 - 16;

#[repr(C)]
struct Block {
    next: *mut Block,
    size: usize,
}

#[repr(C)]
struct Large {
    previous: *mut Large,
    next: *mut Large,
    size: usize,
}

#[derive(Clone, Copy)]
struct Free {
    next: *mut Free,
}

/// All memory of one VM.
pub(crate) struct Arena {
    free: [*mut Free; CLASSES],
    bump: *mut u8,
    bump_end: *mut u8,
    blocks: *mut Block,
    large: *mut Large,
    /// The memory that the arena was given at its start (`Arena::begin`); the arena never frees it.
    first: *mut u8,
    first_end: *mut u8,
    used: usize,
    limit: Limit,
    /// The byte that fills unused memory while a template is built (`vm/image/template.rs`), or 0.
    poison: u8,
    may_refuse: bool,
    /// Whether the arena ever needed memory besides its first memory, or refused a request.
    went_beyond: bool,
    /// While a template is built, where its pieces are placed.
    order: Option<Box<Order>>,
}

/// The part of an arena's state that a template holds: offsets from the start of the first memory.
pub(crate) struct Saved {
    free: [u32; CLASSES],
    used: usize,
}

// SAFETY: an arena owns the memory that its pointers lead to: its own allocations (A5), and the
// first memory, which the caller of `begin` gave to it. It shares none of it with another arena.
unsafe impl Send for Arena {}

impl Arena {
    /// Creates an empty arena. `limit` is in bytes; 0 means no limit.
    pub(crate) fn new(limit: usize) -> Self {
        Arena {
            free: [ptr::null_mut(); CLASSES],
            bump: ptr::null_mut(),
            bump_end: ptr::null_mut(),
            blocks: ptr::null_mut(),
            large: ptr::null_mut(),
            first: ptr::null_mut(),
            first_end: ptr::null_mut(),
            used: 0,
            limit: Limit::new(limit),
            poison: 0,
            may_refuse: false,
            went_beyond: false,
            order: None,
        }
    }

    /// Gives the arena its first memory: requests are served from there while it lasts. If `poison`
    /// is not 0, large requests are served there, too, and freed memory is filled with that byte.
    ///
    /// # Safety
    /// `size` bytes at `start`, aligned to [`ALIGN`], belong to the arena as long as it lives, and
    /// all hold `poison` if that is not 0.
    pub(crate) unsafe fn begin(&mut self, start: *mut u8, size: usize, poison: u8) {
        self.first = start;
        // SAFETY: the caller passes `size` bytes at `start`: their end is in the same allocation.
        self.first_end = unsafe { start.add(size) };
        self.bump = self.first;
        self.bump_end = self.first_end;
        self.poison = poison;
    }

    /// Returns the used length of the first memory, or `None` if other memory was needed or the
    /// requests did not follow the recorded `Order`.
    pub(crate) fn first_length(&self) -> Option<usize> {
        let is_broken = self.order.as_ref().is_some_and(|order| order.is_broken());
        (!self.went_beyond && !is_broken).then(|| self.bump as usize - self.first as usize)
    }

    /// Returns the size of the first memory in bytes.
    pub(crate) fn first_size(&self) -> usize {
        self.first_end as usize - self.first as usize
    }

    /// Returns the state that a copy of the first memory needs.
    pub(crate) fn save(&self) -> Saved {
        let offset = |head: *mut Free| match head.is_null() {
            true => u32::MAX,
            false => (head as usize - self.first as usize) as u32,
        };
        Saved { free: self.free.map(offset), used: self.used }
    }

    /// Returns the address where the memory begins that was never handed out.
    pub(crate) fn frontier(&self) -> *const u8 {
        self.bump
    }

    /// Continues as the saved arena whose memory, `length` bytes, was copied into this arena's.
    ///
    /// # Safety
    /// This arena has served no request yet. Its first memory has at least `length` bytes and
    /// begins with that copy, whose pointers were relocated.
    pub(crate) unsafe fn restore(&mut self, saved: &Saved, length: usize) {
        for (head, offset) in self.free.iter_mut().zip(saved.free) {
            if offset != u32::MAX {
                // SAFETY: `save` computed the offset of a piece in the first `length` bytes of the
                // saved memory; the caller guarantees that this first memory is at least as long.
                *head = unsafe { self.first.add(offset as usize).cast() };
            }
        }
        // SAFETY: the caller guarantees that the first memory has at least `length` bytes.
        self.bump = unsafe { self.first.add(length) };
        self.used = saved.used;
        self.limit.check(self.used);
    }

    /// Sets the limit in bytes; 0 means no limit. Only the memory in use now is checked against it.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = Limit::new(limit);
        self.limit.check(self.used);
    }

    /// Returns the bytes that Lua holds now.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn limit(&mut self) -> &mut Limit {
        &mut self.limit
    }

    /// Sets whether requests may be refused, as for Lua's own code; returns the old setting.
    pub(crate) fn set_may_refuse(&mut self, may_refuse: bool) -> bool {
        std::mem::replace(&mut self.may_refuse, may_refuse)
    }

    /// Charges for bytes outside of the arena that Lua refers to (shared strings).
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.used += bytes;
        self.limit.check(self.used);
    }

    pub(crate) fn discharge(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Decides whether the limit allows `more` bytes; see A2 and A3.
    #[inline]
    fn admits(&mut self, more: usize, on_noted: fn()) -> bool {
        let total = self.used.saturating_add(more);
        total <= self.limit.mark() || self.decides(total, more, on_noted)
    }

    #[cold]
    fn decides(&mut self, total: usize, more: usize, on_noted: fn()) -> bool {
        match self.limit.decide(total, more, self.may_refuse) {
            Verdict::Granted => true,
            Verdict::Noted => {
                on_noted();
                true
            }
            Verdict::Refused => {
                self.went_beyond = true;
                false
            }
        }
    }

    fn take(&mut self, size: usize) -> *mut u8 {
        if self.order.is_some() {
            return self.take_in_order(size);
        }
        if size > SMALL_MAX {
            return self.take_large(size);
        }
        let class = class_of(size);
        let head = self.free[class];
        if head.is_null() {
            return self.carve(class_size(class));
        }
        // SAFETY: the head of a free list is free; its first word links the next piece (A4).
        self.free[class] = unsafe { (*head).next };
        if self.poison != 0 {
            // SAFETY: the piece has just left its list and is still free; it has at least a word.
            unsafe { head.cast::<u8>().write_bytes(self.poison, size_of::<Free>()) };
        }
        head.cast()
    }

    fn carve(&mut self, size: usize) -> *mut u8 {
        if (self.bump_end as usize) - (self.bump as usize) < size && !self.grow() {
            return ptr::null_mut();
        }
        let start = self.bump;
        // SAFETY: one block has `size` bytes left before `bump_end` (A4), as ensured above.
        self.bump = unsafe { start.add(size) };
        start
    }

    /// Puts the rest of the current block into the free lists and chains a new block.
    fn grow(&mut self) -> bool {
        self.went_beyond = true;
        let rest = (self.bump_end as usize) - (self.bump as usize);
        // SAFETY: the memory from `bump` to `bump_end` is free (A4); `bump` moves past it below.
        unsafe { self.scatter(self.bump, rest) };
        self.bump = self.bump_end;
        // SAFETY: `blocks` is null or points to a block, which is alive until `drop` (A5).
        let last = unsafe { self.blocks.as_ref() };
        let size = last.map_or(NEXT_BLOCK, |block| (block.size * 2 + 16).min(NEXT_BLOCK_MAX));
        // SAFETY: the size is at least `NEXT_BLOCK`, so it is not zero.
        let block = unsafe { alloc(block_layout(size)) }.cast::<Block>();
        if block.is_null() {
            return false;
        }
        // SAFETY: the block is new, aligned to a word and longer than the header.
        unsafe { block.write(Block { next: self.blocks, size }) };
        // SAFETY: both are in the allocation or at its end: it has `size` bytes, at least a header.
        (self.bump, self.bump_end) = unsafe { (block.add(1).cast(), block.cast::<u8>().add(size)) };
        self.blocks = block;
        true
    }

    /// Puts free memory into the free lists, cut into the largest pieces that fit.
    ///
    /// # Safety
    /// `rest` bytes at `start` belong to the arena, are aligned to [`ALIGN`], and are free.
    unsafe fn scatter(&mut self, mut start: *mut u8, mut rest: usize) {
        while rest >= ALIGN {
            let class = if rest > SMALL_MAX { CLASSES - 1 } else { class_within(rest) };
            let size = class_size(class);
            // SAFETY: the caller passes `rest` free bytes, and the class fits into them.
            unsafe { self.push_free(start, class) };
            // SAFETY: `size` is at most `rest`, and `rest` bytes are left from `start` on.
            start = unsafe { start.add(size) };
            rest -= size;
        }
    }

    /// # Safety
    /// `start` is a free piece of this arena and of the class, aligned to [`ALIGN`].
    unsafe fn push_free(&mut self, start: *mut u8, class: usize) {
        let free = start.cast::<Free>();
        // SAFETY: the caller passes a piece, which has at least a word and is aligned to one.
        unsafe { free.write(Free { next: self.free[class] }) };
        self.free[class] = free;
    }

    fn take_large(&mut self, size: usize) -> *mut u8 {
        // Not from a chained block: `give` recognises large pieces only in the first memory.
        let room = (self.bump_end as usize) - (self.bump as usize);
        if self.poison != 0 && self.blocks.is_null() && size <= room {
            return self.carve(size.next_multiple_of(ALIGN));
        }
        self.went_beyond = true;
        if self.may_refuse && size > request_max() {
            return ptr::null_mut();
        }
        let Some(layout) = large_layout(size) else { return ptr::null_mut() };
        // SAFETY: the layout has at least the size of a header, which is not zero.
        let large = unsafe { alloc(layout) }.cast::<Large>();
        if large.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: the memory was allocated just now, with room for the header.
        unsafe { large.write(Large { previous: ptr::null_mut(), next: self.large, size }) };
        // SAFETY: `large` is null or points to a linked piece, which is alive (A5).
        if let Some(head) = unsafe { self.large.as_mut() } {
            head.previous = large;
        }
        self.large = large;
        // SAFETY: the header is the beginning of the allocation, so its end is inside.
        unsafe { large.add(1).cast() }
    }

    /// # Safety
    /// `start` was served for a request of `size` bytes and was not freed; no code uses it any
    /// more.
    unsafe fn give(&mut self, start: NonNull<u8>, size: usize) {
        if self.order.is_some() {
            // SAFETY: the caller frees a piece that was served for `size` bytes.
            return unsafe { self.give_in_order(start, size) };
        }
        if size <= SMALL_MAX {
            let class = class_of(size);
            // SAFETY: the caller frees what `take` served for this size: a piece of its class.
            return unsafe {
                self.wipe(start, class_size(class));
                self.push_free(start.as_ptr(), class);
            };
        }
        if (self.first..self.first_end).contains(&start.as_ptr()) {
            let size = size.next_multiple_of(ALIGN);
            // SAFETY: the caller frees a piece that `take_large` carved out of the first memory.
            return unsafe {
                self.wipe(start, size);
                self.scatter(start.as_ptr(), size);
            };
        }
        // SAFETY: the caller frees a large piece, and every large piece outside of the first memory
        // lies behind the header that `take_large` wrote.
        let large = unsafe { start.as_ptr().cast::<Large>().sub(1) };
        // SAFETY: the piece is in use until now, so its header is linked and alive (A5).
        let Large { previous, next, size } = unsafe { large.read() };
        // SAFETY: the neighbours of a linked header are null, or linked and therefore alive (A5).
        let (before, behind) = unsafe { (previous.as_mut(), next.as_mut()) };
        *before.map_or(&mut self.large, |before| &mut before.next) = next;
        if let Some(behind) = behind {
            behind.previous = previous;
        }
        // SAFETY: `take_large` allocated it with the size in its header, and nothing links it now.
        unsafe { release_large(large, size) };
    }

    /// # Safety
    /// `start` was served for a request of `old` bytes and was not freed; if the result is not
    /// null, no code uses `start` any more.
    unsafe fn resize(&mut self, start: NonNull<u8>, old: usize, new: usize) -> *mut u8 {
        if old <= SMALL_MAX && new <= SMALL_MAX && class_of(old) == class_of(new) {
            return start.as_ptr();
        }
        let target = self.take(new);
        if !target.is_null() {
            // SAFETY: the caller has `old` bytes at `start`; `target` has `new` other bytes.
            unsafe { ptr::copy_nonoverlapping(start.as_ptr(), target, old.min(new)) };
            // SAFETY: the caller has `start`, and gives it up since the result is not null.
            unsafe { self.give(start, old) };
        }
        target
    }

    /// Serves one request of Lua by the rules of `lua_Alloc`. Calls `on_noted` if the next safe
    /// point has to run or begin a collection (A2).
    ///
    /// # Safety
    /// `start` is null, or was served for `old` bytes, was not freed since, and this request frees
    /// it as `lua_Alloc` specifies.
    #[inline]
    pub(crate) unsafe fn serve(
        &mut self,
        start: *mut u8,
        old: usize,
        new: usize,
        on_noted: fn(),
    ) -> *mut u8 {
        let Some(start) = NonNull::new(start) else {
            if new == 0 || !self.admits(new, on_noted) {
                return ptr::null_mut();
            }
            let fresh = self.take(new);
            return self.granted(fresh, 0, new);
        };
        if new == 0 {
            // SAFETY: the caller frees `start`, which was served for `old` bytes.
            unsafe { self.give(start, old) };
            self.used = self.used.wrapping_sub(old);
            return ptr::null_mut();
        }
        if new > old && !self.admits(new - old, on_noted) {
            return ptr::null_mut();
        }
        // SAFETY: the caller has `start`, served for `old` bytes, and exchanges it for the result.
        let moved = unsafe { self.resize(start, old, new) };
        self.granted(moved, old, new)
    }

    fn granted(&mut self, memory: *mut u8, old: usize, new: usize) -> *mut u8 {
        if memory.is_null() {
            if !self.may_refuse {
                // The machine is out of memory inside a function that no error may jump out of.
                handle_alloc_error(
                    Layout::from_size_align(new, ALIGN).unwrap_or(Layout::new::<u8>()),
                );
            }
            return memory;
        }
        self.used = self.used.wrapping_add(new).wrapping_sub(old);
        memory
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut block = self.blocks;
        while !block.is_null() {
            // SAFETY: every block that `blocks` links is alive (A5).
            let Block { next, size } = unsafe { block.read() };
            // SAFETY: `grow` allocated it with this layout, and its header was read before.
            unsafe { dealloc(block.cast(), block_layout(size)) };
            block = next;
        }
        let mut large = self.large;
        while !large.is_null() {
            // SAFETY: every piece that `large` links is alive (A5).
            let Large { next, size, .. } = unsafe { large.read() };
            // SAFETY: `take_large` allocated it with this size, and its header was read before.
            unsafe { release_large(large, size) };
            large = next;
        }
    }
}

/// Returns the largest single request that is tried: half of the machine's memory. Systems grant
/// more than exists and kill the program when it touches the memory; in Lua it must be an error.
fn request_max() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| {
        #[cfg(all(unix, not(miri)))]
        {
            // SAFETY: sysconf takes only a number; it returns -1 for an unknown one.
            let (pages, size) =
                unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
            if let (Ok(pages @ 1..), Ok(size @ 1..)) =
                (usize::try_from(pages), usize::try_from(size))
            {
                return pages.saturating_mul(size) / 2;
            }
        }
        // Miri counts the memory that it simulates.
        if cfg!(miri) { 1 << 30 } else { usize::MAX }
    })
}

fn block_layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("block sizes are constants")
}

fn large_layout(size: usize) -> Option<Layout> {
    let total = size.checked_add(size_of::<Large>())?;
    Layout::from_size_align(total, ALIGN).ok()
}

/// # Safety
/// `take_large` allocated `large` with this size, and no code uses it any more.
unsafe fn release_large(large: *mut Large, size: usize) {
    if let Some(layout) = large_layout(size) {
        // SAFETY: the caller guarantees that `take_large` used this layout, and no code uses it.
        unsafe { dealloc(large.cast(), layout) };
    }
}

mod order;
#[cfg(feature = "bench")]
mod spans;
#[cfg(test)]
mod tests;
pub(crate) use order::{Order, Staying};
#[cfg(feature = "bench")]
pub(crate) use spans::Span;
