//! Reads a [`Payload`] as [`Value`]s.

use std::collections::HashMap;
use std::sync::Arc;

use super::coding_error::{DecodeError, field, index};
use super::{Number, Payload, Reader, tag};
use crate::shared_bytes::SharedBytes;
use crate::value::{Bytes, Failure, Kind, Table, Value};

/// Decodes all values. Tables that occur several times are shared.
///
/// # Errors
/// A table contains itself, which values cannot.
pub(super) fn to_values(payload: &Payload) -> Result<Vec<Value>, DecodeError> {
    match payload.number() {
        Number::None => {}
        Number::Integer(value) => return Ok(vec![Value::Integer(value)]),
        Number::Float(value) => return Ok(vec![Value::Float(value)]),
    }
    let mut values = Values::new(payload);
    let mut reader = payload.reader();
    let read = |_| {
        values.begin(&reader);
        values.value(&mut reader)
    };
    (0..payload.count()).map(read).collect()
}

/// The format ended too early or has an unknown tag, which only a bug can cause.
pub(super) fn damaged() -> DecodeError {
    DecodeError::new("the payload is damaged")
}

/// Reads values; knows the tables of one value at the top, which may refer to each other.
pub(super) struct Values<'p> {
    payload: &'p Payload,
    /// Where the tables begin, by number; none if there are no references.
    offsets: Vec<usize>,
    /// The tables that were read, by where they begin; `None` while one is being read.
    tables: HashMap<usize, Option<Arc<Table>>>,
}

impl<'p> Values<'p> {
    pub(super) fn new(payload: &'p Payload) -> Values<'p> {
        Values { payload, offsets: Vec::new(), tables: HashMap::new() }
    }

    /// Prepares for the next value at the top, in front of which the reader is.
    pub(super) fn begin(&mut self, reader: &Reader<'_>) {
        self.offsets.clear();
        self.tables.clear();
        if self.payload.has_references {
            let (total, offsets) = (self.payload.bytes.len(), &mut self.offsets);
            // What is damaged is found when it is read.
            let _ = Reader { bytes: reader.bytes }.skip(&mut |left| offsets.push(total - left));
        }
    }

    /// Where a table begins.
    pub(super) fn offset(&self, number: u32) -> Result<usize, DecodeError> {
        self.offsets.get(number as usize).copied().ok_or_else(damaged)
    }

    pub(super) fn value(&mut self, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        Ok(match reader.byte().ok_or_else(damaged)? {
            tag::NIL => Value::Nil,
            tag::FALSE => Value::Boolean(false),
            tag::TRUE => Value::Boolean(true),
            tag::INTEGER => Value::Integer(reader.long().ok_or_else(damaged)? as i64),
            tag::FLOAT => Value::Float(f64::from_bits(reader.long().ok_or_else(damaged)?)),
            tag::STRING => Value::from(reader.string().ok_or_else(damaged)?),
            tag::SHARED => Value::String(Bytes::of_shared(self.shared(reader)?)),
            tag::REFERENCE => Value::Table(self.referred(reader)?),
            tag::TABLE => Value::Table(self.table(reader)?),
            tag::ERROR => Value::Error(Arc::new(self.failure(reader)?)),
            _ => return Err(damaged()),
        })
    }

    fn shared(&self, reader: &mut Reader<'_>) -> Result<SharedBytes, DecodeError> {
        let number = reader.word().ok_or_else(damaged)?;
        self.payload.shared_at(number).cloned().ok_or_else(damaged)
    }

    /// A table that occurred before, in this value or outside of it.
    fn referred(&mut self, reader: &mut Reader<'_>) -> Result<Arc<Table>, DecodeError> {
        let offset = self.offset(reader.word().ok_or_else(damaged)?)?;
        match self.tables.get(&offset) {
            Some(Some(table)) => Ok(table.clone()),
            Some(None) => Err(DecodeError::new("a table contains itself")),
            None => self.table(&mut Reader { bytes: &self.payload.bytes[offset + 1..] }),
        }
    }

    /// Reads a table, whose tag was read.
    fn table(&mut self, reader: &mut Reader<'_>) -> Result<Arc<Table>, DecodeError> {
        let offset = (self.payload.bytes.len() - reader.bytes.len()).wrapping_sub(1);
        if self.payload.has_references {
            self.tables.insert(offset, None);
        }
        let elements = i64::from(reader.word().ok_or_else(damaged)?);
        let others = reader.word().ok_or_else(damaged)?;
        let mut pairs = Vec::new();
        for position in 1..=elements {
            let value = self.value(reader).map_err(|error| error.at(index(position)))?;
            pairs.push((Value::Integer(position), value));
        }
        for _ in 0..others {
            let key = self.value(reader).map_err(|error| error.at(index("key")))?;
            let value = self.value(reader).map_err(|error| match key.as_str() {
                Some(name) => error.at(field(name)),
                None => error.at(index(&key)),
            })?;
            pairs.push((key, value));
        }
        // An element or a value that is nil leaves its place empty.
        pairs.retain(|(_, value)| !value.is_nil());
        let table = Arc::new(Table::from(pairs));
        if self.payload.has_references {
            self.tables.insert(offset, Some(table.clone()));
        }
        Ok(table)
    }

    fn failure(&mut self, reader: &mut Reader<'_>) -> Result<Failure, DecodeError> {
        let retryable = match reader.byte().ok_or_else(damaged)? {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        };
        let message = self.text(reader)?.unwrap_or_default();
        let kind = self.text(reader)?.unwrap_or_default();
        let kind = Kind::from(&*String::from_utf8_lossy(&kind));
        let details = self.value(reader).map_err(|error| error.at(".details"))?;
        let (contexts, traceback) = (self.text(reader)?, self.text(reader)?);
        Ok(Failure { kind, message, retryable, details, contexts, traceback })
    }

    fn text(&mut self, reader: &mut Reader<'_>) -> Result<Option<Bytes>, DecodeError> {
        match self.value(reader)? {
            Value::String(bytes) => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }
}
