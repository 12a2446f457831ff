//! `process.inbox`, `process.events`, `process.listen`, `process.unlisten`, Message objects and
//! event tables.

use crate::api::caller::{ApiResult, Caller, Failure};
use crate::api::{channel, function, send};
use crate::error::ApiError;
use crate::payload::{self, Payload};
use crate::pid::ProcessId;
use crate::process::channel::{ChannelId, Source};
use crate::process::exit::Outcome;
use crate::process::message::{Content, Message};
use crate::vm::boundary::Reply;
use crate::vm::stack::Type;
use crate::vm::userdata::{self, Class, Kind};

function!(inbox, inbox_inner);
function!(events, events_inner);
function!(listen, listen_inner);
function!(unlisten, unlisten_inner);
function!(message_topic, message_topic_inner);
function!(message_from, message_from_inner);
function!(message_payload, message_payload_inner);
function!(message_text, message_text_inner);

/// What a Message's userdata holds; user values: the payload, the topic.
#[derive(Clone, Copy)]
struct Data {
    from: Option<ProcessId>,
}

const PAYLOAD: i32 = 1;
const TOPIC: i32 = 2;

static CLASS: Class = Class {
    kind: Kind::Message,
    name: "moonlet.message",
    methods: &[("topic", message_topic), ("from", message_from), ("payload", message_payload)],
    metamethods: &[("__tostring", message_text)],
};

/// `process.inbox()`.
fn inbox_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let process = &mut *caller.process;
    let id = match process.subscriptions.inbox() {
        Some(id) => id,
        None => process.subscriptions.open_inbox(&mut process.channels),
    };
    channel::push_pinned(caller.stack, id);
    Ok(Reply::Return(1))
}

/// `process.events()`.
fn events_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let process = &mut *caller.process;
    let id = match process.subscriptions.events() {
        Some(id) => id,
        None => process.subscriptions.open_events(&mut process.channels),
    };
    channel::push_pinned(caller.stack, id);
    Ok(Reply::Return(1))
}

/// `process.listen(topic, options)`.
fn listen_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.is_missing(1) {
        return Err(ApiError::invalid("listen requires a topic argument").into());
    }
    let topic = caller.text(1)?;
    send::check_topic(topic, "listen")?;
    let as_message = caller.kind(2) == Type::Table
        && caller.raw_field(2, "message") == Type::Boolean
        && caller.boolean(-1);
    let process = &mut *caller.process;
    let id = match process.subscriptions.listener(topic) {
        Some(id) => {
            if let Some(Source::Listener { as_message: current, .. }) =
                process.channels.get(id).map(|channel| &mut channel.source)
            {
                *current |= as_message;
            }
            id
        }
        None => process.subscriptions.listen(topic, as_message, &mut process.channels),
    };
    channel::push_pinned(caller.stack, id);
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `process.unlisten(channel)`.
fn unlisten_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let Some(id) = channel::id_at(caller.stack, 1) else {
        return Err(Failure::False(ApiError::invalid("channel expected")));
    };
    if !caller.process.subscriptions.unsubscribe(id) {
        return Err(Failure::False(ApiError::not_found("channel not found")));
    }
    if let Some((channel, coroutines)) = channel::with_coroutines(caller.process, id) {
        channel.close(coroutines);
    }
    channel::unpin(caller.stack, id);
    caller.succeed()
}

/// Pushes a message or an event as its channel delivers it.
#[expect(clippy::boxed_local, reason = "queues hand messages over boxed")]
pub(crate) fn push_delivery(caller: &mut Caller<'_>, id: ChannelId, message: Box<Message>) {
    let is_raw = matches!(
        caller.process.channels.get(id).map(|channel| &channel.source),
        Some(Source::Listener { as_message: false, .. })
    );
    match &message.content {
        Content::User { payload, .. } if is_raw => {
            push_payload(caller, payload);
            caller.process.took(payload.size());
        }
        Content::User { from, topic, payload } => {
            userdata::push(caller.stack, &CLASS, Data { from: *from }, 2);
            push_payload(caller, payload);
            caller.set_user_value(-2, PAYLOAD);
            caller.push_string(topic);
            caller.set_user_value(-2, TOPIC);
            caller.process.took(payload.size());
        }
        Content::Exit { from, at, outcome } => push_exit(caller, *from, *at, outcome),
        Content::Cancel { from, at, deadline } => push_cancel(caller, *from, *at, *deadline),
        Content::Answer { .. } => caller.push_nil(),
    }
}

fn push_payload(caller: &Caller<'_>, payload: &Payload) {
    let top = caller.top();
    if payload::push_one(caller.stack, payload).is_none() {
        caller.set_top(top);
        caller.push_nil();
    }
}

fn push_event(caller: &Caller<'_>, kind: &str, from: Option<ProcessId>, at: i64) {
    caller.push_table(0, 4);
    caller.push_string(kind);
    caller.set_raw_field(-2, "kind");
    caller.push_integer(at);
    caller.set_raw_field(-2, "at");
    if let Some(from) = from {
        caller.push_string(caller.process.node.pid_text(from).as_bytes());
        caller.set_raw_field(-2, "from");
    }
}

fn push_exit(caller: &Caller<'_>, from: ProcessId, at: i64, outcome: &Outcome) {
    push_event(caller, "pid.exit", Some(from), at);
    caller.push_table(0, 2);
    match outcome {
        Outcome::Value(value) => {
            push_payload(caller, value);
            caller.set_raw_field(-2, "value");
        }
        Outcome::Failure(failure) => {
            caller.push_string(&failure.message);
            caller.set_raw_field(-2, "error");
            caller.push_string(&failure.kind);
            caller.set_raw_field(-2, "kind");
            if let (Some(_), Some(retryable)) = (&failure.object, failure.retryable) {
                caller.push_boolean(retryable);
                caller.set_raw_field(-2, "retryable");
            }
        }
    }
    caller.set_raw_field(-2, "result");
}

fn push_cancel(caller: &Caller<'_>, from: Option<ProcessId>, at: i64, deadline: Option<i128>) {
    push_event(caller, "pid.cancel", from, at);
    if let Some(deadline) = deadline {
        caller.push_string(crate::api::time::rfc3339_utc(deadline));
        caller.set_raw_field(-2, "deadline");
    }
}

fn message(caller: &Caller<'_>) -> Result<Data, Failure> {
    userdata::get(caller.stack, 1, Kind::Message).ok_or_else(|| {
        let got = caller.kind(1).name();
        Failure::Text(format!("bad argument #1 (message expected, got {got})"))
    })
}

/// `msg:topic()`.
fn message_topic_inner(caller: &mut Caller<'_>) -> ApiResult {
    message(caller)?;
    caller.push_user_value(1, TOPIC);
    Ok(Reply::Return(1))
}

/// `msg:from()`.
fn message_from_inner(caller: &mut Caller<'_>) -> ApiResult {
    match message(caller)?.from {
        Some(from) => caller.push_string(caller.process.node.pid_text(from).as_bytes()),
        None => caller.push_nil(),
    }
    Ok(Reply::Return(1))
}

/// `msg:payload()`.
fn message_payload_inner(caller: &mut Caller<'_>) -> ApiResult {
    message(caller)?;
    caller.push_user_value(1, PAYLOAD);
    Ok(Reply::Return(1))
}

fn message_text_inner(caller: &mut Caller<'_>) -> ApiResult {
    message(caller)?;
    caller.push_user_value(1, TOPIC);
    let topic = caller.string(-1).unwrap_or_default();
    caller.push_string([b"message: ", topic].concat());
    Ok(Reply::Return(1))
}
