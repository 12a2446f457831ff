//! Locations: time zones, and showing a Time in one.

use jiff::tz::{Offset, TimeZone};

use super::point::{LOCATION, push_time, time_at};
use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{function, object};
use crate::error::ApiError;
use crate::process::objects::{self, Location, Object};
use crate::sync::Arc;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{Class, UserdataKind};

function!(load, load_inner);
function!(fixed_zone, fixed_zone_inner);
function!(to_utc, to_utc_inner);
function!(to_local, to_local_inner);
function!(to_location, to_location_inner);
function!(of_time, of_time_inner);
function!(text, text_inner);
function!(equal, equal_inner);

static CLASS: Class = Class {
    kind: UserdataKind::Location,
    name: "moonlet.location",
    methods: &[],
    metamethods: &[("__gc", object::collected), ("__tostring", text), ("__eq", equal)],
};

/// Sets `utc` and `localtz` in the table on top of the stack.
pub(super) fn push_known(stack: Stack) {
    object::push_known(stack, &CLASS, objects::UTC);
    stack.set_raw_field(-2, "utc");
    object::push_known(stack, &CLASS, objects::LOCAL);
    stack.set_raw_field(-2, "localtz");
}

fn push(caller: &mut Caller<'_>, location: Location) {
    object::push(caller, &CLASS, Object::Location(Arc::new(location)));
}

/// Returns a location with a name and a fixed offset.
pub(super) fn fixed(name: &str, seconds_east: i32) -> Option<Location> {
    let zone = TimeZone::fixed(Offset::from_seconds(seconds_east).ok()?);
    Some(Location { name: name.to_owned(), zone, is_fixed: true })
}

/// Returns the Location at `index`, if there is one.
fn at(caller: &Caller<'_>, index: i32) -> Option<Arc<Location>> {
    match object::at(caller, index, UserdataKind::Location) {
        Some(Object::Location(location)) => Some(location),
        _ => None,
    }
}

/// Returns an optional Location argument; UTC if it is absent.
pub(super) fn argument(caller: &Caller<'_>, index: i32) -> Result<Option<Arc<Location>>, ApiError> {
    if caller.is_missing(index) {
        return Ok(None);
    }
    let expected = || {
        let got = caller.kind(index).name();
        ApiError::invalid(format!("bad argument #{index} (location expected, got {got})"))
    };
    at(caller, index).map(Some).ok_or_else(expected)
}

/// Returns where the Time at `index` is shown; `None` for UTC.
pub(super) fn location_of(caller: &Caller<'_>, index: i32) -> Option<Arc<Location>> {
    caller.push_user_value(index, LOCATION);
    let location = at(caller, -1);
    caller.pop(1);
    location
}

/// Sets where the Time on top of the stack is shown; `None` for UTC.
pub(super) fn set_location(caller: &mut Caller<'_>, location: Option<Location>) {
    match location {
        Some(location) => push(caller, location),
        None => caller.push_nil(),
    }
    caller.set_user_value(-2, LOCATION);
}

/// `time.load_location(name)`.
fn load_inner(caller: &mut Caller<'_>) -> ApiResult {
    if caller.is_missing(1) {
        return Err(ApiError::invalid("location name required").into());
    }
    let name = String::from_utf8_lossy(caller.text(1)?).into_owned();
    let zone = match name.as_str() {
        "" => return Err(ApiError::invalid("location name cannot be empty").into()),
        "UTC" => TimeZone::UTC,
        "Local" => Location::local().zone,
        _ => TimeZone::get(&name)
            .map_err(|_| ApiError::not_found(format!("unknown time zone {name}")))?,
    };
    push(caller, Location { name, zone, is_fixed: false });
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `time.fixed_zone(name, seconds_east)`.
fn fixed_zone_inner(caller: &mut Caller<'_>) -> ApiResult {
    let name = match caller.kind(1) {
        Type::String => String::from_utf8_lossy(caller.string(1).unwrap_or_default()).into_owned(),
        other => {
            let got = other.name();
            let text = format!("bad argument #1 to 'fixed_zone' (string expected, got {got})");
            return Err(ApiFailure::Text(text));
        }
    };
    let seconds = caller.integer(2).filter(|_| caller.kind(2) == Type::Number);
    let location = seconds
        .and_then(|seconds| i32::try_from(seconds).ok())
        .and_then(|seconds| fixed(&name, seconds));
    let Some(location) = location else {
        let text = "bad argument #2 to 'fixed_zone' (seconds of less than a day expected)";
        return Err(ApiFailure::Text(text.to_owned()));
    };
    push(caller, location);
    Ok(Reply::Return(1))
}

/// `t:utc()`.
fn to_utc_inner(caller: &mut Caller<'_>) -> ApiResult {
    push_time(caller, time_at(caller, 1)?);
    Ok(Reply::Return(1))
}

/// `t:in_local()`.
fn to_local_inner(caller: &mut Caller<'_>) -> ApiResult {
    push_time(caller, time_at(caller, 1)?);
    set_location(caller, Some(Location::local()));
    Ok(Reply::Return(1))
}

/// `t:in_location(location)`.
fn to_location_inner(caller: &mut Caller<'_>) -> ApiResult {
    let time = time_at(caller, 1)?;
    if at(caller, 2).is_none() {
        let got = caller.kind(2).name();
        return Err(ApiFailure::Text(format!("bad argument #2 (location expected, got {got})")));
    }
    push_time(caller, time);
    caller.push_value(2);
    caller.set_user_value(-2, LOCATION);
    Ok(Reply::Return(1))
}

/// `t:location()`.
fn of_time_inner(caller: &mut Caller<'_>) -> ApiResult {
    time_at(caller, 1)?;
    if caller.push_user_value(1, LOCATION) == Type::Nil {
        caller.pop(1);
        push(caller, Location::utc());
    }
    Ok(Reply::Return(1))
}

fn text_inner(caller: &mut Caller<'_>) -> ApiResult {
    let location = at(caller, 1).ok_or_else(|| object::wrong_receiver(caller, "location"))?;
    caller.push_string(&location.name);
    Ok(Reply::Return(1))
}

fn equal_inner(caller: &mut Caller<'_>) -> ApiResult {
    let are_equal = match (at(caller, 1), at(caller, 2)) {
        (Some(one), Some(other)) => one.name == other.name && one.zone == other.zone,
        _ => false,
    };
    caller.push_boolean(are_equal);
    Ok(Reply::Return(1))
}
