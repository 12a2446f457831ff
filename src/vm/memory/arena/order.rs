//! Where the pieces of a template lie: those that stay side by side, those that go behind them.
//!
//! Loading and running code leaves garbage between what stays, and an image with these gaps was an
//! eighth larger. So a build is rehearsed, and it is noted which of its requests, by number, are
//! alive at its end. The builds that are compared serve these from the start of the memory, the
//! others from its end, where nothing is used again and nothing gets into the image.

#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::ptr::NonNull;

use super::{ALIGN, Arena, SMALL_MAX, class_of, class_size};

/// Which requests of a build stay, by number.
pub(crate) type Staying = Vec<bool>;

/// What an arena that a template is built in knows of its requests.
pub(crate) enum Order {
    /// They are noted: the living by address, and how many there were.
    Noted { living: HashMap<usize, usize>, count: usize },
    /// They are placed: those that stay, how many there were, and which of the others live.
    Placed { staying: Staying, count: usize, others: HashSet<usize> },
}

impl Order {
    pub(crate) fn noted() -> Order {
        Order::Noted { living: HashMap::new(), count: 0 }
    }

    pub(crate) fn placed(staying: Staying) -> Order {
        Order::Placed { staying, count: 0, others: HashSet::new() }
    }

    /// Whether the next request is one of those that go; it will be the caller's to serve.
    pub(super) fn next_goes(&mut self) -> bool {
        let Order::Placed { staying, count, .. } = self else { return false };
        let goes = !staying.get(*count).copied().unwrap_or(false);
        *count += 1;
        goes
    }

    /// Notes where a request was served, and whether among those that go.
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

    /// Notes that a piece was given back; true if it lies among those that go.
    pub(super) fn gave(&mut self, start: usize) -> bool {
        match self {
            Order::Noted { living, .. } => {
                living.remove(&start);
                false
            }
            Order::Placed { others, .. } => others.remove(&start),
        }
    }

    /// Which requests stay, if they were noted.
    pub(super) fn staying(&self) -> Option<Staying> {
        let Order::Noted { living, count } = self else { return None };
        let mut staying = vec![false; *count];
        living.values().for_each(|number| staying[*number] = true);
        Some(staying)
    }

    /// Whether something stayed that should have gone: the build did not go as it was noted.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Order::Placed { others, .. } if !others.is_empty())
    }
}

impl Arena {
    /// Lets it note or place the requests that come; before the first.
    pub(crate) fn set_order(&mut self, order: Order) {
        self.order = Some(Box::new(order));
    }

    /// Which requests stay, if they were noted.
    pub(crate) fn staying(&self) -> Option<Staying> {
        self.order.as_ref()?.staying()
    }

    /// As [`Arena::take`], while a template is built.
    #[cold]
    pub(super) fn take_in_order(&mut self, size: usize) -> *mut u8 {
        let Some(mut order) = self.order.take() else { return self.take(size) };
        // As large as its class, because it may grow in place up to that.
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

    /// As [`Arena::give`], while a template is built.
    ///
    /// # Safety
    /// As for [`Arena::give`]: `start` was served for a request of `size` bytes and not given back;
    /// nobody uses it any more.
    pub(super) unsafe fn give_in_order(&mut self, start: NonNull<u8>, size: usize) {
        let mut order = self.order.take();
        let is_among_others =
            order.as_mut().is_some_and(|order| order.gave(start.as_ptr() as usize));
        // SAFETY: the caller gives back `size` bytes that were served, and they are wiped or put
        // into a free list, not both: those that go are never used again.
        unsafe {
            match is_among_others {
                true => self.wipe(start, size),
                false => self.give(start, size),
            }
        }
        self.order = order;
    }

    /// While a template is built, leaves nothing in memory that is nobody's.
    ///
    /// # Safety
    /// `size` bytes at `start` are the arena's, and nobody has them.
    pub(super) unsafe fn wipe(&mut self, start: NonNull<u8>, size: usize) {
        if self.poison != 0 {
            // SAFETY: the caller vouches that nobody has these bytes of the arena.
            unsafe { start.write_bytes(self.poison, size) };
        }
    }
}
