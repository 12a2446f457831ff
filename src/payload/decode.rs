//! Decodes a [`Payload`] onto a Lua stack.
//!
//! The payload is owned by the process, not by this frame. The functions called here can at most
//! run the collector and never raise, so no value is lost half-way (V2).

use super::{Number, Payload, Reader, tag};
use crate::vm::lua::error_object::{self, Flags, USER_VALUES};
use crate::vm::lua::stack::Stack;

/// Pushes all values; returns their number, or `None` if the stack cannot hold them.
pub(crate) fn push_all(stack: Stack, payload: &Payload) -> Option<i32> {
    if push_number(stack, payload) {
        return Some(1);
    }
    let count = i32::try_from(payload.count()).ok()?;
    if !stack.reserve(count.checked_add(8)?) {
        return None;
    }
    let mut reader = payload.reader();
    for _ in 0..count {
        push_value(stack, payload, &mut reader)?;
    }
    Some(count)
}

/// Pushes exactly one value: nil for an empty payload, the value itself for one value, and a table
/// of all values for more.
pub(crate) fn push_one(stack: Stack, payload: &Payload) -> Option<()> {
    if push_number(stack, payload) {
        return Some(());
    }
    let mut reader = payload.reader();
    match payload.count() {
        0 => stack.push_nil(),
        1 => push_value(stack, payload, &mut reader)?,
        count => {
            stack.push_table(count, 0);
            for index in 1..=count {
                push_value(stack, payload, &mut reader)?;
                stack.raw_set_index(-2, index as i64);
            }
        }
    }
    Some(())
}

/// Pushes the value of a payload that is one number; returns false for other payloads.
fn push_number(stack: Stack, payload: &Payload) -> bool {
    match payload.number() {
        Number::None => return false,
        Number::Integer(value) => stack.push_integer(value),
        Number::Float(value) => stack.push_number(value),
    }
    true
}

fn push_value(stack: Stack, payload: &Payload, reader: &mut Reader<'_>) -> Option<()> {
    if !payload.has_references {
        return Decoder { stack, payload, known: 0, tables: 0 }.value(reader);
    }
    // A table of the tables decoded so far, by number, below the value on the stack.
    stack.push_table(0, 0);
    let known = stack.top();
    Decoder { stack, payload, known, tables: 0 }.value(reader)?;
    stack.remove(known);
    Some(())
}

struct Decoder<'a> {
    stack: Stack,
    payload: &'a Payload,
    /// Stack index of the table of decoded tables; 0 if the payload has no references.
    known: i32,
    tables: i64,
}

impl Decoder<'_> {
    /// Pushes one value.
    fn value(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.byte()? {
            tag::NIL => self.stack.push_nil(),
            tag::FALSE => self.stack.push_boolean(false),
            tag::TRUE => self.stack.push_boolean(true),
            tag::INTEGER => self.stack.push_integer(reader.long()? as i64),
            tag::FLOAT => self.stack.push_number(f64::from_bits(reader.long()?)),
            tag::STRING => self.stack.push_string(reader.string()?),
            tag::SHARED => self.stack.push_shared(self.payload.shared_at(reader.word()?)?),
            tag::TABLE => return self.table(reader),
            tag::REFERENCE => {
                let number = i64::from(reader.word()?) + 1;
                self.stack.raw_get_index(self.known, number);
            }
            tag::ERROR => return self.error(reader),
            _ => return None,
        }
        Some(())
    }

    fn table(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (elements, pairs) = (reader.word()?, reader.word()?);
        if !self.stack.reserve(4) {
            return None;
        }
        self.stack.push_table(elements as usize, pairs as usize);
        self.tables += 1;
        if self.known != 0 {
            self.stack.push_value(-1);
            self.stack.raw_set_index(self.known, self.tables);
        }
        for index in 1..=i64::from(elements) {
            self.value(reader)?;
            self.stack.raw_set_index(-2, index);
        }
        for _ in 0..pairs {
            self.value(reader)?;
            self.value(reader)?;
            self.stack.raw_set(-3);
        }
        Some(())
    }

    fn error(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let flags = Flags::from_retryable_byte(reader.byte()?);
        if !self.stack.reserve(6) {
            return None;
        }
        error_object::push_empty(self.stack, flags);
        for user_value in USER_VALUES {
            self.value(reader)?;
            self.stack.set_user_value(-2, user_value);
        }
        Some(())
    }
}
