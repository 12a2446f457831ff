//! Values: what a Rust program and Lua processes can send to each other.

mod bytes;
mod convert;
mod failure;
pub(crate) mod serde;
mod show;
mod table;
pub(crate) mod whole;
mod written;

use std::sync::Arc;

pub use bytes::Bytes;
pub use failure::{Failure, Kind};
pub use table::Table;

/// A value that can be sent: one of Lua's, without functions, coroutines and userdata other than
/// errors.
///
/// Integers and floats are different types, as in Lua. Strings are bytes. Tables are shared: clones
/// refer to the same table, and a table that occurs twice in a message arrives as one table. The
/// macro [`value!`](crate::value!) writes values as they are read.
///
/// `Display` shows a value for people, in the notation of Lua, cut to a bounded length.
///
/// Application files use values as well, for the arguments of services and for metadata.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// The absence of a value.
    #[default]
    Nil,
    /// `true` or `false`.
    Boolean(bool),
    /// A number of Lua's integer subtype.
    Integer(i64),
    /// A number of Lua's float subtype.
    Float(f64),
    /// Bytes, which need not be UTF-8.
    String(Bytes),
    /// Pairs of keys and values. A key is never `Nil` or not-a-number.
    Table(Arc<Table>),
    /// An error object.
    Error(Arc<Failure>),
}

impl Value {
    /// Creates a table of pairs.
    ///
    /// ```
    /// use moonlet::Value;
    /// let user = Value::table([("name", Value::from("Ada")), ("age", 36.into())]);
    /// assert_eq!(user.get("age").and_then(Value::as_i64), Some(36));
    /// ```
    pub fn table<K: Into<Value>, V: Into<Value>>(pairs: impl IntoIterator<Item = (K, V)>) -> Value {
        Value::Table(Arc::new(pairs.into_iter().collect()))
    }

    /// Creates a sequence: a table with the keys 1, 2, 3 and so on. A `Nil` leaves a hole.
    pub fn sequence(values: impl IntoIterator<Item = Value>) -> Value {
        let numbered = (1..).map(Value::Integer).zip(values);
        Value::table(numbered.filter(|(_, value)| !value.is_nil()))
    }

    /// Returns the value of a text key, if this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_table()?.get(key)
    }

    /// Returns the value at a position, counted from 1, if this is a table that has it.
    pub fn at(&self, position: i64) -> Option<&Value> {
        self.as_table()?.at(position)
    }

    /// Tells whether this is `Nil`.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Returns the boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns the number, if it is an integer or a float that equals one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            Value::Float(number) => exact_integer(*number),
            _ => None,
        }
    }

    /// Returns the number as a float, if this is a number of either subtype.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the text, if this is a string of valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// Returns the bytes, if this is a string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::String(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the table, if this is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Returns the error, if this is one.
    pub fn as_error(&self) -> Option<&Failure> {
        match self {
            Value::Error(failure) => Some(failure),
            _ => None,
        }
    }

    /// Returns the name of its type, as Lua has it; `error` for an error.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Boolean(_) => "boolean",
            Value::Integer(_) | Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Table(_) => "table",
            Value::Error(_) => "error",
        }
    }
}

/// Returns the integer that a float equals.
pub(crate) fn exact_integer(number: f64) -> Option<i64> {
    // The upper bound is 2^63 itself, the first float that does not fit.
    const RANGE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    (number.fract() == 0.0 && RANGE.contains(&number)).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn sequences_count_from_one_and_leave_holes() {
        let list = Value::from(vec![Some(7_i64), None, Some(9)]);
        let pairs = [(Value::Integer(1), 7_i64.into()), (Value::Integer(3), 9_i64.into())];
        assert_eq!(list.as_table().map(|table| &table[..]), Some(&pairs[..]));
        assert_eq!(list.at(3), Some(&Value::Integer(9)));
        assert_eq!(list.at(2), None);
    }

    #[test]
    fn get_finds_text_keys_only() {
        let table = value!({ [1] = "first", team = "blue" });
        assert_eq!(table.get("team").and_then(Value::as_str), Some("blue"));
        assert_eq!(table.get("1"), None);
        assert_eq!(Value::from("team").get("team"), None);
    }

    #[test]
    fn numbers_convert_only_when_exact() {
        assert_eq!(Value::Float(3.0).as_i64(), Some(3));
        assert_eq!(Value::Float(3.5).as_i64(), None);
        assert_eq!(Value::Float(9_223_372_036_854_775_808.0).as_i64(), None);
        assert_eq!(Value::Float(f64::NAN).as_i64(), None);
        assert_eq!(Value::Integer(3).as_f64(), Some(3.0));
        assert_eq!(Value::from("3").as_i64(), None);
    }

    #[test]
    fn strings_are_bytes() {
        let bytes = Value::from(&b"\xff\0"[..]);
        assert_eq!(bytes.as_str(), None);
        assert_eq!(bytes.as_bytes(), Some(&b"\xff\0"[..]));
    }

    #[test]
    fn the_macro_nests() {
        let value = value!({ a = { b = [1, [2, nil, 3]], }, [2.5] = nil });
        assert_eq!(value.get("a").and_then(|a| a.get("b")?.at(2)?.at(3)), Some(&Value::Integer(3)));
        assert_eq!(value!([]), Value::sequence([]));
        assert_eq!(value!({}).as_table().map(|table| table.len()), Some(0));
    }
}
