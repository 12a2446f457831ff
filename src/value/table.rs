//! `Table`: pairs of keys and values.

use std::ops::Deref;

use super::Value;

/// The pairs of a table, in the order in which they were given; the order has no meaning in Lua.
///
/// Dereferences to a slice of the pairs. Values share tables by `Arc`: a table that occurs twice in
/// a message is one table on the other side, too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Vec<(Value, Value)>);

impl Table {
    /// Returns the value of a text key.
    ///
    /// ```
    /// let table: moonlet::Table = [("team", "blue"), ("city", "Ulm")].into_iter().collect();
    /// assert_eq!(table.get("team").and_then(|team| team.as_str()), Some("blue"));
    /// ```
    pub fn get(&self, key: &str) -> Option<&Value> {
        let is_key = |name: &Value| name.as_bytes() == Some(key.as_bytes());
        self.0.iter().find_map(|(name, value)| is_key(name).then_some(value))
    }

    /// Returns the value at a position, counted from 1 as in Lua.
    pub fn at(&self, position: i64) -> Option<&Value> {
        // The elements of a sequence come first, in their order.
        let near = usize::try_from(position - 1).ok().and_then(|index| self.0.get(index));
        let is_key = |key: &Value| key.as_i64() == Some(position);
        match near {
            Some((key, value)) if is_key(key) => Some(value),
            _ => self.0.iter().find_map(|(key, value)| is_key(key).then_some(value)),
        }
    }
}

impl Deref for Table {
    type Target = [(Value, Value)];

    fn deref(&self) -> &[(Value, Value)] {
        &self.0
    }
}

impl From<Vec<(Value, Value)>> for Table {
    fn from(pairs: Vec<(Value, Value)>) -> Table {
        Table(pairs)
    }
}

impl<K: Into<Value>, V: Into<Value>> FromIterator<(K, V)> for Table {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Table {
        Table(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<'a> IntoIterator for &'a Table {
    type Item = &'a (Value, Value);
    type IntoIter = std::slice::Iter<'a, (Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
