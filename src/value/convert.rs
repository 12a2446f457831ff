//! Conversions of Rust types into values.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Bytes, Failure, Table, Value};

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value {
            fn from(number: $integer) -> Value {
                Value::Integer(number.into())
            }
        }
    )*};
}

from_integers!(i8 i16 i32 i64 u8 u16 u32);

macro_rules! from_texts {
    ($($text:ty)*) => {$(
        impl From<$text> for Value {
            fn from(text: $text) -> Value {
                Value::String(text.into())
            }
        }
    )*};
}

from_texts!(&str String &[u8] Bytes);

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Nil
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Boolean(flag)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Value {
        Value::Float(number.into())
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Value {
        Value::Table(Arc::new(table))
    }
}

impl From<Failure> for Value {
    fn from(failure: Failure) -> Value {
        Value::Error(Arc::new(failure))
    }
}

/// An absent value becomes `Nil`.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Nil, Into::into)
    }
}

/// A list becomes a sequence. Other tables are created by [`Value::table`].
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Value {
        Value::sequence(values.into_iter().map(Into::into))
    }
}

impl<K: Into<Value>, V: Into<Value>, S> From<HashMap<K, V, S>> for Value {
    fn from(map: HashMap<K, V, S>) -> Value {
        Value::table(map)
    }
}

impl<K: Into<Value>, V: Into<Value>> From<BTreeMap<K, V>> for Value {
    fn from(map: BTreeMap<K, V>) -> Value {
        Value::table(map)
    }
}
