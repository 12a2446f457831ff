//! Arguments of native functions, from a Lua stack.

use std::fmt::{self, Display, Formatter};

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::{Decoder, Result};
use crate::payload::direct::Arguments;
use crate::payload::{DecodeError, PAYLOAD, Payload};
use crate::value::serde::VALUE;
use crate::vm::lua::stack::{Stack, Type};

/// Reads all arguments: a tuple takes one after the other, anything else the only one.
#[inline]
pub(in crate::payload) fn from_arguments<T: DeserializeOwned>(arguments: &Arguments) -> Result<T> {
    T::deserialize(All(arguments))
}

struct All<'a>(&'a Arguments);

impl<'a> All<'a> {
    /// The only argument; nil if there is none.
    fn one(self) -> Result<One<'a>> {
        self.0.expect_at_most(1)?;
        Ok(One { arguments: self.0, position: 1 })
    }
}

/// The type of an argument, as Lua calls it, that stands for a request of serde.
macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            let arguments = self.0;
            let result = self.one()?.$method($($argument,)* visitor);
            result.inspect_err(|_| arguments.wrong.set(1))
        }
    )*};
}

impl<'de> Deserializer<'de> for All<'_> {
    type Error = DecodeError;

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        if usize::try_from(self.0.count).is_ok_and(|count| count > len) {
            self.0.expect_at_most(len)?;
        }
        let len = i32::try_from(len).unwrap_or(i32::MAX);
        visitor.visit_seq(List { arguments: self.0, position: 0, len })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == PAYLOAD {
            crate::value::whole::offer(self.0.payload()?);
            return visitor.visit_unit();
        }
        let arguments = self.0;
        let result = self.one()?.deserialize_newtype_struct(name, visitor);
        result.inspect_err(|_| arguments.wrong.set(1))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.0.expect_at_most(0)?;
        visitor.visit_unit()
    }

    forward! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit_struct(name: &'static str)
        deserialize_seq() deserialize_tuple_struct(name: &'static str, len: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}

/// One argument after the other; nil for those that are not there.
struct List<'a> {
    arguments: &'a Arguments,
    position: i32,
    len: i32,
}

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.position == self.len {
            return Ok(None);
        }
        self.position += 1;
        let one = One { arguments: self.arguments, position: self.position };
        match seed.deserialize(one) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.arguments.wrong.set(self.position);
                Err(error)
            }
        }
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.len - self.position).ok()
    }
}

/// One argument.
#[derive(Clone, Copy)]
struct One<'a> {
    arguments: &'a Arguments,
    position: i32,
}

impl One<'_> {
    fn stack(self) -> Stack {
        self.arguments.stack
    }

    fn index(self) -> i32 {
        self.arguments.first + self.position - 1
    }

    fn kind(self) -> Type {
        if self.position > self.arguments.count {
            Type::None
        } else {
            self.stack().kind(self.index())
        }
    }

    #[cold]
    fn unexpected(self, expected: impl Display) -> DecodeError {
        DecodeError::new(format_args!("{expected} expected, got {}", self.kind().name()))
    }

    /// Reads the argument by way of a payload.
    #[inline(never)]
    fn encoded<T>(self, read: impl FnOnce(&mut Decoder<'_>) -> Result<T>) -> Result<T> {
        let mut payload = Payload::default();
        self.arguments.append(&mut payload, self.position)?;
        read(&mut Decoder::new(&payload))
    }
}

/// What a visitor expects.
struct Expected<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> Display for Expected<'_, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if self.kind() != Type::Number {
                return Err(self.unexpected("integer"));
            }
            // A float that equals an integer counts as one.
            match self.stack().integer(self.index()) {
                Some(number) => visitor.visit_i64(number),
                None => Err(DecodeError::new("integer expected, got another number")),
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if self.kind() != Type::String {
                return Err(self.unexpected("string"));
            }
            let bytes = self.stack().string(self.index()).unwrap_or_default();
            match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => visitor.visit_bytes(bytes),
            }
        }
    )*};
}

/// Requests for tables, and for what a table or something else may stand for.
macro_rules! encoded {
    ($($method:ident($($argument:ident: $type:ty),*) $($needed:literal)?)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            $(
                let may_be = [Type::Table, Type::Userdata];
                if !may_be.contains(&self.kind()) {
                    return Err(self.unexpected($needed));
                }
            )?
            if let Type::None | Type::Nil = self.kind() {
                // The visitor decides whether nil will do.
                let expected = Expected(&visitor).to_string();
                let nil = self.encoded(|decoder| decoder.$method($($argument,)* visitor));
                return nil.map_err(|_| self.unexpected(expected));
            }
            self.encoded(|decoder| decoder.$method($($argument,)* visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for One<'_> {
    type Error = DecodeError;

    integers!(
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    );

    texts!(deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf);

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.kind() {
            Type::Boolean => visitor.visit_bool(self.stack().boolean(self.index())),
            _ => Err(self.unexpected("boolean")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.kind() {
            Type::Number => {
                visitor.visit_f64(self.stack().number(self.index()).unwrap_or_default())
            }
            _ => Err(self.unexpected("number")),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.kind() {
            Type::None | Type::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == VALUE {
            return self.encoded(|decoder| decoder.deserialize_newtype_struct(name, visitor));
        }
        visitor.visit_newtype_struct(self)
    }

    encoded! {
        deserialize_any() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_seq() "table" deserialize_tuple(len: usize) "table"
        deserialize_tuple_struct(name: &'static str, len: usize) "table"
        deserialize_map() "table"
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) "table"
    }
}
