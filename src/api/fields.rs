//! Reading the fields of a log line: values of any kind and shape, without running Lua code.
//!
//! Tables are walked raw, no metamethod is called, so a logger call cannot fail, wait or be
//! answered by the script. What a line shows of a table is bounded: its depth, its entries, its
//! length.

use std::collections::BTreeSet;

use super::caller::Caller;
use super::time;
use crate::output::{CUT, Field, LogFormat};
use crate::vm::error_object::{self, MESSAGE};
use crate::vm::stack::Type;
use crate::vm::userdata::{self, Kind};

/// Tables inside of tables that are shown.
const DEPTH_MAX: usize = 4;
/// Entries of one table that are shown.
const ENTRIES_MAX: usize = 64;
/// Entries of one table that are looked at, to show the first of them by key.
const LOOKED_AT_MAX: usize = 4096;
/// Bytes of all texts in one table that are shown.
const BYTES_MAX: usize = 4096;
/// What an entry takes of that besides its texts.
const ENTRY_BYTES: usize = 2;

/// The fields of a call, by key, rendered. What is no table is a field of its own.
pub(super) fn read(caller: &Caller<'_>, index: i32, format: LogFormat) -> Vec<(Vec<u8>, String)> {
    match caller.kind(index) {
        Type::None | Type::Nil => Vec::new(),
        Type::Table => {
            let table = caller.absolute(index);
            let (keys, is_cut) = keys(caller, table, 0);
            let mut fields = Vec::new();
            each(caller, table, (&keys, 0), |key| {
                fields.push((key, field(caller, -1).render(format)));
                true
            });
            fields.sort();
            if is_cut {
                fields.push((CUT.as_bytes().to_vec(), Field::Boolean(true).render(format)));
            }
            fields
        }
        _ => vec![(b"value".to_vec(), field(caller, index).render(format))],
    }
}

fn field(caller: &Caller<'_>, index: i32) -> Field {
    let mut room = BYTES_MAX;
    Reader { caller, room: &mut room }.value(caller.absolute(index), 0)
}

struct Reader<'a, 'c> {
    caller: &'a Caller<'c>,
    /// Bytes that may still be shown.
    room: &'a mut usize,
}

impl Reader<'_, '_> {
    /// The value at an absolute index, below `depth` tables; the stack stays as it is.
    fn value(&mut self, index: i32, depth: usize) -> Field {
        match self.caller.kind(index) {
            Type::None | Type::Nil => Field::Nil,
            Type::Boolean => Field::Boolean(self.caller.boolean(index)),
            Type::Number => Field::Number(number(self.caller, index)),
            Type::String => self.text(self.caller.string(index).unwrap_or_default(), depth),
            Type::Table => self.table(index, depth),
            Type::Userdata => self.text(&userdata_text(self.caller, index), depth),
            other => Field::Text(other.name().as_bytes().to_vec()),
        }
    }

    /// A text, which is shown whole unless it stands in a table.
    fn text(&mut self, text: &[u8], depth: usize) -> Field {
        if depth == 0 || text.len() <= *self.room {
            *self.room = self.room.saturating_sub(text.len());
            return Field::Text(text.to_vec());
        }
        let mut end = *self.room;
        // Not in the middle of a character, which has three more bytes at most.
        while end > 0 && *self.room - end < 3 && text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        *self.room = 0;
        Field::Text([&text[..end], CUT.as_bytes()].concat())
    }

