//! `process.spawn` and its variants with a monitor, a link or both.

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::function;
use crate::error::{ApiError, kind};
use crate::payload;
use crate::pid::ProcessId;
use crate::process::channel::Wake;
use crate::process::message::Answer;
use crate::spawn::{self as start, Relation, Request, Spawned, Spawner};
use crate::vm::boundary::Reply;
use crate::vm::stack::Stack;

function!(spawn, spawn_plain);
function!(spawn_monitored, spawn_with_monitor);
function!(spawn_linked, spawn_with_link);
function!(spawn_linked_monitored, spawn_with_both);

fn spawn_plain(caller: &mut Caller<'_>) -> ApiResult {
    spawn_inner(caller, Variant { name: "spawn", monitors: false, links: false })
}

fn spawn_with_monitor(caller: &mut Caller<'_>) -> ApiResult {
    spawn_inner(caller, Variant { name: "spawn_monitored", monitors: true, links: false })
}

fn spawn_with_link(caller: &mut Caller<'_>) -> ApiResult {
    spawn_inner(caller, Variant { name: "spawn_linked", monitors: false, links: true })
}

fn spawn_with_both(caller: &mut Caller<'_>) -> ApiResult {
    spawn_inner(caller, Variant { name: "spawn_linked_monitored", monitors: true, links: true })
}

/// One of the four spawn functions.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    monitors: bool,
    links: bool,
}

impl Variant {
    /// What a child of `spawner` gets besides.
    fn relation(self, spawner: u64) -> Relation {
        Relation {
            monitor: self.monitors.then_some(spawner),
            link: self.links.then_some(spawner),
            watcher: None,
        }
    }
}

fn spawn_inner(caller: &mut Caller<'_>, variant: Variant) -> ApiResult {
    caller.require_main()?;
    let relation = variant.relation(caller.process.id.uniq);
    if caller.arguments() < 2 || caller.is_missing(1) || caller.is_missing(2) {
        let name = variant.name;
        let text = format!("{name} requires at least id and host arguments");
        return Err(ApiError::invalid(text).into());
    }
    let (definition, host) = (caller.text(1)?, caller.text(2)?);
    let arguments =
        payload::encode(caller.stack, 3).map_err(|error| ApiError::invalid(error.message()))?;
    caller.wait_or_invalid()?;
    let request = Request { definition, host, arguments, relation, chain: None };
    match begin(caller, request)? {
        Spawned::Running(process) => {
            push_pid(caller, process);
            Ok(Reply::Return(2))
        }
        Spawned::Pending => caller.wait(spawn_answered),
    }
}

/// Starts a process for the caller. If its chunk is not over at once the caller's coroutine is
/// made to wait for the answer, so it must be able to.
pub(crate) fn begin(caller: &mut Caller<'_>, request: Request<'_>) -> Result<Spawned, ApiError> {
    caller.process.flush_taken();
    let node = caller.process.node.clone();
    let uniq = caller.process.id.uniq;
    let coroutines = &mut caller.process.coroutines;
    start::spawn(&node, request, || Spawner::Process { uniq, token: coroutines.wait().to_token() })
}

/// Pushes a PID and nil.
pub(crate) fn push_pid(caller: &Caller<'_>, process: ProcessId) {
    let text = caller.process.node.pid_text(process);
    caller.push_string(text.as_bytes());
    caller.push_nil();
}

fn spawn_answered(stack: Stack) -> Reply {
    caller::enter(stack, |caller| match caller.process.coroutines.take_wake() {
        Some(Wake::Answer(Answer::Spawned(Ok(process)))) => {
            push_pid(caller, process);
            Ok(Reply::Return(2))
        }
        Some(Wake::Answer(Answer::Spawned(Err(error)))) => Err(error.into()),
        _ => Err(ApiError::new(kind::INTERNAL, "the spawn got no answer").into()),
    })
}
