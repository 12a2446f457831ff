//! Functions of `time` that wait: `sleep`, `after`, timers and tickers.

use super::span::duration_argument;
use crate::api::caller::{self, ApiFailure, ApiResult, Caller};
use crate::api::{channel, function};
use crate::coroutines::channel::{Channel, ChannelId};
use crate::coroutines::timers::{TICKS_MAX, TimerAction};
use crate::error::ApiError;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::Stack;
use crate::vm::lua::userdata::{self, Class, UserdataKind};

function!(sleep, sleep_inner);
function!(after, after_inner);
function!(timer, timer_inner);
function!(ticker, ticker_inner);
function!(timer_channel, timer_channel_inner);
function!(timer_stop, timer_stop_inner);
function!(timer_reset, timer_reset_inner);
function!(ticker_stop, ticker_stop_inner);

/// The data of a Timer's or Ticker's userdata. The user value is the channel.
#[derive(Clone, Copy)]
struct TimerData {
    number: u64,
    channel: ChannelId,
}

const CHANNEL: i32 = 1;

static TIMER: Class = Class {
    kind: UserdataKind::Timer,
    name: "moonlet.timer",
    methods: &[
        ("channel", timer_channel),
        ("response", timer_channel),
        ("stop", timer_stop),
        ("reset", timer_reset),
    ],
    metamethods: &[],
};

static TICKER: Class = Class {
    kind: UserdataKind::Ticker,
    name: "moonlet.ticker",
    methods: &[("channel", timer_channel), ("response", timer_channel), ("stop", ticker_stop)],
    metamethods: &[],
};

fn due_in(caller: &Caller<'_>, nanos: i64) -> u64 {
    caller.process.node.clock.now().saturating_add(nanos.max(0) as u64)
}

/// `time.sleep(d)`.
fn sleep_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let nanos = duration_argument(caller, 1)?;
    if nanos <= 0 {
        return Ok(Reply::Return(0));
    }
    caller.require_can_wait_raised()?;
    let due = due_in(caller, nanos);
    let ticket = caller.process.inside.coroutines.wait();
    caller.process.waits.get_mut().timers.add(due, TimerAction::Wake(ticket));
    caller.wait(slept)
}

fn slept(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.inside.coroutines.take_wake();
        Ok(Reply::Return(0))
    })
}

fn positive(caller: &Caller<'_>, index: i32) -> Result<i64, ApiError> {
    let nanos = duration_argument(caller, index)?;
    if nanos > 0 { Ok(nanos) } else { Err(ApiError::invalid("duration must be > 0")) }
}

/// Adds a timer with its own channel, whose userdata is pushed.
fn add(
    caller: &mut Caller<'_>,
    nanos: i64,
    capacity: u32,
    action: impl FnOnce(ChannelId) -> TimerAction,
) -> TimerData {
    let due = due_in(caller, nanos);
    let process = &mut *caller.process;
    let number = process.waits.get_mut().timers.next_number();
    let channel = channel::add(caller, Channel::for_moments(number, capacity));
    caller.process.waits.get_mut().timers.add(due, action(channel));
    TimerData { number, channel }
}

/// `time.after(d)`.
fn after_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let nanos = positive(caller, 1)?;
    add(caller, nanos, 1, |channel| TimerAction::Fire { channel, closes: true });
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// Pushes the object of a timer whose channel is on top of the stack, and nil.
fn push_object(caller: &Caller<'_>, class: &'static Class, data: TimerData) -> ApiResult {
    userdata::push(caller.stack, class, data, 1);
    caller.push_value(-2);
    caller.set_user_value(-2, CHANNEL);
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `time.timer(d)`.
fn timer_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let nanos = positive(caller, 1)?;
    let data = add(caller, nanos, 1, |channel| TimerAction::Fire { channel, closes: false });
    push_object(caller, &TIMER, data)
}

/// `time.ticker(d)`.
fn ticker_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let period = positive(caller, 1)?;
    let data = add(caller, period, TICKS_MAX, |channel| TimerAction::Tick {
        channel,
        period: period as u64,
    });
    push_object(caller, &TICKER, data)
}

fn receiver(caller: &Caller<'_>, kind: UserdataKind, name: &str) -> Result<TimerData, ApiFailure> {
    userdata::get(caller.stack, 1, kind).ok_or_else(|| {
        let got = caller.kind(1).name();
        ApiFailure::Text(format!("bad argument #1 ({name} expected, got {got})"))
    })
}

/// `t:channel()` of both.
fn timer_channel_inner(caller: &mut Caller<'_>) -> ApiResult {
    let timer = receiver(caller, UserdataKind::Timer, "timer");
    timer.or_else(|_| receiver(caller, UserdataKind::Ticker, "timer or ticker"))?;
    caller.push_user_value(1, CHANNEL);
    Ok(Reply::Return(1))
}

fn stop(caller: &mut Caller<'_>, data: TimerData) -> ApiResult {
    let was_active = caller.process.waits.get_mut().timers.stop(data.number).is_some();
    if was_active
        && let Some((channel, coroutines)) = channel::with_coroutines(caller.process, data.channel)
    {
        channel.close(coroutines);
    }
    caller.push_boolean(was_active);
    Ok(Reply::Return(1))
}

/// `timer:stop()`.
fn timer_stop_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let data = receiver(caller, UserdataKind::Timer, "timer")?;
    stop(caller, data)
}

/// `ticker:stop()`.
fn ticker_stop_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let data = receiver(caller, UserdataKind::Ticker, "ticker")?;
    stop(caller, data)
}

/// `timer:reset(d)`.
fn timer_reset_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let data = receiver(caller, UserdataKind::Timer, "timer")?;
    let nanos = positive(caller, 2).map_err(ApiFailure::Raised)?;
    let due = due_in(caller, nanos);
    let was_active = caller.process.waits.get_mut().timers.reset(data.number, due);
    caller.push_boolean(was_active);
    Ok(Reply::Return(1))
}
