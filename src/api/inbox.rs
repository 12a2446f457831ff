//! `process.inbox`, `process.events`, `process.listen`, `process.unlisten`, Message objects and
//! event tables.

use std::ffi::CStr;

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{channel, function, request, send};
use crate::coroutines::channel::{ChannelId, ChannelSource};
use crate::error::ApiError;
use crate::message::exit::Outcome;
use crate::message::{Arrived, Content, Passage, Request, UnixTime};
use crate::node::requests::Unanswered;
use crate::payload::{self, Number, Payload};
use crate::pid::ProcessId;
use crate::slot::cancellation;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::ffi::LUA_REGISTRYINDEX as REGISTRY;
use crate::vm::lua::stack::Type;
use crate::vm::lua::userdata::{self, Class, UserdataKind};
use crate::vm::lua::{error_object, registry};

function!(inbox, inbox_inner);
function!(events, events_inner);
function!(listen, listen_inner);
function!(unlisten, unlisten_inner);
function!(message_topic, message_topic_inner);
function!(message_from, message_from_inner);
function!(message_payload, message_payload_inner);
function!(message_text, message_text_inner);

/// Topics up to this length are stored in the Message itself; their string is created on demand.
const TOPIC_INLINE: usize = 19;

/// The data of a Message's userdata. User values: the payload, unless it is the number stored here,
/// and a topic that is too long.
#[derive(Clone, Copy)]
#[repr(C)]
struct MessageData {
    /// Number of the sender's PID (0 for none), and its host.
    from: u64,
    host: u32,
    topic_len: u8,
    topic: [u8; TOPIC_INLINE],
    number: Number,
}

impl MessageData {
    fn sender(&self) -> Option<ProcessId> {
        (self.from != 0).then_some(ProcessId { uniq: self.from, host: self.host })
    }
}

/// `topic_len` of a topic that is stored as a user value.
const TOPIC_OUTSIDE: u8 = u8::MAX;

/// Kinds of events, as scripts compare them.
pub(crate) const CANCEL: &CStr = c"pid.cancel";
pub(crate) const EXIT: &CStr = c"pid.exit";
pub(crate) const LINK_DOWN: &CStr = c"pid.link.down";

const PAYLOAD: i32 = 1;
const TOPIC: i32 = 2;
/// Of a message that waits for an answer: the userdata by which it is answered.
pub(super) const REQUEST: i32 = 3;

static CLASS: Class = Class {
    kind: UserdataKind::Message,
    name: "moonlet.message",
    methods: &[
        ("topic", message_topic),
        ("from", message_from),
        ("payload", message_payload),
        ("reply", request::reply),
    ],
    metamethods: &[("__tostring", message_text)],
};

/// `process.inbox()`.
fn inbox_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let process = &mut *caller.process;
    let id = match process.inside.subscriptions.inbox() {
        Some(id) => id,
        None => process.inside.subscriptions.open_inbox(&mut process.inside.channels),
    };
    channel::push_pinned(caller, id);
    Ok(Reply::Return(1))
}

/// `process.events()`.
fn events_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let process = &mut *caller.process;
    let id = match process.inside.subscriptions.events() {
        Some(id) => id,
        None => process.inside.subscriptions.open_events(&mut process.inside.channels),
    };
    channel::push_pinned(caller, id);
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
    let id = match process.inside.subscriptions.listener(topic) {
        Some(id) => {
            if let Some(ChannelSource::Listener { as_message: current, .. }) =
                process.inside.channels.get(id).map(|channel| &mut channel.source)
            {
                *current |= as_message;
            }
            id
        }
        None => {
            process.inside.subscriptions.listen(topic, as_message, &mut process.inside.channels)
        }
    };
    channel::push_pinned(caller, id);
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `process.unlisten(channel)`.
fn unlisten_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let Some(id) = channel::id_at(caller.stack, 1) else {
        return Err(ApiFailure::False(ApiError::invalid("channel expected")));
    };
    // Messages that have arrived belong to the channel.
    caller.process.drain_all();
    if !caller.process.inside.subscriptions.unsubscribe(id) {
        return Err(ApiFailure::False(ApiError::not_found("channel not found")));
    }
    if let Some((channel, coroutines)) = channel::with_coroutines(caller.process, id) {
        channel.close(coroutines);
    }
    channel::unpin(caller.stack, id);
    caller.succeed()
}

