//! Values and serde: whole within this crate, as ordinary data in other formats.

use std::fmt::{self, Formatter};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use super::{Bytes, Failure, Table, Value, whole};

/// The name of the newtype struct that stands for a [`Value`].
pub(crate) const VALUE: &str = "$moonlet::Value";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(VALUE, &Content(self))
    }
}

struct Content<'a>(&'a Value);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if whole::is_asked() {
            whole::offer(self.0.clone());
            return serializer.serialize_str("");
        }
        match self.0 {
            Value::Nil => serializer.serialize_none(),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::String(bytes) => match bytes.as_str() {
                Some(text) => serializer.serialize_str(text),
                None => serializer.serialize_bytes(bytes),
            },
            Value::Table(table) if is_sequence(table) => {
                let mut elements = serializer.serialize_seq(Some(table.len()))?;
                for (_, value) in table.iter() {
                    elements.serialize_element(value)?;
                }
                elements.end()
            }
            Value::Table(table) => {
                let mut pairs = serializer.serialize_map(Some(table.len()))?;
                for (key, value) in table.iter() {
                    pairs.serialize_entry(key, value)?;
                }
                pairs.end()
            }
            Value::Error(failure) => {
                let mut fields = serializer.serialize_struct("Failure", 4)?;
                fields.serialize_field("kind", failure.kind().as_str())?;
                fields.serialize_field("message", &failure.message())?;
                fields.serialize_field("retryable", &failure.retryable())?;
                fields.serialize_field("details", failure.details())?;
                fields.end()
            }
        }
    }
}

/// Whether the keys are 1, 2, 3 and so on, in this order, and there is one.
fn is_sequence(table: &Table) -> bool {
    let mut positions = table.iter().zip(1_i64..);
    !table.is_empty() && positions.all(|((key, _), position)| *key == Value::Integer(position))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a value of Lua")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, content: D) -> Result<Value, D::Error> {
        content.deserialize_any(AnyValue)
    }

    /// The end of a hand-over within this crate, or an absent value.
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(whole::take().unwrap_or_default())
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, content: D) -> Result<Value, D::Error> {
        content.deserialize_any(AnyValue)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// A number beyond Lua's integers becomes a float.
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::sequence(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        while let Some(pair) = entries.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Table(Arc::new(pairs.into())))
    }
}

/// As the table `{kind, message, retryable, details}`; within this crate as the error itself.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value::from(self.clone()).serialize(serializer)
    }
}

/// As a byte string.
impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_byte_buf(ByteString)
    }
}

struct ByteString;

impl Visitor<'_> for ByteString {
    type Value = Bytes;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(bytes.into())
    }
}
