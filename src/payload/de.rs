//! Decodes a payload into Rust values by serde.
//!
//! At the top a tuple or an array takes one value after the other, anything else the only one.
//! `FromPayload` has the mapping of types.

mod arguments;
mod top;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::coding_error::{DecodeError, field, index};
use super::values::{Values, damaged};
use super::{Number, Payload, Reader, tag};
use crate::depth::DEPTH_MAX;
use crate::value::serde::VALUE;
use crate::value::{exact_integer, whole};
pub(super) use arguments::from_arguments;
use top::Top;

type Result<T> = std::result::Result<T, DecodeError>;

/// The most places of a list without a value, for each that has one.
const HOLES_MAX: i64 = 8;

pub(super) fn from_payload<T: DeserializeOwned>(payload: &Payload) -> Result<T> {
    match payload.number() {
        Number::None => T::deserialize(Top(Decoder::new(payload))),
        // A number alone has no bytes in the format.
        _ => T::deserialize(Top(Decoder::new(&payload.spelled_out()))),
    }
}

/// Reads values one after the other.
struct Decoder<'p> {
    payload: &'p Payload,
    reader: Reader<'p>,
    depth: usize,
    values: Values<'p>,
}

impl<'p> Decoder<'p> {
    fn new(payload: &'p Payload) -> Decoder<'p> {
        let values = Values::new(payload);
        let mut decoder = Decoder { payload, reader: payload.reader(), depth: 0, values };
        decoder.begin_value();
        decoder
    }

    /// Prepares for a value at the top.
    fn begin_value(&mut self) {
        self.values.begin(&self.reader);
    }

    fn peek(&self) -> u8 {
        self.reader.bytes.first().copied().unwrap_or(tag::NIL)
    }

    fn byte(&mut self) -> Result<u8> {
        self.reader.byte().ok_or_else(damaged)
    }

    fn word(&mut self) -> Result<u32> {
        self.reader.word().ok_or_else(damaged)
    }

    fn long(&mut self) -> Result<u64> {
        self.reader.long().ok_or_else(damaged)
    }

    fn skip(&mut self) -> Result<()> {
        self.reader.skip(&mut |_| {}).ok_or_else(damaged)
    }

    /// The bytes of a string, whose tag was read.
    fn bytes(&mut self, tag: u8) -> Result<&'p [u8]> {
        if tag == tag::STRING {
            return self.reader.string().ok_or_else(damaged);
        }
        let number = self.word()?;
        Ok(self.payload.shared_at(number).ok_or_else(damaged)?.as_slice())
    }

