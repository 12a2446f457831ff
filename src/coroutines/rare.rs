//! What few processes need, and then takes memory of its own.

/// Nothing until it is first changed.
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

    /// Takes it away, if there is one.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take().map(|made| *made)
    }

    /// As [`Rare::get_mut`], for what has nothing to do if there is none yet.
    pub(crate) fn made(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}