/// Pushes a message or an event in the form in which its channel delivers it.
pub(crate) fn push_delivery(caller: &mut Caller<'_>, id: ChannelId, message: &Arrived) {
    let is_raw = matches!(
        caller.process.inside.channels.get(id).map(|channel| &channel.source),
        Some(ChannelSource::Listener { as_message: false, .. })
    );
    match message.content() {
        Content::User { from, topic, payload } => {
            if is_raw {
                push_payload(caller, payload);
            } else {
                push_message(caller, *from, topic, payload, 0);
            }
            if message.passage() == Passage::Counted {
                caller.process.note_taken(payload.size());
            }
        }
        Content::Request(request) => {
            push_request(caller, request, is_raw);
            if message.passage() == Passage::Counted {
                caller.process.note_taken(request.payload.size());
            }
        }
        Content::Exit { from, at, outcome } => push_end(caller, EXIT, *from, *at, outcome),
        Content::LinkDown { from, at, outcome } => {
            push_end(caller, LINK_DOWN, *from, *at, outcome);
        }
        Content::Cancel { from, at, deadline } => {
            cancellation::taken(&caller.process.node.slots, caller.process.id.uniq);
            push_cancel(caller, *from, *at, *deadline);
        }
        Content::Answer { .. } => caller.push_nil(),
    }
}

#[cold]
fn push_request(caller: &mut Caller<'_>, asked: &Request, is_raw: bool) {
    if is_raw {
        push_payload(caller, &asked.payload);
        caller.process.node.leave_unanswered(Some(asked.requester), Unanswered::Raw);
    } else {
        push_message(caller, asked.from, &asked.topic, &asked.payload, REQUEST);
        request::attach(caller, asked.requester);
    }
}

/// Pushes a Message with at least `user_values` user values.
// Inlined into its one busy caller.
#[inline(always)]
fn push_message(
    caller: &Caller<'_>,
    from: Option<ProcessId>,
    topic: &[u8],
    payload: &Payload,
    user_values: i32,
) {
    let (uniq, host) = from.map_or((0, 0), |from| (from.uniq, from.host));
    let (is_short, number) = (topic.len() <= TOPIC_INLINE, payload.number());
    let topic_len = if is_short { topic.len() as u8 } else { TOPIC_OUTSIDE };
    let data = MessageData { from: uniq, host, topic_len, topic: [0; TOPIC_INLINE], number };
    let needed = match (is_short, number) {
        (true, Number::None) => PAYLOAD,
        (true, _) => 0,
        (false, _) => TOPIC,
    };
    userdata::push_edited(caller.stack, &CLASS, data, needed.max(user_values), |data| {
        if let Some(place) = data.topic.get_mut(..topic.len()) {
            place.copy_from_slice(topic);
        }
    });
    if number == Number::None {
        push_payload(caller, payload);
        caller.set_user_value(-2, PAYLOAD);
    }
    if !is_short {
        caller.push_string(topic);
        caller.set_user_value(-2, TOPIC);
    }
}

fn push_topic(caller: &Caller<'_>, data: &MessageData) {
    match data.topic.get(..data.topic_len as usize) {
        Some(topic) => caller.push_string(topic),
        None => {
            caller.push_user_value(1, TOPIC);
        }
    }
}

pub(super) fn push_payload(caller: &Caller<'_>, payload: &Payload) {
    let top = caller.top();
    if payload::push_one(caller.stack, payload).is_none() {
        caller.set_top(top);
        caller.push_nil();
    }
}

fn push_event(caller: &Caller<'_>, kind: &'static CStr, from: Option<ProcessId>, at: i64) {
    caller.push_table(0, 4);
    caller.push_text(kind);
    caller.set_own_field(-2, c"kind");
    caller.push_integer(at);
    caller.set_own_field(-2, c"at");
    if let Some(from) = from {
        caller.push_string(caller.process.node.pid_text(from).as_bytes());
        caller.set_own_field(-2, c"from");
    }
}

