//! The whole of a payload: a tuple takes its values, anything else the only one.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::super::{PAYLOAD, tag};
use super::{Decoder, Result};
use crate::payload::DecodeError;
use crate::value::whole;

/// The whole of a payload: a tuple takes its values, anything else the only one.
pub(super) struct Top<'p>(pub(super) Decoder<'p>);

impl<'p> Top<'p> {
    fn one(self) -> Result<Decoder<'p>> {
        let mut decoder = self.0;
        match decoder.payload.count() {
            0 => decoder.reader.bytes = &[tag::NIL],
            1 => {}
            count => return Err(DecodeError::new(format_args!("expected one value, got {count}"))),
        }
        Ok(decoder)
    }
}

/// The values of a payload; nil for those that are not there.
struct TopList<'p> {
    decoder: Decoder<'p>,
    position: usize,
    len: usize,
}

impl<'de> SeqAccess<'de> for TopList<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.position == self.len {
            return Ok(None);
        }
        if self.position >= self.decoder.payload.count() {
            self.decoder.reader.bytes = &[tag::NIL];
        } else if self.position > 0 {
            self.decoder.begin_value();
        }
        self.position += 1;
        let result = seed.deserialize(&mut self.decoder);
        result.map(Some).map_err(|error| error.at(format!("value {}", self.position)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.position)
    }
}

macro_rules! forward_to_one {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            self.one()?.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Top<'_> {
    type Error = DecodeError;

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        let count = self.0.payload.count();
        if count > len {
            let text = format_args!("expected at most {len} values, got {count}");
            return Err(DecodeError::new(text));
        }
        visitor.visit_seq(TopList { decoder: self.0, position: 0, len })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == PAYLOAD {
            whole::offer(self.0.payload.clone());
            return visitor.visit_unit();
        }
        self.one()?.deserialize_newtype_struct(name, visitor)
    }

    forward_to_one! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_seq() deserialize_tuple_struct(name: &'static str, len: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}
