//! `process.request` and `message:reply`.
//!
//! A request is a message with a [`Requester`]. Lua gets it as a Message with a hidden userdata for the
//! requester, whose finalizer tells the runtime when nobody can answer any more.

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::{exit, function, inbox, object, send};
use crate::coroutines::timers::TimerAction;
use crate::error::{ApiError, kind};
use crate::message::{Answer, Content, Message, Reply as Answered, Request, Requester, Topic};
use crate::payload;
use crate::process::objects::Object;
use crate::security::Action;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{Class, UserdataKind};

function!(request, request_inner);
function!(reply, reply_inner);

static CLASS: Class = Class {
    kind: UserdataKind::Request,
    name: "moonlet.request",
    methods: &[],
    metamethods: &[("__gc", object::collected)],
};

const LIMIT: &str = "timeout must be either a duration string or milliseconds number";

/// `process.request(destination, topic, timeout, ...)`.
fn request_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if (1..=3).any(|index| caller.is_missing(index)) {
        let text = "request requires at least destination, topic and timeout arguments";
        return Err(ApiError::invalid(text).into());
    }
    let (destination, topic) = (caller.text(1)?, caller.text(2)?);
    let limit = limit(caller, 3)?;
    send::check_topic(topic, "send")?;
    let target = caller.resolve(destination)?;
    caller.require_on(Action::Send, &target, destination, "send")?;
    let payload =
        payload::encode(caller.stack, 4).map_err(|error| ApiError::invalid(error.message()))?;
    caller.require_can_wait()?;
    let target = target.process("process not found")?;
    let (from, token) = (caller.process.id, caller.process.inside.coroutines.next_token());
    let request = Request {
        from: Some(from),
        topic: Topic::from_slice(topic),
        payload,
        requester: Requester::Coroutine { uniq: from.uniq, token },
    };
    caller.process.flush_taken();
    let content = Content::Request(Box::new(request));
    caller.process.node.send(target, Message::new(target.uniq, content))?;
    let ticket = caller.process.inside.coroutines.wait();
    debug_assert_eq!(ticket.to_token(), token);
    let due = caller.process.node.clock.now().saturating_add(limit);
    let timer = caller.process.waits.get_mut().timers.add(due, TimerAction::Wake(ticket));
    // For the continuation.
    caller.set_top(0);
    caller.push_integer(timer as i64);
    caller.wait(answered)
}

/// Reads a timeout, in nanoseconds.
pub(super) fn limit(caller: &Caller<'_>, index: i32) -> Result<u64, ApiError> {
    let nanos = exit::time_left(caller, index, LIMIT)?.unwrap_or_default();
    match u64::try_from(nanos) {
        Ok(nanos @ 1..) => Ok(nanos),
        _ => Err(ApiError::invalid("timeout must be more than zero")),
    }
}

fn answered(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        let timer = caller.integer(-1).unwrap_or_default() as u64;
        match caller.process.inside.coroutines.take_answer() {
            Some(Answer::Reply(reply)) => {
                caller.process.waits.get_mut().timers.stop(timer);
                push_answer(caller, reply)
            }
            _ => {
                let error = ApiError::new(kind::TIMEOUT, "no answer");
                Err(ApiError { retryable: true, ..error }.into())
            }
        }
    })
}

fn push_answer(caller: &Caller<'_>, reply: Answered) -> ApiResult {
    inbox::push_payload(caller, &reply.map_err(|error| *error)?);
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// Makes the Message on top of the stack one that can be answered.
pub(crate) fn attach(caller: &mut Caller<'_>, requester: Requester) {
    object::push(caller, &CLASS, Object::Request(Some(requester)));
    caller.set_user_value(-2, inbox::REQUEST);
}

/// `message:reply(...)`.
fn reply_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    inbox::require_message(caller)?;
    let payload =
        payload::encode(caller.stack, 2).map_err(|error| ApiError::invalid(error.message()))?;
    if caller.push_user_value(1, inbox::REQUEST) != Type::Userdata {
        return Err(ApiError::invalid("no request: the message was sent by process.send").into());
    }
    let Some(Object::Request(requester)) = object::at_mut(caller, -1, UserdataKind::Request) else {
        return Err(ApiError::new(kind::INTERNAL, "the request is lost").into());
    };
    let Some(requester) = requester.take() else {
        let text = "the request was answered already";
        return Err(ApiError::new(kind::ALREADY_EXISTS, text).into());
    };
    caller.process.flush_taken();
    if !caller.process.node.answer(requester, Ok(payload)) {
        caller.process.node.metrics.count_dead_letters(1);
        let text = "nobody waits for the answer any more";
        return Err(ApiError::not_found(text).into());
    }
    caller.succeed()
}
