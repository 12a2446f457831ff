//! How a Rust value passes through serde whole, to a serializer or deserializer of this crate.
//!
//! serde knows no shared tables and no errors. So a [`Value`](super::Value) presents itself as a
//! newtype struct with a name that only this crate uses. A serializer of this crate recognises the
//! name and *asks* for the value, which is then handed over in a thread-local instead of being
//! serialized; a deserializer *offers* it the same way. Other formats see ordinary data.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Display, Formatter, Write};

use serde::Serialize;

thread_local! {
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
    static OFFERED: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Asks the content of a newtype struct for the value that it stands for.
pub(crate) fn ask<V: 'static, T: Serialize + ?Sized>(content: &T) -> Option<V> {
    IS_ASKED.set(true);
    // `Formatter` is a serializer that takes a text.
    let _ = write!(String::new(), "{}", Probe(content));
    IS_ASKED.set(false);
    take()
}

struct Probe<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Display for Probe<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

/// Whether the value that is being serialized was asked for; true once.
pub(crate) fn is_asked() -> bool {
    IS_ASKED.replace(false)
}

/// Hands a value over.
pub(crate) fn offer<V: 'static>(value: V) {
    OFFERED.set(Some(Box::new(value)));
}

/// Takes the value that was handed over, if there is one of this type.
pub(crate) fn take<V: 'static>() -> Option<V> {
    OFFERED.take()?.downcast().ok().map(|value| *value)
}
