//! Encodes Rust values by serde.
//!
//! At the top a tuple or an array is a list of values, the unit `()` an empty one, and anything else
//! one value. `IntoPayload` has the mapping of types.

mod results;

use serde::Serialize;
use serde::ser::{self, Serializer};

use super::PAYLOAD;
use super::Payload;
use super::coding_error::{EncodeError, field, index};
use super::encoder::{Encoder, OpenTable};
use crate::value::serde::VALUE;
use crate::value::{Value, whole};
pub(super) use results::push;

type Result<T = ()> = std::result::Result<T, EncodeError>;

pub(super) fn to_payload<T: Serialize + ?Sized>(values: &T) -> Result<Payload> {
    let mut payload = Payload::default();
    let mut encoder = Encoder::new(&mut payload);
    let mut list = None;
    values.serialize(One { encoder: &mut encoder, depth: 0, list: Some(&mut list) })?;
    match list {
        None => encoder.end_value(),
        Some(List::Values) => {}
        Some(List::Payload(whole)) => payload = whole,
    }
    Ok(payload)
}

/// What is not one value at the top.
enum List {
    /// The values of a tuple, or none.
    Values,
    /// Values that are encoded already.
    Payload(Payload),
}

/// One value inside of `depth` tables.
struct One<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    depth: usize,
    /// At the top: set to what is not one value.
    list: Option<&'e mut Option<List>>,
}

impl<'e, 'a> One<'e, 'a> {
    fn begin(self) -> Result<Fields<'e, 'a>> {
        Fields::begin(self.encoder, self.depth, None)
    }

    /// A table with one pair, whose value is the content of an enum's variant.
    fn begin_variant(self, variant: &str) -> Result<Fields<'e, 'a>> {
        let outer = self.encoder.begin_table(self.depth)?;
        self.encoder.bytes(variant.as_bytes());
        Fields::begin(self.encoder, self.depth + 1, Some(outer))
    }

    fn integer<N: TryInto<i64> + Copy + std::fmt::Display>(self, number: N) -> Result {
        let too_large =
            |_| EncodeError::new(format_args!("{number} does not fit into an integer of Lua"));
        self.encoder.integer(number.try_into().map_err(too_large)?);
        Ok(())
    }
}

/// A table that is being filled.
struct Fields<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    depth: usize,
    /// `None` for the list of values at the top.
    table: Option<OpenTable>,
    elements: u32,
    pairs: u32,
    /// Where the last key of a map was appended.
    key_at: usize,
    /// The table of an enum's variant, which has this one as its only value.
    outer: Option<OpenTable>,
}

impl<'e, 'a> Fields<'e, 'a> {
    fn begin(encoder: &'e mut Encoder<'a>, depth: usize, outer: Option<OpenTable>) -> Result<Self> {
        let table = Some(encoder.begin_table(depth)?);
        Ok(Fields { encoder, depth, table, elements: 0, pairs: 0, key_at: 0, outer })
    }

    fn inner(&mut self) -> One<'_, 'a> {
        One { encoder: &mut *self.encoder, depth: self.depth + 1, list: None }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.elements += 1;
        let position = self.elements;
        if self.table.is_some() {
            return value.serialize(self.inner()).map_err(|error| error.at(index(position)));
        }
        let one = One { encoder: &mut *self.encoder, depth: 0, list: None };
        value.serialize(one).map_err(|error| error.at(format!("value {position}")))?;
        self.encoder.end_value();
        Ok(())
    }

    fn pair<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result {
        self.pairs += 1;
        self.encoder.bytes(key.as_bytes());
        value.serialize(self.inner()).map_err(|error| error.at(field(key)))
    }

    fn close(self) -> Result {
        if let Some(table) = self.table {
            self.encoder.end_table(table, self.elements, self.pairs);
        }
        if let Some(outer) = self.outer {
            self.encoder.end_table(outer, 0, 1);
        }
        Ok(())
    }
}

