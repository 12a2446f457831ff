//! Values on their way from one process to another: flat, owned bytes.
//!
//! `encode.rs` copies Lua values from a stack, `decode.rs` pushes them onto another stack, and
//! `values.rs` converts from and to [`crate::Value`]. A payload belongs to no VM, so it may wait in a
//! mailbox, outlive its sender and be dropped by any thread.
//!
//! Format: the values one after the other, each a tag byte followed by its data, with integers in
//! native byte order. A table is its tag, the number of its sequence elements and the number of its
//! other pairs (u32 each), then the elements, then the keys and values of the pairs. The tables of
//! one value are numbered in the order of their tags, and a table that occurs again is encoded as a
//! reference to its number, so shared tables and cycles are preserved. Strings of at least
//! [`SHARE_BYTES`] bytes are stored outside of the payload's bytes and are reference-counted.

mod coding_error;
mod convert;
mod de;
mod decode;
mod direct;
mod encode;
mod encoder;
mod ser;
mod values;

use smallvec::SmallVec;

use crate::shared_bytes::SharedBytes;

pub use coding_error::{DecodeError, EncodeError};
use convert::PAYLOAD;
pub use convert::{FromPayload, IntoPayload};
pub(crate) use decode::{push_all, push_one};
pub(crate) use direct::{Arguments, Results};
pub(crate) use encode::{encode, encode_into};

/// Strings of at least this many bytes are shared instead of copied.
pub(crate) const SHARE_BYTES: usize = 1024;
/// Bytes of a payload that need no separate allocation: a few scalars or a short string.
const INLINE_BYTES: usize = 24;

/// The number that a payload consists of, if it consists of exactly one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    None,
    Integer(i64),
    Float(f64),
}

/// How to read the bits of a [`Number`] in a payload. Stored apart from the bits, where it takes no
/// extra word.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum NumberKind {
    #[default]
    None,
    Integer,
    Float,
}

/// A list of encoded values: what a process is given, sends and returns, as it travels.
///
/// It belongs to no VM, so that any thread may keep, clone, send on or drop it. Long strings are
/// shared between clones. Nothing of what Lua sent is lost: a table that occurs twice, or that
/// contains itself, arrives so. [`IntoPayload`] makes payloads of Rust values, [`Payload::decode`] and
/// [`Payload::values`] read them.
#[derive(Clone, Default)]
pub struct Payload {
    /// The bits of the value if the payload is one number, which is then not among `bytes`. Most
    /// messages of busy processes are one number.
    number: u64,
    bytes: SmallVec<[u8; INLINE_BYTES]>,
    // Boxed to keep messages small: few payloads contain long strings.
    #[allow(clippy::box_collection)]
    shared: Option<Box<Vec<SharedBytes>>>,
    count: u32,
    number_kind: NumberKind,
    has_references: bool,
    /// Whether an error object is among the values; an error object is not plain data.
    has_errors: bool,
}

impl Payload {
    /// A payload without values, equal to [`Payload::default`].
    pub(crate) const EMPTY: Payload = Payload {
        number: 0,
        bytes: SmallVec::new_const(),
        shared: None,
        count: 0,
        number_kind: NumberKind::None,
        has_references: false,
        has_errors: false,
    };

    /// Returns whether all values are plain data: nil, booleans, numbers, strings and tables of
    /// those.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has_errors
    }

    /// Returns whether no table occurs twice within one value.
    pub(crate) fn is_tree(&self) -> bool {
        !self.has_references
    }

    /// Returns whether the payload has no allocation of its own.
    pub(crate) fn is_inline(&self) -> bool {
        self.shared.is_none() && !self.bytes.spilled()
    }

    /// Returns the number of values, including trailing nils.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Returns the value of a payload that is one number.
    pub(crate) fn number(&self) -> Number {
        match self.number_kind {
            NumberKind::None => Number::None,
            NumberKind::Integer => Number::Integer(self.number as i64),
            NumberKind::Float => Number::Float(f64::from_bits(self.number)),
        }
    }

    /// Returns the payload with a single number in the format of all others.
    fn spelled_out(&self) -> Payload {
        let mut payload = Payload { count: self.count, ..Payload::default() };
        match self.number() {
            Number::None => return self.clone(),
            Number::Integer(value) => payload.push_long(tag::INTEGER, value as u64),
            Number::Float(value) => payload.push_long(tag::FLOAT, value.to_bits()),
        }
        payload
    }

    /// Makes an empty payload consist of one integer.
    fn set_integer(&mut self, value: i64) {
        self.count = 1;
        self.number = value as u64;
        self.number_kind = NumberKind::Integer;
    }

    /// Makes an empty payload consist of one float.
    fn set_float(&mut self, value: f64) {
        self.count = 1;
        self.number = value.to_bits();
        self.number_kind = NumberKind::Float;
    }

    /// Returns the number of bytes that count against the memory limit of a receiver.
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

/// Reads the format. Every method returns `None` if the bytes end too early, which only a bug can
/// cause.
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

    /// Passes over a value. `note` gets how many bytes are left where each of its tables begins.
    fn skip(&mut self, note: &mut dyn FnMut(usize)) -> Option<()> {
        let left = self.bytes.len();
        let values = match self.byte()? {
            tag::NIL | tag::FALSE | tag::TRUE => 0,
            tag::INTEGER | tag::FLOAT => self.long().map(|_| 0)?,
            tag::STRING => self.string().map(|_| 0)?,
            tag::SHARED | tag::REFERENCE => self.word().map(|_| 0)?,
            tag::TABLE => {
                note(left);
                u64::from(self.word()?) + 2 * u64::from(self.word()?)
            }
            tag::ERROR => self.byte().map(|_| 5)?,
            _ => return None,
        };
        (0..values).try_for_each(|_| self.skip(note))
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

    /// Begins a table and returns the position of its two counts, for [`Payload::patch_counts`].
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