    fn table(&mut self, index: i32, depth: usize) -> Field {
        if depth >= DEPTH_MAX || !self.caller.reserve(6) {
            return Field::Cut;
        }
        let length = self.caller.raw_len(index);
        let (mut elements, mut pairs, mut is_cut) = (Vec::new(), Vec::new(), false);
        for position in 1..=length {
            if elements.len() == ENTRIES_MAX || *self.room == 0 {
                is_cut = true;
                break;
            }
            *self.room = self.room.saturating_sub(ENTRY_BYTES);
            self.caller.raw_get_index(index, position as i64);
            let element = self.value(self.caller.top(), depth + 1);
            elements.push(element);
            self.caller.pop(1);
        }
        let (mut keys, are_cut) = keys(self.caller, index, length);
        while elements.len() + keys.len() > ENTRIES_MAX {
            keys.pop_last();
            is_cut = true;
        }
        let caller = self.caller;
        each(caller, index, (&keys, length), |key| {
            let has_room = *self.room > 0;
            if has_room {
                *self.room = self.room.saturating_sub(key.len() + ENTRY_BYTES);
                pairs.push((key, self.value(caller.top(), depth + 1)));
            }
            has_room
        });
        is_cut |= are_cut || pairs.len() < keys.len();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        Field::Table { elements, pairs, is_cut }
    }
}

/// The first keys of the table by their texts, but for the positions up to `length`, and whether
/// there are more.
fn keys(caller: &Caller<'_>, table: i32, length: usize) -> (BTreeSet<Vec<u8>>, bool) {
    let (mut keys, mut is_cut) = (BTreeSet::new(), false);
    if !caller.reserve(6) {
        return (keys, true);
    }
    let mut looked_at = 0;
    caller.push_nil();
    while caller.next(table) {
        caller.pop(1);
        looked_at += 1;
        if looked_at > LOOKED_AT_MAX {
            caller.pop(1);
            return (keys, true);
        }
        if !is_position(caller, length) {
            keys.insert(key_text(caller));
        }
        if keys.len() > ENTRIES_MAX {
            keys.pop_last();
            is_cut = true;
        }
    }
    (keys, is_cut)
}

/// Calls `take` for each of these keys, with its value on top of the stack, until that says no.
/// Positions up to a length are none of them.
fn each(
    caller: &Caller<'_>,
    table: i32,
    (keys, length): (&BTreeSet<Vec<u8>>, usize),
    mut take: impl FnMut(Vec<u8>) -> bool,
) {
    let mut left = keys.len();
    caller.push_nil();
    while left > 0 && caller.next(table) {
        caller.push_value(-2);
        let key = (!is_position(caller, length)).then(|| key_text(caller));
        caller.pop(1);
        if let Some(key) = key.filter(|key| keys.contains(key)) {
            left -= 1;
            if !take(key) {
                left = 0;
            }
        }
        caller.pop(1);
    }
    if left == 0 {
        // The traversal was left before its end, so its key is still on the stack.
        caller.pop(1);
    }
}

/// Whether the key on top of the stack is one of the positions up to `length`.
fn is_position(caller: &Caller<'_>, length: usize) -> bool {
    let position = caller.is_integer(-1).then(|| caller.integer(-1)).flatten();
    position.is_some_and(|position| {
        usize::try_from(position).is_ok_and(|at| (1..=length).contains(&at))
    })
}

/// The key on top of the stack, which stays as it is.
fn key_text(caller: &Caller<'_>) -> Vec<u8> {
    let index = caller.top();
    match caller.kind(index) {
        Type::String => caller.string(index).unwrap_or_default().to_vec(),
        Type::Number => number(caller, index).into_bytes(),
        Type::Boolean => caller.boolean(index).to_string().into_bytes(),
        Type::Userdata => userdata_text(caller, index),
        other => other.name().as_bytes().to_vec(),
    }
}

/// A number as Lua writes it; on a copy, which becomes a string.
fn number(caller: &Caller<'_>, index: i32) -> String {
    caller.push_value(index);
    let text = String::from_utf8_lossy(caller.string(-1).unwrap_or_default()).into_owned();
    caller.pop(1);
    text
}

/// What `tostring` says of userdata that has something to say, else what it is.
fn userdata_text(caller: &Caller<'_>, index: i32) -> Vec<u8> {
    if userdata::get::<()>(caller.stack, index, Kind::Error).is_some() {
        return error_object::text(caller.stack, index, MESSAGE).to_vec();
    }
    let text = time::text_of(caller, index);
    text.unwrap_or_else(|| userdata::name_of(caller.stack, index).to_owned()).into_bytes()
}
