//! Values on their way from one process to another: flat, owned bytes.
//!
//! `encode.rs` copies Lua values off a stack, `decode.rs` pushes them onto another, `values.rs`
//! does both for [`crate::Value`]. A payload belongs to nobody's VM, so it may wait in a
//! mailbox, outlive its sender and be dropped by any thread.
//!
//! Format: the values one after the other, each a tag byte and its data, integers in native
//! byte order. A table is a tag, the number of its sequence elements and of its other pairs
//! (u32 each), then elements, then keys and values. Tables of one value are numbered in the
//! order of their tags, and a table met again is a reference to that number: sharing and
//! cycles survive. Strings of [`SHARE_BYTES`] and more lie outside, reference-counted.

mod decode;
mod encode;
mod values;

use smallvec::SmallVec;

use crate::shared_bytes::SharedBytes;

pub(crate) use decode::{push_all, push_one};
pub(crate) use encode::{encode, encode_into};
pub(crate) use values::{from_values, to_values};

/// Strings at least this long are shared instead of copied.
pub(crate) const SHARE_BYTES: usize = 1024;
/// Bytes of a payload that need no allocation of their own: a few scalars or a short string.
const INLINE_BYTES: usize = 24;

/// A number that is all of a payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    None,
    Integer(i64),
    Float(f64),
}

/// What the bits of a [`Number`] in a payload are; apart from them, where it needs no word.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum NumberKind {
    #[default]
    None,
    Integer,
    Float,
}

/// A list of encoded values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payload {
    /// The bits of the one value, if it is a number, which then is not among the bytes: most messages
    /// of busy processes are such.
    number: u64,
    bytes: SmallVec<[u8; INLINE_BYTES]>,
    // Boxed to keep messages small: few payloads have long strings.
    #[allow(clippy::box_collection)]
    shared: Option<Box<Vec<SharedBytes>>>,
    count: u32,
    number_kind: NumberKind,
    has_references: bool,
    /// Whether an error object is among the values, which is no plain data.
    has_errors: bool,
}

impl Payload {
    /// No values, as [`Payload::default`].
    pub(crate) const EMPTY: Payload = Payload {
        number: 0,
        bytes: SmallVec::new_const(),
        shared: None,
        count: 0,
        number_kind: NumberKind::None,
        has_references: false,
        has_errors: false,
    };

    /// Whether all of it is plain data: nil, booleans, numbers, strings and tables of those.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has_errors
    }

    /// Whether no table is met twice inside of one value.
    pub(crate) fn is_tree(&self) -> bool {
        !self.has_references
    }

    /// Whether all of it lies in the payload itself.
    pub(crate) fn is_inline(&self) -> bool {
        self.shared.is_none() && !self.bytes.spilled()
    }

    /// Number of values, trailing nils included.
    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    /// The value of a payload that is one number.
    pub(crate) fn number(&self) -> Number {
        match self.number_kind {
            NumberKind::None => Number::None,
            NumberKind::Integer => Number::Integer(self.number as i64),
            NumberKind::Float => Number::Float(f64::from_bits(self.number)),
        }
    }

    /// Makes one integer all of an empty payload.
    fn set_integer(&mut self, value: i64) {
        self.count = 1;
        self.number = value as u64;
        self.number_kind = NumberKind::Integer;
    }

    /// As [`Payload::set_integer`].
    fn set_float(&mut self, value: f64) {
        self.count = 1;
        self.number = value.to_bits();
        self.number_kind = NumberKind::Float;
    }

    /// Bytes that count against the memory limit of a receiver.
    pub(crate) fn size(&self) -> usize {
        if self.number_kind != NumberKind::None {
            return size_of::<i64>();
        }
        let shared = self.shared.as_ref().map_or(0, |list| list.iter().map(SharedBytes::len).sum());
        self.bytes.len() + shared
    }
}

/// The tags of the format.
mod tag {
    pub(super) const NIL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INTEGER: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const STRING: u8 = 5;
    pub(super) const SHARED: u8 = 6;
    pub(super) const TABLE: u8 = 7;
    pub(super) const REFERENCE: u8 = 8;
    pub(super) const ERROR: u8 = 9;
}

/// Reads the format; every answer is `None` at a broken end, which only a bug can make.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u32> {
        let (first, rest) = self.bytes.split_first_chunk::<4>()?;
        self.bytes = rest;
        Some(u32::from_ne_bytes(*first))
    }

    fn long(&mut self) -> Option<u64> {
        let (first, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(u64::from_ne_bytes(*first))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.word()? as usize;
        let (first, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(first)
    }
}

impl Payload {
    fn push_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn push_word(&mut self, tag: u8, word: u32) {
        let mut field = [tag, 0, 0, 0, 0];
        field[1..].copy_from_slice(&word.to_ne_bytes());
        self.bytes.extend_from_slice(&field);
    }

    fn push_long(&mut self, tag: u8, long: u64) {
        let mut field = [tag, 0, 0, 0, 0, 0, 0, 0, 0];
        field[1..].copy_from_slice(&long.to_ne_bytes());
        self.bytes.extend_from_slice(&field);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        self.push_word(tag::STRING, bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
    }

    fn push_shared(&mut self, bytes: SharedBytes) {
        let list = self.shared.get_or_insert_default();
        list.push(bytes);
        let index = list.len() as u32 - 1;
        self.push_word(tag::SHARED, index);
    }

    /// Begins a table; its two counts are written by [`Payload::patch_counts`].
    fn push_table(&mut self) -> usize {
        self.bytes.extend_from_slice(&[tag::TABLE, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.bytes.len() - 8
    }

    fn patch_counts(&mut self, at: usize, elements: u32, pairs: u32) {
        self.bytes[at..at + 4].copy_from_slice(&elements.to_ne_bytes());
        self.bytes[at + 4..at + 8].copy_from_slice(&pairs.to_ne_bytes());
    }

    fn reader(&self) -> Reader<'_> {
        Reader { bytes: &self.bytes }
    }

    fn shared_at(&self, index: u32) -> Option<&SharedBytes> {
        self.shared.as_ref()?.get(index as usize)
    }
}
