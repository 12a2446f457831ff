//! Encodes values of a Lua stack into a [`Payload`].
//!
//! Tables are read without metamethods. The traversal is recursive; its depth is bounded by
//! [`DEPTH_MAX`], which takes far less than the native stack. A value that cannot be sent ends the
//! traversal with its type and the path to it, and nothing is sent.

use std::collections::HashMap;
use std::ffi::c_void;

use super::{Payload, SHARE_BYTES, tag};
use crate::depth::DEPTH_MAX;
use crate::shared_bytes::SharedBytes;
use crate::vm::lua::error_object::{Flags, USER_VALUES};
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{self, UserdataKind};

/// Maximum number of tables in one value that are searched linearly; with more, a map is used.
const SCAN_MAX: usize = 16;

/// The reason why a value cannot be sent.
#[derive(Debug)]
pub(crate) struct Unsendable {
    /// The type of the value; empty if the nesting is too deep.
    what: &'static str,
    /// Keys from the innermost table outwards.
    path: Vec<String>,
}

impl Unsendable {
    pub(crate) fn message(&self) -> String {
        if self.what.is_empty() {
            return "payload nesting too deep".to_owned();
        }
        if self.path.is_empty() {
            return format!("cannot send a {}", self.what);
        }
        let path: String = self.path.iter().rev().map(String::as_str).collect();
        format!("cannot send a {} (at {path})", self.what)
    }
}

/// Encodes the values from index `first` to the top of the stack.
pub(crate) fn encode(stack: Stack, first: i32) -> Result<Payload, Unsendable> {
    let mut payload = Payload::default();
    encode_into(&mut payload, stack, first)?;
    Ok(payload)
}

/// Does the same as [`encode`], into an empty payload in its final place. After an error the
/// payload holds part of the values.
#[inline]
pub(crate) fn encode_into(
    payload: &mut Payload,
    stack: Stack,
    first: i32,
) -> Result<(), Unsendable> {
    let top = stack.top();
    // One integer is the most common content; this check takes the fewest calls.
    if top == first && stack.is_integer(first) {
        payload.set_integer(stack.integer(first).unwrap_or_default());
        return Ok(());
    }
    if top == first && stack.kind(first) == Type::Number {
        payload.set_float(stack.number(first).unwrap_or_default());
        return Ok(());
    }
    encode_values(payload, stack, first, top)
}

/// Appends the value at an index to a payload that does not consist of one number.
pub(super) fn append(payload: &mut Payload, stack: Stack, index: i32) -> Result<(), Unsendable> {
    encode_values(payload, stack, index, index)
}

fn encode_values(
    payload: &mut Payload,
    stack: Stack,
    first: i32,
    last: i32,
) -> Result<(), Unsendable> {
    let mut encoder = Encoder { stack, payload, tables: Vec::new(), index: None };
    for position in first..=last {
        encoder.value(position, 0)?;
        encoder.payload.count += 1;
        // Table numbers are valid only within one value.
        encoder.tables.clear();
        encoder.index = None;
    }
    Ok(())
}

struct Encoder<'a> {
    stack: Stack,
    payload: &'a mut Payload,
    /// The tables of the current value, in the order of their numbers.
    tables: Vec<*const c_void>,
    /// The same as a map, created when there are more than [`SCAN_MAX`] tables.
    index: Option<HashMap<*const c_void, u32>>,
}

