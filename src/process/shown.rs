//! Reads values of any type in order to show them, without running Lua code: fields of log lines,
//! and tables that were raised as errors.
//!
//! Tables are read raw, no metamethod is called. The depth, the number of entries and the length of
//! what is shown of a table are limited.

use std::collections::BTreeSet;

use crate::node::output::{CUT, Field};
use crate::vm::lua::stack::{Stack, Type};

/// The most levels of nested tables that are shown.
const DEPTH_MAX: usize = 4;
/// The most entries of one table that are shown.
const ENTRIES_MAX: usize = 64;
/// The most entries of one table that are read in order to find its first keys.
const LOOKED_AT_MAX: usize = 4096;
/// The most bytes of text that are shown of one table.
const BYTES_MAX: usize = 4096;
/// Bytes that an entry counts besides its texts.
const ENTRY_BYTES: usize = 2;

/// A stack to read from.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) stack: Stack,
    /// Returns the text of the userdata at an index.
    pub(crate) describe: &'a dyn Fn(i32) -> Vec<u8>,
}

impl View<'_> {
    /// Reads the value at an index.
    pub(crate) fn field(self, index: i32) -> Field {
        Reader { view: self, room: BYTES_MAX }.value(self.stack.absolute(index), 0)
    }

    /// Reads the values of a table by key, each within its own limits, and whether there are more.
    pub(crate) fn pairs(self, index: i32) -> (Vec<(Vec<u8>, Field)>, bool) {
        let table = self.stack.absolute(index);
        let (keys, is_cut) = keys(self, table, 0);
        let mut pairs = Vec::new();
        each(self, table, (&keys, 0), |key| {
            pairs.push((key, self.field(-1)));
            true
        });
        (pairs, is_cut)
    }
}

struct Reader<'a> {
    view: View<'a>,
    /// Bytes that may still be shown.
    room: usize,
}

impl Reader<'_> {
    /// Reads the value at an absolute index, nested in `depth` tables. The stack stays as it is.
    fn value(&mut self, index: i32, depth: usize) -> Field {
        match self.view.stack.kind(index) {
            Type::None | Type::Nil => Field::Nil,
            Type::Boolean => Field::Boolean(self.view.stack.boolean(index)),
            Type::Number => number_field(self.view.stack, index),
            Type::String => self.text(self.view.stack.string(index).unwrap_or_default(), depth),
            Type::Table => self.table(index, depth),
            Type::Userdata => self.text(&(self.view.describe)(index), depth),
            other => Field::Text(other.name().as_bytes().to_vec()),
        }
    }

    /// A text is shown whole unless it is in a table.
    fn text(&mut self, text: &[u8], depth: usize) -> Field {
        if depth == 0 || text.len() <= self.room {
            self.room = self.room.saturating_sub(text.len());
            return Field::Text(text.to_vec());
        }
        let mut end = self.room;
        // Does not cut within a character, which has at most three more bytes.
        while end > 0 && self.room - end < 3 && text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        self.room = 0;
        Field::Text([&text[..end], CUT.as_bytes()].concat())
    }

    fn table(&mut self, index: i32, depth: usize) -> Field {
        if depth >= DEPTH_MAX || !self.view.stack.reserve(6) {
            return Field::Cut;
        }
        let length = self.view.stack.raw_len(index);
        let (mut elements, mut pairs, mut is_cut) = (Vec::new(), Vec::new(), false);
        for position in 1..=length {
            if elements.len() == ENTRIES_MAX || self.room == 0 {
                is_cut = true;
                break;
            }
            self.room = self.room.saturating_sub(ENTRY_BYTES);
            self.view.stack.raw_get_index(index, position as i64);
            let element = self.value(self.view.stack.top(), depth + 1);
            elements.push(element);
            self.view.stack.pop(1);
        }
        let (mut keys, are_cut) = keys(self.view, index, length);
        while elements.len() + keys.len() > ENTRIES_MAX {
            keys.pop_last();
            is_cut = true;
        }
        let stack = self.view.stack;
        each(self.view, index, (&keys, length), |key| {
            let has_room = self.room > 0;
            if has_room {
                self.room = self.room.saturating_sub(key.len() + ENTRY_BYTES);
                pairs.push((key, self.value(stack.top(), depth + 1)));
            }
            has_room
        });
        is_cut |= are_cut || pairs.len() < keys.len();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        Field::Table { elements, pairs, is_cut }
    }
}

/// Returns the first keys of the table by their texts, except for positions up to `length`, and
/// whether there are more.
fn keys(view: View<'_>, table: i32, length: usize) -> (BTreeSet<Vec<u8>>, bool) {
    let stack = view.stack;
    let (mut keys, mut is_cut) = (BTreeSet::new(), false);
    if !stack.reserve(6) {
        return (keys, true);
    }
    let mut looked_at = 0;
    stack.push_nil();
    while stack.next(table) {
        stack.pop(1);
        looked_at += 1;
        if looked_at > LOOKED_AT_MAX {
            stack.pop(1);
            return (keys, true);
        }
        if !is_position(stack, length) {
            keys.insert(key_text(view));
        }
        if keys.len() > ENTRIES_MAX {
            keys.pop_last();
            is_cut = true;
        }
    }
    (keys, is_cut)
}

/// Calls `take` for each of these keys, with its value on top of the stack, until `take` returns
/// false. Skips positions up to a length.
fn each(
    view: View<'_>,
    table: i32,
    (keys, length): (&BTreeSet<Vec<u8>>, usize),
    mut take: impl FnMut(Vec<u8>) -> bool,
) {
    let (stack, mut left) = (view.stack, keys.len());
    stack.push_nil();
    while left > 0 && stack.next(table) {
        stack.push_value(-2);
        let key = (!is_position(stack, length)).then(|| key_text(view));
        stack.pop(1);
        if let Some(key) = key.filter(|key| keys.contains(key)) {
            left -= 1;
            if !take(key) {
                left = 0;
            }
        }
        stack.pop(1);
    }
    if left == 0 {
        // The traversal was stopped early, so its key is still on the stack.
        stack.pop(1);
    }
}

/// Whether the key on top of the stack is one of the positions up to `length`.
fn is_position(stack: Stack, length: usize) -> bool {
    let position = stack.is_integer(-1).then(|| stack.integer(-1)).flatten();
    position.is_some_and(|position| {
        usize::try_from(position).is_ok_and(|at| (1..=length).contains(&at))
    })
}

/// The text of the key on top of the stack, which stays as it is.
fn key_text(view: View<'_>) -> Vec<u8> {
    let View { stack, describe } = view;
    let index = stack.top();
    match stack.kind(index) {
        Type::String => stack.string(index).unwrap_or_default().to_vec(),
        Type::Number => number(stack, index).into_bytes(),
        Type::Boolean => stack.boolean(index).to_string().into_bytes(),
        Type::Userdata => describe(index),
        other => other.name().as_bytes().to_vec(),
    }
}

fn number_field(stack: Stack, index: i32) -> Field {
    match stack.is_integer(index) {
        true => Field::Integer(stack.integer(index).unwrap_or_default()),
        false => Field::Float(stack.number(index).unwrap_or_default(), number(stack, index)),
    }
}

/// A number as Lua writes it. Reads a copy, because the conversion changes the value on the stack.
fn number(stack: Stack, index: i32) -> String {
    stack.push_value(index);
    let text = String::from_utf8_lossy(stack.string(-1).unwrap_or_default()).into_owned();
    stack.pop(1);
    text
}