    fn type_name(&self) -> &'static str {
        match self.peek() {
            tag::NIL => "nil",
            tag::FALSE | tag::TRUE => "boolean",
            tag::INTEGER => "integer",
            tag::FLOAT => "float",
            tag::STRING | tag::SHARED => "string",
            tag::ERROR => "error",
            _ => "table",
        }
    }

    fn unexpected(&self, expected: &str) -> DecodeError {
        DecodeError::new(format_args!("expected {expected}, got {}", self.type_name()))
    }

    /// Goes to where a table begins, if the next value refers to one. Calls `read` behind the table's
    /// tag, with the numbers of its elements and pairs, and goes on behind the value.
    fn with_table<T>(
        &mut self,
        expected: &str,
        read: impl FnOnce(&mut Self, u32, u32) -> Result<T>,
    ) -> Result<T> {
        let mut behind = None;
        if self.peek() == tag::REFERENCE {
            self.byte()?;
            let number = self.word()?;
            behind = Some(self.reader.bytes);
            let at = self.values.offset(number)?;
            self.reader.bytes = &self.payload.bytes[at..];
        }
        if self.peek() != tag::TABLE {
            return Err(self.unexpected(expected));
        }
        if self.depth >= DEPTH_MAX {
            return Err(DecodeError::new("a table contains itself"));
        }
        self.byte()?;
        let (elements, pairs) = (self.word()?, self.word()?);
        self.depth += 1;
        let result = read(self, elements, pairs)?;
        self.depth -= 1;
        if let Some(behind) = behind {
            self.reader.bytes = behind;
        }
        Ok(result)
    }

    /// Reads a table as a list, which may have holes.
    fn list<'de, V: Visitor<'de>>(&mut self, len: Option<usize>, visitor: V) -> Result<V::Value> {
        self.with_table("a list", |this, elements, pairs| {
            let begin = this.reader.bytes;
            for _ in 0..elements {
                this.skip()?;
            }
            let places = this.places(elements, pairs)?;
            let end = this.reader.bytes;
            this.reader.bytes = begin;
            let last = places.last().map_or(elements.into(), |(position, _)| *position);
            let last = last.max(len.unwrap_or_default() as i64);
            let list =
                List { decoder: &mut *this, elements: elements.into(), places, position: 0, last };
            let value = visitor.visit_seq(list)?;
            this.reader.bytes = end;
            Ok(value)
        })
    }

    /// The positions behind the elements, in order, with where their values are.
    fn places(&mut self, elements: u32, pairs: u32) -> Result<Vec<(i64, &'p [u8])>> {
        let no_list = || DecodeError::new("expected a list, got a table with other keys");
        let mut places = Vec::new();
        for _ in 0..pairs {
            if self.peek() != tag::INTEGER {
                return Err(no_list());
            }
            self.byte()?;
            let position = self.long()? as i64;
            places.push((position, self.reader.bytes));
            self.skip()?;
        }
        places.sort_unstable_by_key(|(position, _)| *position);
        let most = (i64::from(elements) + i64::from(pairs)) * HOLES_MAX;
        let is_list = places.iter().all(|(position, _)| (1..=most).contains(position));
        if is_list { Ok(places) } else { Err(no_list()) }
    }
}

/// The elements of a list, by position; nil in a hole.
struct List<'d, 'p> {
    decoder: &'d mut Decoder<'p>,
    elements: i64,
    places: Vec<(i64, &'p [u8])>,
    position: i64,
    last: i64,
}

impl<'de> SeqAccess<'de> for List<'_, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.position >= self.last {
            return Ok(None);
        }
        self.position += 1;
        let position = self.position;
        if position > self.elements {
            let place = self.places.binary_search_by_key(&position, |(position, _)| *position);
            self.decoder.reader.bytes = place.map_or(&[tag::NIL][..], |place| self.places[place].1);
        }
        seed.deserialize(&mut *self.decoder).map(Some).map_err(|error| error.at(index(position)))
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.last - self.position).ok()
    }
}

/// The pairs of a table, its elements with their positions first.
struct Pairs<'d, 'p> {
    decoder: &'d mut Decoder<'p>,
    elements: u32,
    position: u32,
    pairs: u32,
    /// The last key, for errors.
    key: String,
}

impl<'de> MapAccess<'de> for Pairs<'_, '_> {
    type Error = DecodeError;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.position < self.elements {
            self.position += 1;
            self.key = index(self.position);
            return seed.deserialize(i64::from(self.position).into_deserializer()).map(Some);
        }
        if self.pairs == 0 {
            return Ok(None);
        }
        self.pairs -= 1;
        self.key = match self.decoder.peek() {
            tag @ (tag::STRING | tag::SHARED) => {
                let begin = self.decoder.reader.bytes;
                self.decoder.byte()?;
                let text = field(&String::from_utf8_lossy(self.decoder.bytes(tag)?));
                self.decoder.reader.bytes = begin;
                text
            }
            _ => index("key"),
        };
        seed.deserialize(&mut *self.decoder).map(Some).map_err(|error| error.at(index("key")))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let result = seed.deserialize(&mut *self.decoder);
        result.map_err(|error| error.at(std::mem::take(&mut self.key)))
    }
}

/// The variant of an enum and its content; nil for a unit variant that is a text.
struct Variant<'d, 'p> {
    decoder: &'d mut Decoder<'p>,
    has_content: bool,
}

