//! Converts between a [`Payload`] and the plain [`Value`]s of the embedding program.

use super::{Number, Payload, Reader, SHARE_BYTES, tag};
use crate::depth::DEPTH_MAX;
use crate::shared_bytes::SharedBytes;
use crate::value::Value;

/// Encodes the values of an embedding program. Tables nested deeper than [`DEPTH_MAX`] are replaced by
/// nil. Host values cannot be cyclic, so this affects only absurd depths.
pub(crate) fn from_values(values: &[Value]) -> Payload {
    let mut payload = Payload::default();
    for value in values {
        push(&mut payload, value, 0);
        payload.count += 1;
    }
    payload
}

fn push(payload: &mut Payload, value: &Value, depth: usize) {
    match value {
        Value::Nil => payload.push_byte(tag::NIL),
        Value::Boolean(true) => payload.push_byte(tag::TRUE),
        Value::Boolean(false) => payload.push_byte(tag::FALSE),
        Value::Integer(value) => payload.push_long(tag::INTEGER, *value as u64),
        Value::Float(value) => payload.push_long(tag::FLOAT, value.to_bits()),
        Value::String(bytes) if bytes.len() >= SHARE_BYTES => {
            payload.push_shared(SharedBytes::new(bytes));
        }
        Value::String(bytes) => payload.push_bytes(bytes),
        Value::Table(_) if depth >= DEPTH_MAX => payload.push_byte(tag::NIL),
        Value::Table(pairs) => push_table(payload, pairs, depth),
    }
}

fn push_table(payload: &mut Payload, pairs: &[(Value, Value)], depth: usize) {
    let counts = payload.push_table();
    let elements = pairs
        .iter()
        .zip(1_i64..)
        .take_while(|((key, _), index)| *key == Value::Integer(*index))
        .count();
    for (_, value) in &pairs[..elements] {
        push(payload, value, depth + 1);
    }
    // A nil or NaN key cannot be in a Lua table.
    let is_key = |key: &Value| match key {
        Value::Nil => false,
        Value::Float(value) => !value.is_nan(),
        _ => true,
    };
    let rest = pairs[elements..].iter().filter(|(key, _)| is_key(key));
    let mut others = 0;
    for (key, value) in rest {
        push(payload, key, depth + 1);
        push(payload, value, depth + 1);
        others += 1;
    }
    payload.patch_counts(counts, elements as u32, others);
}

/// Decodes a payload for an embedding program. A table that contains itself, or that occurs several
/// times, appears once; its other occurrences become `Nil`, because host values are trees.
pub(crate) fn to_values(payload: &Payload) -> Vec<Value> {
    match payload.number() {
        Number::None => {}
        Number::Integer(value) => return vec![Value::Integer(value)],
        Number::Float(value) => return vec![Value::Float(value)],
    }
    let mut reader = payload.reader();
    (0..payload.count()).map_while(|_| read(payload, &mut reader)).collect()
}

fn read(payload: &Payload, reader: &mut Reader<'_>) -> Option<Value> {
    Some(match reader.byte()? {
        tag::NIL => Value::Nil,
        tag::FALSE => Value::Boolean(false),
        tag::TRUE => Value::Boolean(true),
        tag::INTEGER => Value::Integer(reader.long()? as i64),
        tag::FLOAT => Value::Float(f64::from_bits(reader.long()?)),
        tag::STRING => Value::String(reader.string()?.to_vec()),
        tag::SHARED => Value::String(payload.shared_at(reader.word()?)?.as_slice().to_vec()),
        tag::REFERENCE => {
            reader.word()?;
            Value::Nil
        }
        tag::TABLE => {
            let (elements, pairs) = (reader.word()?, reader.word()?);
            let mut table = Vec::new();
            for index in 1..=i64::from(elements) {
                table.push((Value::Integer(index), read(payload, reader)?));
            }
            for _ in 0..pairs {
                table.push((read(payload, reader)?, read(payload, reader)?));
            }
            Value::Table(table)
        }
        tag::ERROR => {
            reader.byte()?;
            // The message represents the error; its other fields are skipped.
            let message = read(payload, reader)?;
            for _ in 0..4 {
                read(payload, reader)?;
            }
            message
        }
        _ => return None,
    })
}