impl Encoder<'_> {
    /// Appends one value; leaves the stack unchanged, also after an error.
    fn value(&mut self, position: i32, depth: usize) -> Result<(), Unsendable> {
        match self.stack.kind(position) {
            Type::None | Type::Nil => self.payload.push_byte(tag::NIL),
            Type::Boolean if self.stack.boolean(position) => self.payload.push_byte(tag::TRUE),
            Type::Boolean => self.payload.push_byte(tag::FALSE),
            Type::Number => self.number(position),
            Type::String => self.string(position),
            Type::Table => return self.table(position, depth),
            Type::Userdata => return self.userdata(position, depth),
            other => return Err(unsendable(other.name())),
        }
        Ok(())
    }

    fn number(&mut self, position: i32) {
        if self.stack.is_integer(position) {
            let value = self.stack.integer(position).unwrap_or_default();
            self.payload.push_long(tag::INTEGER, value as u64);
        } else {
            let value = self.stack.number(position).unwrap_or_default();
            self.payload.push_long(tag::FLOAT, value.to_bits());
        }
    }

    fn string(&mut self, position: i32) {
        let bytes = self.stack.string(position).unwrap_or_default();
        if bytes.len() < SHARE_BYTES {
            self.payload.push_bytes(bytes);
            return;
        }
        let known = self.stack.control().external(bytes.as_ptr());
        self.payload.push_shared(known.unwrap_or_else(|| SharedBytes::new(bytes)));
    }

    /// Returns the number of a table that already occurred in this value; otherwise records the
    /// table and returns `None`.
    fn number_of(&mut self, address: *const c_void) -> Option<u32> {
        if self.tables.len() > SCAN_MAX {
            let numbered = || self.tables.iter().copied().zip(0..).collect();
            let index = self.index.get_or_insert_with(numbered);
            if let Some(number) = index.get(&address) {
                return Some(*number);
            }
            index.insert(address, self.tables.len() as u32);
        } else if let Some(number) = self.tables.iter().position(|table| *table == address) {
            return Some(number as u32);
        }
        self.tables.push(address);
        None
    }

    fn table(&mut self, position: i32, depth: usize) -> Result<(), Unsendable> {
        if let Some(number) = self.number_of(self.stack.address(position)) {
            self.payload.push_word(tag::REFERENCE, number);
            self.payload.has_references = true;
            return Ok(());
        }
        if depth >= DEPTH_MAX || !self.stack.reserve(4) {
            return Err(unsendable(""));
        }
        let counts = self.payload.push_table();
        let (mut elements, mut pairs) = (0_u32, 0_u32);
        let table = self.stack.absolute(position);
        self.stack.push_nil();
        while self.stack.next(table) {
            // The key is at -2, the value at -1. Lua traverses the elements first, in order.
            let is_element = pairs == 0
                && self.stack.is_integer(-2)
                && self.stack.integer(-2) == Some(i64::from(elements) + 1);
            if is_element {
                elements += 1;
            } else {
                pairs += 1;
                self.key(depth).map_err(|error| self.at_key(error))?;
            }
            let value = self.stack.absolute(-1);
            self.value(value, depth + 1).map_err(|error| self.at_value(error))?;
            self.stack.pop(1);
        }
        self.payload.patch_counts(counts, elements, pairs);
        Ok(())
    }

    fn key(&mut self, depth: usize) -> Result<(), Unsendable> {
        // Encodes a copy: converting a number to a string would change the key during the
        // traversal.
        self.stack.push_value(-2);
        let key = self.stack.absolute(-1);
        let result = self.value(key, depth + 1);
        self.stack.pop(1);
        result
    }

    /// Adds the position of an unsendable key to the path, and pops the pair.
    fn at_key(&self, mut error: Unsendable) -> Unsendable {
        error.path.push("[key]".to_owned());
        self.stack.pop(2);
        error
    }

    /// Adds the key of an unsendable value to the path, and pops the pair.
    fn at_value(&self, mut error: Unsendable) -> Unsendable {
        error.path.push(self.segment(self.stack.top() - 1));
        self.stack.pop(2);
        error
    }

    fn segment(&self, key: i32) -> String {
        match self.stack.kind(key) {
            Type::Number => {
                self.stack.push_value(key);
                let text = self.stack.string(-1).map(String::from_utf8_lossy).unwrap_or_default();
                let segment = format!("[{text}]");
                self.stack.pop(1);
                segment
            }
            Type::String => {
                let text = self.stack.string(key).unwrap_or_default();
                let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
                format!(".{text}")
            }
            other => format!("[{}]", other.name()),
        }
    }

    fn userdata(&mut self, position: i32, depth: usize) -> Result<(), Unsendable> {
        let Some(flags) = userdata::get::<Flags>(self.stack, position, UserdataKind::Error) else {
            return Err(unsendable(userdata::name_of(self.stack, position)));
        };
        if depth >= DEPTH_MAX || !self.stack.reserve(4) {
            return Err(unsendable(""));
        }
        self.payload.has_errors = true;
        self.payload.push_byte(tag::ERROR);
        self.payload.push_byte(flags.retryable_byte());
        for user_value in USER_VALUES {
            self.stack.push_user_value(position, user_value);
            let field = self.stack.absolute(-1);
            let result = self.value(field, depth + 1);
            self.stack.pop(1);
            result?;
        }
        Ok(())
    }
}

fn unsendable(what: &'static str) -> Unsendable {
    Unsendable { what, path: Vec::new() }
}
