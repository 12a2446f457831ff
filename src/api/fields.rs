//! The fields of a log line. No code of the script runs, so a logger call cannot fail or wait, and
//! the script cannot influence it.

use super::caller::Caller;
use super::time;
use crate::node::output::{CUT, Field};
use crate::process::shown::View;
use crate::vm::lua::error_object::{self, MESSAGE};
use crate::vm::lua::stack::Type;
use crate::vm::lua::userdata::{self, UserdataKind};

/// Returns the fields of a call, sorted by key. An argument that is not a table becomes one field.
pub(super) fn read(caller: &Caller<'_>, index: i32) -> Vec<(Vec<u8>, Field)> {
    let view = View { stack: caller.stack, describe: &|index| userdata_text(caller, index) };
    match caller.kind(index) {
        Type::None | Type::Nil => Vec::new(),
        Type::Table => {
            let (mut pairs, is_cut) = view.pairs(index);
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
            if is_cut {
                pairs.push((CUT.as_bytes().to_vec(), Field::Boolean(true)));
            }
            pairs
        }
        _ => vec![(b"value".to_vec(), view.field(index))],
    }
}

/// The text that `tostring` gives for userdata with a text, otherwise the name of its type.
fn userdata_text(caller: &Caller<'_>, index: i32) -> Vec<u8> {
    let stack = caller.stack;
    if userdata::get::<()>(stack, index, UserdataKind::Error).is_some() {
        return error_object::text(stack, index, MESSAGE).to_vec();
    }
    let text = time::text_of(caller, index);
    text.unwrap_or_else(|| userdata::name_of(stack, index).to_owned()).into_bytes()
}
