//! Plain data that an embedding program and its processes exchange.

/// Plain data passed between the embedding program and a process.
///
/// It covers the copyable part of Lua's values: everything that one process can send to another,
/// except errors. Strings are bytes, as in Lua. A table keeps its pairs in the order in which they
/// were added; that order has no meaning in Lua.
///
/// Application files use it as well, for the arguments of services and for metadata.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// A sequence of bytes, which need not be UTF-8.
    String(Vec<u8>),
    /// Pairs of key and value. A key is never `Nil` or not-a-number.
    Table(Vec<(Value, Value)>),
}

impl Value {
    /// Creates a sequence: a table with the keys 1, 2, 3 and so on. A `Nil` leaves a hole.
    pub fn sequence(values: impl IntoIterator<Item = Value>) -> Value {
        let numbered = (1..).map(Value::Integer).zip(values);
        Value::Table(numbered.filter(|(_, value)| !value.is_nil()).collect())
    }

    /// Returns the value stored under a text key, if this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let pairs = self.as_table()?;
        pairs.iter().find_map(|(name, value)| (name.as_bytes()? == key.as_bytes()).then_some(value))
    }

    /// Returns whether this is `Nil`.
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

    /// Returns the number, if this is an integer or a float with an integer value.
    pub fn as_i64(&self) -> Option<i64> {
        // The upper bound is 2^63 itself, the first float that does not fit.
        const RANGE: std::ops::Range<f64> =
            -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
        match self {
            Value::Integer(number) => Some(*number),
            Value::Float(number) if number.fract() == 0.0 && RANGE.contains(number) => {
                Some(*number as i64)
            }
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

    /// Returns the pairs, if this is a table.
    pub fn as_table(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Table(pairs) => Some(pairs),
            _ => None,
        }
    }
}

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

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Integer(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Integer(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text.into_bytes())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::String(bytes.to_vec())
    }
}

/// An absent value becomes `Nil`.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Nil, Into::into)
    }
}

/// A list becomes a sequence. For a table with other keys, use `Value::Table`.
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Value {
        Value::sequence(values.into_iter().map(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_count_from_one_and_leave_holes() {
        let list = Value::from(vec![Some(7_i64), None, Some(9)]);
        let pairs = [(Value::Integer(1), 7_i64.into()), (Value::Integer(3), 9_i64.into())];
        assert_eq!(list.as_table(), Some(&pairs[..]));
    }

    #[test]
    fn get_finds_text_keys_only() {
        let table =
            Value::Table(vec![(Value::Integer(1), "first".into()), ("team".into(), "blue".into())]);
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
}
