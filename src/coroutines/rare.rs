//! A value that few processes need; it takes memory of its own only when used.

/// Empty until it is first changed.
#[derive(Default)]
pub(crate) struct Rare<T>(Option<Box<T>>);

impl<T: Default> Rare<T> {
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// Removes and returns the value, if there is one.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take().map(|made| *made)
    }

    /// Like [`Rare::get_mut`], but creates nothing.
    pub(crate) fn existing(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}
