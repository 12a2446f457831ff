//! Encodes Rust values into a [`Payload`].

use std::collections::HashMap;
use std::sync::Arc;

use super::coding_error::{EncodeError, field, index};
use super::{Payload, Reader, SHARE_BYTES, tag};
use crate::depth::DEPTH_MAX;
use crate::value::{Bytes, Failure, Table, Value};

/// Appends the values of a payload one by one. Tables of one value are numbered in the order of
/// their tags, as `encode.rs` numbers those of Lua.
pub(super) struct Encoder<'a> {
    payload: &'a mut Payload,
    tables: u32,
    /// Shared tables of the current value, by address. They are kept, so that no other table gets
    /// the address meanwhile.
    known: HashMap<*const Table, (u32, Arc<Table>)>,
}

/// The place of the counts of a table that is being encoded.
#[derive(Clone, Copy)]
pub(super) struct OpenTable(usize);

impl<'a> Encoder<'a> {
    pub(super) fn new(payload: &'a mut Payload) -> Encoder<'a> {
        Encoder { payload, tables: 0, known: HashMap::new() }
    }

    /// Counts a value that was appended whole.
    pub(super) fn end_value(&mut self) {
        self.payload.count += 1;
        self.tables = 0;
        self.known.clear();
    }

    pub(super) fn nil(&mut self) {
        self.payload.push_byte(tag::NIL);
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.payload.push_byte(if value { tag::TRUE } else { tag::FALSE });
    }

    pub(super) fn integer(&mut self, value: i64) {
        self.payload.push_long(tag::INTEGER, value as u64);
    }

    pub(super) fn float(&mut self, value: f64) {
        self.payload.push_long(tag::FLOAT, value.to_bits());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() < SHARE_BYTES {
            self.payload.push_bytes(bytes);
        } else {
            self.payload.push_shared(crate::shared_bytes::SharedBytes::new(bytes));
        }
    }

    fn shared_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_BYTES {
            self.payload.push_bytes(bytes);
        } else {
            self.payload.push_shared(bytes.shared().clone());
        }
    }

    /// Begins a table inside of `depth` others.
    pub(super) fn begin_table(&mut self, depth: usize) -> Result<OpenTable, EncodeError> {
        if depth >= DEPTH_MAX {
            return Err(EncodeError::new(format_args!(
                "tables are nested more than {DEPTH_MAX} deep"
            )));
        }
        self.tables += 1;
        Ok(OpenTable(self.payload.push_table()))
    }

    pub(super) fn end_table(&mut self, table: OpenTable, elements: u32, pairs: u32) {
        self.payload.patch_counts(table.0, elements, pairs);
    }

    /// Appends a value inside of `depth` tables.
    pub(super) fn value(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        match value {
            Value::Nil => self.nil(),
            Value::Boolean(value) => self.boolean(*value),
            Value::Integer(value) => self.integer(*value),
            Value::Float(value) => self.float(*value),
            Value::String(bytes) => self.shared_bytes(bytes),
            Value::Table(table) => return self.table(table, depth),
            Value::Error(failure) => return self.failure(failure, depth),
        }
        Ok(())
    }

    fn table(&mut self, table: &Arc<Table>, depth: usize) -> Result<(), EncodeError> {
        // A table to which nothing else refers need not be found again.
        if Arc::strong_count(table) > 1 {
            if let Some((number, _)) = self.known.get(&Arc::as_ptr(table)) {
                self.payload.push_word(tag::REFERENCE, *number);
                self.payload.has_references = true;
                return Ok(());
            }
            self.known.insert(Arc::as_ptr(table), (self.tables, table.clone()));
        }
        let open = self.begin_table(depth)?;
        let is_element = |(pair, position): &(&(Value, Value), i64)| pair.0 == (*position).into();
        let elements = table.iter().zip(1..).take_while(is_element).count();
        let (first, rest) = table.split_at(elements);
        for ((_, value), position) in first.iter().zip(1..) {
            self.value(value, depth + 1).map_err(|error| error.at(index(position)))?;
        }
        for (key, value) in rest {
            let at = self.position();
            self.key(key, depth).map_err(|error| error.at(index("key")))?;
            let result = self.value(value, depth + 1);
            result.map_err(|error| error.at(self.segment_at(at)))?;
        }
        self.end_table(open, elements as u32, rest.len() as u32);
        Ok(())
    }

    fn key(&mut self, key: &Value, depth: usize) -> Result<(), EncodeError> {
        let at = self.position();
        self.value(key, depth + 1)?;
        self.check_key(at)
    }

    /// Where the next value will be.
    pub(super) fn position(&self) -> usize {
        self.payload.bytes.len()
    }

    /// Refuses what no table of Lua can have as a key: the value that was appended at a position.
    pub(super) fn check_key(&self, at: usize) -> Result<(), EncodeError> {
        let mut reader = Reader { bytes: &self.payload.bytes[at..] };
        let is_nan = |bits: u64| f64::from_bits(bits).is_nan();
        match reader.byte() {
            Some(tag::NIL) => Err(EncodeError::new("nil cannot be a key")),
            Some(tag::FLOAT) if reader.long().is_some_and(is_nan) => {
                Err(EncodeError::new("NaN cannot be a key"))
            }
            _ => Ok(()),
        }
    }

    /// The segment of a path for the key that was appended at a position.
    pub(super) fn segment_at(&self, at: usize) -> String {
        let mut reader = Reader { bytes: &self.payload.bytes[at..] };
        match reader.byte() {
            Some(tag::STRING) => {
                field(&String::from_utf8_lossy(reader.string().unwrap_or_default()))
            }
            Some(tag::INTEGER) => index(reader.long().unwrap_or_default() as i64),
            _ => index("key"),
        }
    }

    fn failure(&mut self, failure: &Failure, depth: usize) -> Result<(), EncodeError> {
        self.payload.has_errors = true;
        self.payload.push_byte(tag::ERROR);
        self.payload.push_byte(match failure.retryable {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        });
        self.shared_bytes(&failure.message);
        self.bytes(failure.kind.as_str().as_bytes());
        self.value(&failure.details, depth + 1).map_err(|error| error.at(".details"))?;
        for text in [&failure.contexts, &failure.traceback] {
            match text {
                Some(text) => self.shared_bytes(text),
                None => self.nil(),
            }
        }
        Ok(())
    }
}
