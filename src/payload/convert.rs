//! Rust values into payloads and back: the written mapping.

use std::fmt::{self, Debug, Formatter};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};
use serde::ser::{self, Serialize, Serializer};

use super::coding_error::{DecodeError, EncodeError};
use super::direct::{self, Arguments, Results};
use super::encoder::Encoder;
use super::values::to_values;
use super::{Payload, de, ser as encoding};
use crate::value::{Value, whole};

/// The name of the newtype struct that stands for a [`Payload`].
pub(super) const PAYLOAD: &str = "$moonlet::Payload";

/// What can be sent to a process: everything that serde can serialize.
///
/// A tuple or an array is a *list of values*: the arguments of a main, or the values of a message.
/// `()` is an empty list, and anything else is one value; `(order,)` and `order` mean the same.
/// Inside of a value:
///
/// | Rust | Lua |
/// |---|---|
/// | `bool`; integers; `f32`, `f64` | boolean; integer; float. An integer beyond 64 bits with sign is an error |
/// | `char`, `str`, `String` | string |
/// | [`Bytes`](crate::Bytes), `serde_bytes` | string. A `Vec<u8>` is a sequence of integers |
/// | `None`, `()`, unit structs | nil, which leaves a hole in a sequence and no key in a table |
/// | `Some(x)`, newtype structs | as `x` |
/// | sequences, tuples, tuple structs | table with the keys 1, 2, 3 and so on |
/// | maps, structs | table. A key that is nil or not-a-number is an error |
/// | unit variants | string, the name of the variant |
/// | other variants | table with one key, the name of the variant |
/// | [`Value`], [`Failure`](crate::Failure) | as they are: shared tables stay shared, errors stay errors |
/// | [`Payload`] | its values, at the top only |
///
/// Tables can be nested 200 deep.
///
/// ```
/// use moonlet::{IntoPayload, value};
/// #[derive(serde::Serialize)]
/// struct Order { sku: &'static str, count: u32 }
/// let payload = ("place", Order { sku: "A-12", count: 3 }).into_payload()?;
/// assert_eq!(payload.values()?, [value!("place"), value!({ sku = "A-12", count = 3 })]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoPayload {
    /// Encodes the values.
    ///
    /// # Errors
    /// A number, a key or the nesting is not possible in Lua; the error says where.
    fn into_payload(self) -> Result<Payload, EncodeError>;

    /// Pushes the values as results of a native function.
    #[doc(hidden)]
    fn into_results(self, results: &mut Results) -> Result<(), EncodeError>
    where
        Self: Sized,
    {
        results.push(&self.into_payload()?)
    }
}

impl<T: Serialize> IntoPayload for T {
    fn into_payload(self) -> Result<Payload, EncodeError> {
        encoding::to_payload(&self)
    }

    #[inline]
    fn into_results(self, results: &mut Results) -> Result<(), EncodeError> {
        direct::write(self, results)
    }
}

/// What can be read from a process: everything that serde can deserialize.
///
/// The mapping is that of [`IntoPayload`], read backwards. A tuple or an array takes one value after
/// the other, with nil for those that are not there; anything else takes the only value. Moreover:
///
/// - An integer is read from a float that equals one.
/// - A list is read from a table whose keys are positions. A hole is nil, which `Option` takes; a list
///   with eight times as many holes as values is an error.
/// - A table with elements and nothing else is a sequence where the Rust type does not say which, such
///   as in `serde_json::Value`; an empty table is a map.
/// - Fields of a struct are looked up by name; others are ignored.
/// - An error is a table with the keys `kind`, `message`, `retryable` and `details`, unless it is read
///   as a [`Value`].
///
/// ```
/// use moonlet::{IntoPayload, value};
/// let payload = ("total", value!({ cents = 1250, tags = ["new"] })).into_payload()?;
/// #[derive(serde::Deserialize)]
/// struct Total { cents: i64, tags: Vec<String>, note: Option<String> }
/// let (name, total): (String, Total) = payload.decode()?;
/// assert_eq!((name.as_str(), total.cents, total.tags.len(), total.note), ("total", 1250, 1, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FromPayload: Sized {
    /// Decodes the values.
    ///
    /// # Errors
    /// The values are of other types; the error says where.
    fn from_payload(payload: &Payload) -> Result<Self, DecodeError>;

    /// Reads the values from the arguments of a native function.
    #[doc(hidden)]
    fn from_arguments(arguments: &Arguments) -> Result<Self, DecodeError> {
        Self::from_payload(&arguments.payload()?)
    }
}

impl<T: DeserializeOwned> FromPayload for T {
    fn from_payload(payload: &Payload) -> Result<T, DecodeError> {
        de::from_payload(payload)
    }

    #[inline]
    fn from_arguments(arguments: &Arguments) -> Result<T, DecodeError> {
        direct::read(arguments)
    }
}

impl Payload {
    /// Decodes the values as a Rust type; see [`FromPayload`].
    ///
    /// # Errors
    /// The values are of other types; the error says where.
    pub fn decode<T: FromPayload>(&self) -> Result<T, DecodeError> {
        T::from_payload(self)
    }

    /// Encodes values one after the other, as the arguments of a call or the values of a message.
    /// (A slice that is given as [`IntoPayload`] is one value, a table.)
    ///
    /// ```
    /// use moonlet::{IntoPayload, Payload, Value, value};
    /// let words: Vec<Value> = "to be or".split(' ').map(Value::from).collect();
    /// assert_eq!(Payload::from_values(&words)?.values()?, words);
    /// assert_eq!(words.into_payload()?.values()?, [value!(["to", "be", "or"])]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A table is nested too deeply, or has a key that no table of Lua has; the error says where.
    pub fn from_values(values: &[Value]) -> Result<Payload, EncodeError> {
        let mut payload = Payload::default();
        let mut encoder = Encoder::new(&mut payload);
        for value in values {
            encoder.value(value, 0)?;
            encoder.end_value();
        }
        Ok(payload)
    }

    /// Returns the values.
    ///
    /// # Errors
    /// A table contains itself, which a [`Value`] cannot. The payload can be sent on as it is.
    pub fn values(&self) -> Result<Vec<Value>, DecodeError> {
        to_values(self)
    }

    /// Returns the first value; `Nil` if there is none.
    ///
    /// # Errors
    /// As for [`Payload::values`].
    pub fn value(&self) -> Result<Value, DecodeError> {
        Ok(self.values()?.into_iter().next().unwrap_or_default())
    }
}

impl Debug for Payload {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.values() {
            Ok(values) => f.debug_list().entries(values).finish(),
            Err(error) => write!(f, "[{error}]"),
        }
    }
}

/// Within this crate only: a payload is no data of other formats.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(PAYLOAD, &Content(self))
    }
}

struct Content<'a>(&'a Payload);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if whole::is_asked() {
            whole::offer(self.0.clone());
            return serializer.serialize_str("");
        }
        Err(ser::Error::custom("a payload is sent as a whole, not as a part of other data"))
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        deserializer.deserialize_newtype_struct(PAYLOAD, Whole)
    }
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = Payload;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the whole of a payload")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Payload, E> {
        whole::take().ok_or_else(|| E::custom("a payload is read as a whole"))
    }
}
