//! The module `logger`: log lines with fields.

use std::collections::BTreeMap;

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{fields, function};
use crate::node::output::{Field, Level, Record};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{self, Class, UserdataKind};

/// User values: the name, and the fields as a table of what [`Field::to_bytes`] returns, or nil for
/// none. `with` reads the values, so later changes to the script's table have no effect.
const NAME: i32 = 1;
const FIELDS: i32 = 2;

static CLASS: Class = Class {
    kind: UserdataKind::Logger,
    name: "moonlet.logger",
    methods: &[
        ("debug", debug),
        ("info", info),
        ("warn", warn),
        ("error", error),
        ("with", with),
        ("named", named),
    ],
    metamethods: &[],
};

/// Pushes the root logger.
pub(crate) fn make(stack: Stack) {
    stack.push_nil();
    push(stack, b"");
}

/// Pops fields and pushes a logger with them.
fn push(stack: Stack, name: &[u8]) {
    userdata::push(stack, &CLASS, (), 2);
    stack.push_string(name);
    stack.set_user_value(-2, NAME);
    stack.push_value(-2);
    stack.set_user_value(-2, FIELDS);
    stack.remove(-2);
}

function!(debug, debug_inner);
function!(info, info_inner);
function!(warn, warn_inner);
function!(error, error_inner);
function!(with, with_inner);
function!(named, named_inner);

fn debug_inner(caller: &mut Caller<'_>) -> ApiResult {
    log(caller, Level::Debug)
}

fn info_inner(caller: &mut Caller<'_>) -> ApiResult {
    log(caller, Level::Info)
}

fn warn_inner(caller: &mut Caller<'_>) -> ApiResult {
    log(caller, Level::Warn)
}

fn error_inner(caller: &mut Caller<'_>) -> ApiResult {
    log(caller, Level::Error)
}

fn receiver(caller: &Caller<'_>) -> Result<(), ApiFailure> {
    if userdata::get::<()>(caller.stack, 1, UserdataKind::Logger).is_some() {
        return Ok(());
    }
    let got = caller.kind(1).name();
    Err(ApiFailure::Text(format!("bad argument #1 (logger expected, got {got})")))
}

/// Writes one line.
fn log(caller: &Caller<'_>, level: Level) -> ApiResult {
    receiver(caller)?;
    let output = &caller.process.node.output;
    if !output.logs(level) {
        return Ok(Reply::Return(0));
    }
    let message = match caller.kind(2) {
        Type::String | Type::Number => caller.string(2).unwrap_or_default(),
        other => other.name().as_bytes(),
    };
    let mut fields = own_fields(caller);
    fields.extend(fields::read(caller, 3));
    let fields: Vec<_> = fields.into_iter().collect();
    caller.push_user_value(1, NAME);
    output.log(&Record {
        level,
        origin: Some(&caller.process.origin()),
        logger: caller.string(-1).unwrap_or_default(),
        message,
        fields: &fields,
        traceback: None,
    });
    Ok(Reply::Return(0))
}

/// Returns the fields of the logger itself, sorted by key.
fn own_fields(caller: &Caller<'_>) -> BTreeMap<Vec<u8>, Field> {
    let mut fields = BTreeMap::new();
    if caller.push_user_value(1, FIELDS) == Type::Table {
        let table = caller.top();
        caller.push_nil();
        while caller.next(table) {
            let text = |index| caller.string(index).unwrap_or_default();
            // Scripts cannot change what `with` has stored.
            fields.insert(text(-2).to_vec(), Field::read(text(-1)).unwrap_or(Field::Nil));
            caller.pop(1);
        }
    }
    caller.pop(1);
    fields
}

/// `logger:with(fields)`.
fn with_inner(caller: &mut Caller<'_>) -> ApiResult {
    receiver(caller)?;
    let mut fields = own_fields(caller);
    fields.extend(fields::read(caller, 2));
    caller.push_user_value(1, NAME);
    let name = caller.string(-1).unwrap_or_default();
    caller.push_table(0, fields.len());
    for (key, value) in &fields {
        caller.push_string(key);
        caller.push_string(value.to_bytes());
        caller.raw_set(-3);
    }
    push(caller.stack, name);
    Ok(Reply::Return(1))
}

/// `logger:named(name)`.
fn named_inner(caller: &mut Caller<'_>) -> ApiResult {
    receiver(caller)?;
    let added = caller.text(2).unwrap_or(b"");
    caller.push_user_value(1, NAME);
    let name = caller.string(-1).unwrap_or_default();
    let name = if name.is_empty() { added.to_vec() } else { [name, b".", added].concat() };
    caller.push_user_value(1, FIELDS);
    push(caller.stack, &name);
    Ok(Reply::Return(1))
}