impl<'e, 'a> Serializer for One<'e, 'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Fields<'e, 'a>;
    type SerializeTuple = Fields<'e, 'a>;
    type SerializeTupleStruct = Fields<'e, 'a>;
    type SerializeTupleVariant = Fields<'e, 'a>;
    type SerializeMap = Fields<'e, 'a>;
    type SerializeStruct = Fields<'e, 'a>;
    type SerializeStructVariant = Fields<'e, 'a>;

    fn serialize_bool(self, value: bool) -> Result {
        self.encoder.boolean(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result {
        self.integer(value)
    }

    fn serialize_i16(self, value: i16) -> Result {
        self.integer(value)
    }

    fn serialize_i32(self, value: i32) -> Result {
        self.integer(value)
    }

    fn serialize_i64(self, value: i64) -> Result {
        self.integer(value)
    }

    fn serialize_i128(self, value: i128) -> Result {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result {
        self.integer(value)
    }

    fn serialize_u16(self, value: u16) -> Result {
        self.integer(value)
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.integer(value)
    }

    fn serialize_u64(self, value: u64) -> Result {
        self.integer(value)
    }

    fn serialize_u128(self, value: u128) -> Result {
        self.integer(value)
    }

    fn serialize_f32(self, value: f32) -> Result {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.encoder.float(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.encoder.bytes(value);
        Ok(())
    }

    fn serialize_none(self) -> Result {
        self.encoder.nil();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(One { list: None, ..self })
    }

    fn serialize_unit(self) -> Result {
        match self.list {
            Some(list) => *list = Some(List::Values),
            None => self.encoder.nil(),
        }
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        inner: &T,
    ) -> Result {
        if name == VALUE
            && let Some(value) = whole::ask::<Value, T>(inner)
        {
            return self.encoder.value(&value, self.depth);
        }
        if name == PAYLOAD
            && let Some(payload) = whole::ask::<Payload, T>(inner)
        {
            let list = self.list.ok_or_else(|| EncodeError::new("a payload is not a value"))?;
            *list = Some(List::Payload(payload));
            return Ok(());
        }
        inner.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        let mut fields = self.begin()?;
        fields.pair(variant, value)?;
        fields.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Fields<'e, 'a>> {
        self.begin()
    }

    fn serialize_tuple(self, _: usize) -> Result<Fields<'e, 'a>> {
        let One { encoder, depth, list } = self;
        let Some(list) = list else { return Fields::begin(encoder, depth, None) };
        *list = Some(List::Values);
        Ok(Fields { encoder, depth, table: None, elements: 0, pairs: 0, key_at: 0, outer: None })
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'e, 'a>> {
        self.begin()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'e, 'a>> {
        self.begin_variant(variant)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'e, 'a>> {
        self.begin()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'e, 'a>> {
        self.begin()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'e, 'a>> {
        self.begin_variant(variant)
    }
}

macro_rules! elements {
    ($($part:ident, $method:ident;)*) => {$(
        impl ser::$part for Fields<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.element(value)
            }

            fn end(self) -> Result {
                self.close()
            }
        }
    )*};
}

elements! {
    SerializeSeq, serialize_element;
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

macro_rules! pairs {
    ($($part:ident)*) => {$(
        impl ser::$part for Fields<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result {
                self.pair(key, value)
            }

            fn end(self) -> Result {
                self.close()
            }
        }
    )*};
}

pairs!(SerializeStruct SerializeStructVariant);

impl ser::SerializeMap for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        self.pairs += 1;
        self.key_at = self.encoder.position();
        key.serialize(self.inner()).map_err(|error| error.at(index("key")))?;
        self.encoder.check_key(self.key_at)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let result = value.serialize(self.inner());
        result.map_err(|error| error.at(self.encoder.segment_at(self.key_at)))
    }

    fn end(self) -> Result {
        self.close()
    }
}
