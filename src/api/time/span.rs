//! Durations: the userdata, and durations as arguments.

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::function;
use crate::calendar::duration;
use crate::error::ApiError;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::Type;
use crate::vm::lua::userdata::{self, Class, UserdataKind};

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span(i64);

static DURATION: Class = Class {
    kind: UserdataKind::Duration,
    name: "moonlet.duration",
    methods: &[
        ("nanoseconds", span_nanoseconds),
        ("microseconds", span_microseconds),
        ("milliseconds", span_milliseconds),
        ("seconds", span_seconds),
        ("minutes", span_minutes),
        ("hours", span_hours),
    ],
    metamethods: &[
        ("__tostring", span_text),
        ("__eq", span_equal),
        ("__lt", span_less),
        ("__le", span_not_greater),
        ("__add", span_add),
        ("__sub", span_sub),
    ],
};

function!(span_nanoseconds, span_nanoseconds_inner);
function!(span_microseconds, span_microseconds_inner);
function!(span_milliseconds, span_milliseconds_inner);
function!(span_seconds, span_seconds_inner);
function!(span_minutes, span_minutes_inner);
function!(span_hours, span_hours_inner);
function!(span_text, span_text_inner);
function!(span_equal, span_equal_inner);
function!(span_less, span_less_inner);
function!(span_not_greater, span_not_greater_inner);
function!(span_add, span_add_inner);
function!(span_sub, span_sub_inner);

/// Pushes a Duration.
pub(super) fn push_span(caller: &Caller<'_>, nanos: i64) {
    userdata::push(caller.stack, &DURATION, Span(nanos), 0);
}

/// A Duration as text.
pub(super) fn text_of(caller: &Caller<'_>, index: i32) -> Option<String> {
    let span: Span = userdata::get(caller.stack, index, UserdataKind::Duration)?;
    Some(duration::format(span.0))
}

/// A duration argument: nanoseconds, a text or a Duration.
pub(crate) fn duration_argument(caller: &Caller<'_>, index: i32) -> Result<i64, ApiError> {
    let invalid = |what: &str| ApiError::invalid(format!("invalid duration: {what}"));
    match caller.kind(index) {
        Type::Number => match caller.is_integer(index) {
            true => Ok(caller.integer(index).unwrap_or_default()),
            false => {
                let nanos = caller.number(index).unwrap_or(f64::NAN);
                let fits = nanos.abs() < i64::MAX as f64;
                if fits { Ok(nanos.trunc() as i64) } else { Err(invalid("out of range")) }
            }
        },
        Type::String => {
            let text = String::from_utf8_lossy(caller.string(index).unwrap_or_default());
            duration::parse(&text).ok_or_else(|| invalid(&format!("\"{text}\"")))
        }
        Type::Userdata => userdata::get::<Span>(caller.stack, index, UserdataKind::Duration)
            .map(|span| span.0)
            .ok_or_else(|| invalid("this userdata is none")),
        other => Err(invalid(&format!("got {}", other.name()))),
    }
}

fn span_at(caller: &Caller<'_>, index: i32) -> Result<i64, ApiFailure> {
    userdata::get::<Span>(caller.stack, index, UserdataKind::Duration)
        .map(|span| span.0)
        .ok_or_else(|| {
            let got = caller.kind(index).name();
            ApiFailure::Text(format!("bad argument #{index} (duration expected, got {got})"))
        })
}

/// A duration argument of a method, which raises.
pub(super) fn raised_duration(caller: &Caller<'_>, index: i32) -> Result<i64, ApiFailure> {
    duration_argument(caller, index).map_err(ApiFailure::Raised)
}

fn span_integer(caller: &Caller<'_>, unit: i64) -> ApiResult {
    caller.push_integer(span_at(caller, 1)? / unit);
    Ok(Reply::Return(1))
}

fn span_float(caller: &Caller<'_>, unit: f64) -> ApiResult {
    caller.push_number(span_at(caller, 1)? as f64 / unit);
    Ok(Reply::Return(1))
}

fn span_nanoseconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_integer(caller, 1)
}

fn span_microseconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_integer(caller, 1_000)
}

fn span_milliseconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_integer(caller, 1_000_000)
}

fn span_seconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_float(caller, 1e9)
}

fn span_minutes_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_float(caller, 60e9)
}

fn span_hours_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_float(caller, 3600e9)
}

fn span_text_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.push_string(duration::format(span_at(caller, 1)?));
    Ok(Reply::Return(1))
}

fn compare_spans(caller: &Caller<'_>, holds: impl Fn(i64, i64) -> bool) -> ApiResult {
    caller.push_boolean(holds(span_at(caller, 1)?, span_at(caller, 2)?));
    Ok(Reply::Return(1))
}

fn span_equal_inner(caller: &mut Caller<'_>) -> ApiResult {
    let spans = (span_at(caller, 1).ok(), span_at(caller, 2).ok());
    caller.push_boolean(spans.0.is_some() && spans.0 == spans.1);
    Ok(Reply::Return(1))
}

fn span_less_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_spans(caller, |left, right| left < right)
}

fn span_not_greater_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_spans(caller, |left, right| left <= right)
}

fn span_add_inner(caller: &mut Caller<'_>) -> ApiResult {
    let sum = raised_duration(caller, 1)?.saturating_add(raised_duration(caller, 2)?);
    push_span(caller, sum);
    Ok(Reply::Return(1))
}

fn span_sub_inner(caller: &mut Caller<'_>) -> ApiResult {
    let difference = raised_duration(caller, 1)?.saturating_sub(raised_duration(caller, 2)?);
    push_span(caller, difference);
    Ok(Reply::Return(1))
}
