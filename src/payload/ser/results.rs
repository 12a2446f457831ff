//! Results of native functions, pushed onto a Lua stack: numbers, booleans and texts, alone or in a
//! tuple. Anything else is [`Other`], and goes by way of a payload.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde::ser::{self, Impossible, SerializeTuple, Serializer};

use crate::payload::PAYLOAD;
use crate::value::serde::VALUE;
use crate::vm::lua::stack::Stack;

/// The most values of a tuple that are pushed without asking for room: an API function has 20 free
/// slots.
const VALUES_MAX: usize = 12;

/// Pushes the value, or the values of a tuple, and returns their number. `None` if the payload must be
/// used; then some values may have been pushed.
#[inline]
pub(in crate::payload) fn push<T: Serialize>(value: &T, stack: Stack) -> Option<i32> {
    value.serialize(Push { stack, is_top: true }).ok()
}

/// A value that needs a payload.
#[derive(Debug)]
struct Other;

impl Display for Other {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("not a plain value")
    }
}

impl std::error::Error for Other {}

impl ser::Error for Other {
    fn custom<T: Display>(_: T) -> Other {
        Other
    }
}

type Result = std::result::Result<i32, Other>;

#[derive(Clone, Copy)]
struct Push {
    stack: Stack,
    is_top: bool,
}

impl Push {
    fn integer<N: TryInto<i64>>(self, number: N) -> Result {
        self.stack.push_integer(number.try_into().map_err(|_| Other)?);
        Ok(1)
    }
}

/// The values of a tuple.
struct Values {
    stack: Stack,
    count: i32,
}

impl SerializeTuple for Values {
    type Ok = i32;
    type Error = Other;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> std::result::Result<(), Other> {
        self.count += value.serialize(Push { stack: self.stack, is_top: false })?;
        Ok(())
    }

    #[inline]
    fn end(self) -> Result {
        Ok(self.count)
    }
}

macro_rules! integers {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result {
            self.integer(value)
        }
    )*};
}

impl Serializer for Push {
    type Ok = i32;
    type Error = Other;
    type SerializeSeq = Impossible<i32, Other>;
    type SerializeTuple = Values;
    type SerializeTupleStruct = Impossible<i32, Other>;
    type SerializeTupleVariant = Impossible<i32, Other>;
    type SerializeMap = Impossible<i32, Other>;
    type SerializeStruct = Impossible<i32, Other>;
    type SerializeStructVariant = Impossible<i32, Other>;

    integers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32)
        serialize_u64(u64) serialize_u128(u128)
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result {
        self.stack.push_boolean(value);
        Ok(1)
    }

    fn serialize_f32(self, value: f32) -> Result {
        self.serialize_f64(value.into())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result {
        self.stack.push_number(value);
        Ok(1)
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.stack.push_string(value);
        Ok(1)
    }

    #[inline]
    fn serialize_none(self) -> Result {
        self.stack.push_nil();
        Ok(1)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(Push { is_top: false, ..self })
    }

    /// At the top, `()` is no value.
    #[inline]
    fn serialize_unit(self) -> Result {
        if self.is_top { Ok(0) } else { self.serialize_none() }
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
        value: &T,
    ) -> Result {
        if name == VALUE || name == PAYLOAD {
            return Err(Other);
        }
        value.serialize(Push { is_top: false, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result {
        Err(Other)
    }

    fn serialize_seq(self, _: Option<usize>) -> std::result::Result<Self::SerializeSeq, Other> {
        Err(Other)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> std::result::Result<Values, Other> {
        if !self.is_top || len > VALUES_MAX {
            return Err(Other);
        }
        Ok(Values { stack: self.stack, count: 0 })
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> std::result::Result<Self::SerializeTupleStruct, Other> {
        Err(Other)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> std::result::Result<Self::SerializeTupleVariant, Other> {
        Err(Other)
    }

    fn serialize_map(self, _: Option<usize>) -> std::result::Result<Self::SerializeMap, Other> {
        Err(Other)
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> std::result::Result<Self::SerializeStruct, Other> {
        Err(Other)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> std::result::Result<Self::SerializeStructVariant, Other> {
        Err(Other)
    }
}
