//! A queue that holds at most one element most of the time, and then needs no memory of its own.

use std::collections::VecDeque;

/// A first in, first out queue. If `first` is empty, so is `rest`. `first` is the first field, so
/// that it shares a cache line with the field before the queue.
#[repr(C)]
pub(super) struct ShortQueue<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for ShortQueue<T> {
    fn default() -> Self {
        ShortQueue { first: None, rest: VecDeque::new() }
    }
}

impl<T> ShortQueue<T> {
    #[inline]
    pub(super) fn push_back(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.rest.push_back(item),
        }
    }

    pub(super) fn push_front(&mut self, item: T) {
        if let Some(second) = self.first.replace(item) {
            self.rest.push_front(second);
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
        }
        first
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Takes the first element for which `wanted` is true.
    #[inline(always)]
    pub(super) fn take_first(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        if wanted(self.first.as_ref()?) {
            return self.pop_front();
        }
        let position = self.rest.iter().position(wanted)?;
        self.rest.remove(position)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.rest.retain(&keep);
        if self.first.as_ref().is_some_and(|first| !keep(first)) {
            self.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_queue(steps in proptest::collection::vec((0..5_u8, 0..8_u8), 0..60)) {
            let (mut queue, mut model) = (ShortQueue::default(), VecDeque::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        queue.push_back(number);
                        model.push_back(number);
                    }
                    1 => {
                        queue.push_front(number);
                        model.push_front(number);
                    }
                    2 => prop_assert_eq!(queue.pop_front(), model.pop_front()),
                    3 => {
                        let position = model.iter().position(|other| *other == number);
                        let expected = position.and_then(|position| model.remove(position));
                        prop_assert_eq!(queue.take_first(|other| *other == number), expected);
                    }
                    _ => {
                        queue.retain(|other| *other != number);
                        model.retain(|other| *other != number);
                    }
                }
                prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
            while let Some(item) = model.pop_front() {
                prop_assert_eq!(queue.pop_front(), Some(item));
            }
            prop_assert!(queue.is_empty());
        }
    }
}