/// Pushes an EXIT or a LINK_DOWN.
fn push_end(caller: &Caller<'_>, kind: &'static CStr, from: ProcessId, at: i64, outcome: &Outcome) {
    push_event(caller, kind, Some(from), at);
    caller.push_table(0, 2);
    match outcome {
        Outcome::Value(value) => {
            push_payload(caller, value);
            caller.set_own_field(-2, c"value");
        }
        Outcome::Failure(failure) => {
            caller.push_string(&failure.message);
            caller.set_own_field(-2, c"error");
            caller.push_string(&failure.kind);
            caller.set_own_field(-2, c"kind");
            if let (Some(_), Some(retryable)) = (&failure.object, failure.retryable) {
                caller.push_boolean(retryable);
                caller.set_own_field(-2, c"retryable");
            }
            if let Some(object) = &failure.object {
                set_details(caller, object);
            }
        }
    }
    caller.set_own_field(-2, c"result");
}

/// Adds the details of the error object with which the process ended to the result on top of the
/// stack. They are decoded anew for each event, so no two events share a table.
fn set_details(caller: &Caller<'_>, object: &Payload) {
    let result = caller.top();
    push_payload(caller, object);
    if error_object::flags(caller.stack, -1).is_some()
        && caller.push_user_value(-1, error_object::DETAILS) == Type::Table
    {
        caller.set_raw_field(result, "details");
    }
    caller.set_top(result);
}

fn push_cancel(caller: &Caller<'_>, from: Option<ProcessId>, at: i64, deadline: Option<UnixTime>) {
    push_event(caller, CANCEL, from, at);
    if let Some(deadline) = deadline {
        caller.push_string(crate::api::time::rfc3339_utc(deadline.nanos()));
        caller.set_own_field(-2, c"deadline");
    }
}

fn message<'a>(caller: &'a Caller<'_>) -> Result<&'a MessageData, ApiFailure> {
    userdata::peek(&caller.stack, 1, UserdataKind::Message).ok_or_else(|| {
        let got = caller.kind(1).name();
        ApiFailure::Text(format!("bad argument #1 (message expected, got {got})"))
    })
}

/// Raises if the receiver of the method is no Message.
pub(super) fn require_message(caller: &Caller<'_>) -> Result<(), ApiFailure> {
    message(caller).map(|_| ())
}

/// `msg:topic()`.
fn message_topic_inner(caller: &mut Caller<'_>) -> ApiResult {
    push_topic(caller, message(caller)?);
    Ok(Reply::Return(1))
}

/// `msg:from()`.
fn message_from_inner(caller: &mut Caller<'_>) -> ApiResult {
    match message(caller)?.sender() {
        Some(from) => push_sender(caller, from),
        None => caller.push_nil(),
    }
    Ok(Reply::Return(1))
}

/// Pushes a sender's PID. The text of the last sender is kept, because a script that answers asks
/// for it repeatedly.
fn push_sender(caller: &mut Caller<'_>, from: ProcessId) {
    if caller.process.last_sender == from {
        caller.raw_get_index(REGISTRY, registry::LAST_SENDER);
        return;
    }
    caller.push_string(caller.process.node.pid_text(from).as_bytes());
    caller.push_value(-1);
    caller.raw_set_index(REGISTRY, registry::LAST_SENDER);
    caller.process.last_sender = from;
}

/// `msg:payload()`.
fn message_payload_inner(caller: &mut Caller<'_>) -> ApiResult {
    match message(caller)?.number {
        Number::Integer(value) => caller.push_integer(value),
        Number::Float(value) => caller.push_number(value),
        Number::None => {
            caller.push_user_value(1, PAYLOAD);
        }
    }
    Ok(Reply::Return(1))
}

fn message_text_inner(caller: &mut Caller<'_>) -> ApiResult {
    push_topic(caller, message(caller)?);
    let topic = caller.string(-1).unwrap_or_default();
    caller.push_string([b"message: ", topic].concat());
    Ok(Reply::Return(1))
}
