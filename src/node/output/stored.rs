//! Fields as bytes, in which a logger of a script keeps them (`api/logger.rs`).

use super::Field;

const NIL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INTEGER: u8 = 3;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;
const TABLE: u8 = 6;
const CUT_TABLE: u8 = 7;
const CUT: u8 = 8;

impl Field {
    /// Returns the value as bytes for [`Field::read`].
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.store(&mut out);
        out
    }

    fn store(&self, out: &mut Vec<u8>) {
        match self {
            Field::Nil => out.push(NIL),
            Field::Boolean(false) => out.push(FALSE),
            Field::Boolean(true) => out.push(TRUE),
            Field::Integer(number) => {
                out.push(INTEGER);
                out.extend(number.to_le_bytes());
            }
            Field::Float(number, text) => {
                out.push(FLOAT);
                out.extend(number.to_le_bytes());
                store_text(text.as_bytes(), out);
            }
            Field::Text(bytes) => {
                out.push(TEXT);
                store_text(bytes, out);
            }
            Field::Table { elements, pairs, is_cut } => {
                out.push(if *is_cut { CUT_TABLE } else { TABLE });
                store_count(elements.len(), out);
                elements.iter().for_each(|element| element.store(out));
                store_count(pairs.len(), out);
                for (key, value) in pairs {
                    store_text(key, out);
                    value.store(out);
                }
            }
            Field::Cut => out.push(CUT),
        }
    }

    /// Reads what [`Field::to_bytes`] has returned; `None` for other bytes.
    pub(crate) fn read(mut bytes: &[u8]) -> Option<Field> {
        let field = take(&mut bytes)?;
        bytes.is_empty().then_some(field)
    }
}

fn store_count(count: usize, out: &mut Vec<u8>) {
    out.extend((count as u64).to_le_bytes());
}

fn store_text(text: &[u8], out: &mut Vec<u8>) {
    store_count(text.len(), out);
    out.extend(text);
}

fn take(bytes: &mut &[u8]) -> Option<Field> {
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match *kind {
        NIL => Field::Nil,
        FALSE => Field::Boolean(false),
        TRUE => Field::Boolean(true),
        INTEGER => Field::Integer(i64::from_le_bytes(take_word(bytes)?)),
        FLOAT => {
            let number = f64::from_le_bytes(take_word(bytes)?);
            Field::Float(number, String::from_utf8(take_text(bytes)?).ok()?)
        }
        TEXT => Field::Text(take_text(bytes)?),
        kind @ (TABLE | CUT_TABLE) => {
            let elements = take_count(bytes)?;
            let elements = (0..elements).map(|_| take(bytes)).collect::<Option<_>>()?;
            let pairs = take_count(bytes)?;
            let mut pair = |_| Some((take_text(bytes)?, take(bytes)?));
            let pairs = (0..pairs).map(&mut pair).collect::<Option<_>>()?;
            Field::Table { elements, pairs, is_cut: kind == CUT_TABLE }
        }
        CUT => Field::Cut,
        _ => return None,
    })
}

fn take_word(bytes: &mut &[u8]) -> Option<[u8; 8]> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*word)
}

fn take_count(bytes: &mut &[u8]) -> Option<u64> {
    take_word(bytes).map(u64::from_le_bytes)
}

fn take_text(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(take_count(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(text.to_vec())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read() {
        let pair = |key: &[u8], value| (key.to_vec(), value);
        let table = |is_cut| Field::Table {
            elements: vec![Field::Nil, Field::Boolean(true), Field::Cut],
            pairs: vec![pair(b"\xff", Field::Text(b"a\0".to_vec())), pair(b"", Field::Integer(-7))],
            is_cut,
        };
        let nested = Field::Table {
            elements: vec![table(false), Field::Boolean(false)],
            pairs: vec![pair(b"k", table(true)), pair(b"f", Field::Float(0.5, "0.5".into()))],
            is_cut: false,
        };
        let bytes = nested.to_bytes();
        assert_eq!(Field::read(&bytes), Some(nested));
        for length in 0..bytes.len() {
            assert_eq!(Field::read(&bytes[..length]), None);
        }
        assert_eq!(Field::read(&[&bytes[..], &[0]].concat()), None);
    }
}
