//! The placement of pieces while a template is built: pieces that are alive at the end of the build
//! lie side by side, all others behind them.
//!
//! Loading and running code leaves garbage between the live pieces, and an image with these gaps
//! was an eighth larger. For this reason a trial build comes first, which records the numbers of
//! the requests whose pieces are alive at its end: these requests *stay*, the others *go*. The two
//! builds that are compared serve the requests that stay from the start of the memory, and the
//! requests that go from its end, where no memory is used again and none of it becomes part of the
//! image.

#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::ptr::NonNull;

use super::{ALIGN, Arena, SMALL_MAX, class_of, class_size};

/// For each request of a build, by number, whether it stays.
pub(crate) type Staying = Vec<bool>;

/// What an arena knows of its requests while a template is built in it.
pub(crate) enum Order {
    /// Requests are recorded: the live ones by address, and how many there were.
    Noted { living: HashMap<usize, usize>, count: usize },
    /// Requests are placed: which of them stay, how many there were, and the addresses of the live
    /// pieces of requests that go.
    Placed { staying: Staying, count: usize, others: HashSet<usize> },
}

impl Order {
    pub(crate) fn noted() -> Order {
        Order::Noted { living: HashMap::new(), count: 0 }
    }

    pub(crate) fn placed(staying: Staying) -> Order {
        Order::Placed { staying, count: 0, others: HashSet::new() }
    }

    /// Counts the next request and returns whether it goes; the caller then serves it.
    pub(super) fn next_goes(&mut self) -> bool {
        let Order::Placed { staying, count, .. } = self else { return false };
        let goes = !staying.get(*count).copied().unwrap_or(false);
        *count += 1;
        goes
    }

    /// Records the address at which a request was served, and whether the request is one of those
    /// that go.
    pub(super) fn took(&mut self, start: usize, goes: bool) {
        match self {
            Order::Noted { living, count } => {
                living.insert(start, *count);
                *count += 1;
            }
            Order::Placed { others, .. } if goes => {
                others.insert(start);
            }
            Order::Placed { .. } => {}
        }
    }

    /// Records that a piece was freed; returns true if it belongs to a request that goes.
    pub(super) fn gave(&mut self, start: usize) -> bool {
        match self {
            Order::Noted { living, .. } => {
                living.remove(&start);
                false
            }
            Order::Placed { others, .. } => others.remove(&start),
        }
    }

    /// Returns which requests stay, if the requests were recorded.
    pub(super) fn staying(&self) -> Option<Staying> {
        let Order::Noted { living, count } = self else { return None };
        let mut staying = vec![false; *count];
        living.values().for_each(|number| staying[*number] = true);
        Some(staying)
    }

    /// Returns whether a piece is alive that should have been freed: then the build did not take
    /// the same course as the recorded one.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Order::Placed { others, .. } if !others.is_empty())
    }
}

impl Arena {
    /// Makes the arena record or place its requests; called before the first request.
    pub(crate) fn set_order(&mut self, order: Order) {
        self.order = Some(Box::new(order));
    }

    /// Returns which requests stay, if the requests were recorded.
    pub(crate) fn staying(&self) -> Option<Staying> {
        self.order.as_ref()?.staying()
    }

    /// Does the work of [`Arena::take`] while a template is built.
    #[cold]
    pub(super) fn take_in_order(&mut self, size: usize) -> *mut u8 {
        let Some(mut order) = self.order.take() else { return self.take(size) };
        // Rounded up to the size of the class, because the piece may grow in place up to that size.
        let rounded = if size > SMALL_MAX { size } else { class_size(class_of(size)) };
        let rounded = rounded.next_multiple_of(ALIGN);
        let room = (self.bump_end as usize) - (self.bump as usize);
        let goes = order.next_goes();
        let start = if goes && rounded <= room && !self.went_beyond {
            // SAFETY: `rounded` is at most `room`, the distance from `bump` to `bump_end` (A4).
            self.bump_end = unsafe { self.bump_end.sub(rounded) };
            self.bump_end
        } else {
            self.went_beyond |= goes;
            self.take(size)
        };
        order.took(start as usize, goes);
        self.order = Some(order);
        start
    }

    /// Does the work of [`Arena::give`] while a template is built.
    ///
    /// # Safety
    /// As for [`Arena::give`]: `start` was served for a request of `size` bytes and was not freed;
    /// no code uses it any more.
    pub(super) unsafe fn give_in_order(&mut self, start: NonNull<u8>, size: usize) {
        let mut order = self.order.take();
        let is_among_others =
            order.as_mut().is_some_and(|order| order.gave(start.as_ptr() as usize));
        // SAFETY: the caller frees `size` bytes that were served. They are either wiped or put into
        // a free list, not both: memory of requests that go is never used again.
        unsafe {
            match is_among_others {
                true => self.wipe(start, size),
                false => self.give(start, size),
            }
        }
        self.order = order;
    }

    /// Overwrites free memory with the poison while a template is built.
    ///
    /// # Safety
    /// `size` bytes at `start` belong to the arena, and no code uses them.
    pub(super) unsafe fn wipe(&mut self, start: NonNull<u8>, size: usize) {
        if self.poison != 0 {
            // SAFETY: the caller guarantees that no code uses these bytes of the arena.
            unsafe { start.write_bytes(self.poison, size) };
        }
    }
}