impl<'d, 'de, 'p> EnumAccess<'de> for Variant<'d, 'p> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self)> {
        let name = seed.deserialize(&mut *self.decoder)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<()> {
        if self.has_content { self.decoder.skip() } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        self.content()?;
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.content()?;
        self.decoder.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.content()?;
        self.decoder.deserialize_struct("", fields, visitor)
    }
}

impl Variant<'_, '_> {
    fn content(&self) -> Result<()> {
        let missing = || DecodeError::new("expected a variant with content, got its name alone");
        if self.has_content { Ok(()) } else { Err(missing()) }
    }
}

/// Forwards requests for integers: a float that equals one counts as one.
macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if self.peek() == tag::FLOAT {
                let begin = self.reader.bytes;
                self.byte()?;
                if let Some(number) = exact_integer(f64::from_bits(self.long()?)) {
                    return visitor.visit_i64(number);
                }
                self.reader.bytes = begin;
            }
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            tag::TABLE | tag::REFERENCE => self.any_table(visitor),
            tag::ERROR => self.error(visitor),
            _ => self.scalar(visitor),
        }
    }

    integers!(
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    );

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == tag::NIL {
            self.skip()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name != VALUE {
            return visitor.visit_newtype_struct(self);
        }
        let value = self.values.value(&mut self.reader)?;
        whole::offer(value);
        visitor.visit_unit()
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.list(None, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.list(Some(len), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.list(Some(len), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == tag::ERROR {
            return self.error(visitor);
        }
        self.with_table("a table", |decoder, elements, pairs| {
            let key = String::new();
            visitor.visit_map(Pairs { decoder, elements, position: 0, pairs, key })
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if let tag::STRING | tag::SHARED = self.peek() {
            return visitor.visit_enum(Variant { decoder: self, has_content: false });
        }
        self.with_table("the name of a variant, or a table with one", |decoder, elements, pairs| {
            if (elements, pairs) != (0, 1) {
                return Err(DecodeError::new(
                    "expected a table with one key, the name of a variant",
                ));
            }
            visitor.visit_enum(Variant { decoder, has_content: true })
        })
    }

    /// Names of fields and variants are texts; no number stands for one.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            tag::STRING | tag::SHARED => self.scalar(visitor),
            other => {
                self.skip()?;
                StrDeserializer::<DecodeError>::new(if other == tag::NIL { "nil" } else { "[key]" })
                    .deserialize_any(visitor)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool f32 f64 char str string bytes byte_buf unit unit_struct
    }
}

impl Decoder<'_> {
    fn scalar<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.byte()? {
            tag::NIL => visitor.visit_unit(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::INTEGER => visitor.visit_i64(self.long()? as i64),
            tag::FLOAT => visitor.visit_f64(f64::from_bits(self.long()?)),
            tag @ (tag::STRING | tag::SHARED) => {
                let bytes = self.bytes(tag)?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => visitor.visit_str(text),
                    Err(_) => visitor.visit_bytes(bytes),
                }
            }
            _ => Err(damaged()),
        }
    }

    /// A table is a list if it has elements and nothing else.
    fn any_table<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let begin = self.reader.bytes;
        let is_list =
            self.with_table("a table", |_, elements, pairs| Ok(elements > 0 && pairs == 0))?;
        self.reader.bytes = begin;
        if is_list { self.list(None, visitor) } else { (&mut *self).deserialize_map(visitor) }
    }

    /// An error, as the table `{kind, message, retryable, details}`.
    fn error<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let value = self.values.value(&mut self.reader)?;
        let failure = value.as_error().ok_or_else(damaged)?;
        let fields = [
            ("kind", failure.kind().as_str().into()),
            ("message", crate::value::Value::String(failure.message.clone())),
            ("retryable", failure.retryable().into()),
            ("details", failure.details().clone()),
        ];
        let payload = Payload::from_values(&[crate::value::Value::table(fields)])
            .map_err(DecodeError::new)?;
        Decoder::new(&payload).deserialize_map(visitor)
    }
}
