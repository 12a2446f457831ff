//! `process.spawn` and its variants with a monitor, a link or both. The SpawnBuilder's methods of
//! the same names are implemented here, too.

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::{function, spawner};
use crate::error::{ApiError, kind};
use crate::message::Answer;
use crate::message::context::Inherited;
use crate::payload;
use crate::pid::ProcessId;
use crate::process::objects::Plan;
use crate::process::spawn::{Setup, SpawnArguments, Spawned, Spawner};
use crate::process::{Process, spawn};
use crate::security::Action;
use crate::vm::lua::boundary::{Continuation, Reply};
use crate::vm::lua::stack::Stack;

/// One of the four spawn functions.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) monitors: bool,
    pub(crate) links: bool,
    /// The builder's method once more, called after a wait for a name.
    pub(crate) again: Continuation,
}

/// Declares the function of `process` and the builder's method for one variant.
macro_rules! variant {
    ($variant:ident, $function:ident, $method:ident, $name:literal,
     monitors: $monitors:literal, links: $links:literal) => {
        const $variant: Variant =
            Variant { name: $name, monitors: $monitors, links: $links, again: $method::again };
        function!($function, $method::plain);
        pub(crate) mod $method {
            use super::*;

            function!(shell, built);

            pub(super) fn plain(caller: &mut Caller<'_>) -> ApiResult {
                run(caller, $variant, 1, None)
            }

            fn built(caller: &mut Caller<'_>) -> ApiResult {
                let plan = spawner::receiver(caller)?;
                run(caller, $variant, 2, Some(&plan))
            }

            pub(super) fn again(stack: Stack) -> Reply {
                caller::enter(stack, |caller| {
                    // Whatever happened to the other child, the name must be looked up again.
                    drop(caller.process.inside.coroutines.take_answer());
                    built(caller)
                })
            }
        }
    };
}

variant!(PLAIN, spawn, build, "spawn", monitors: false, links: false);
variant!(MONITORED, spawn_monitored, build_monitored, "spawn_monitored",
    monitors: true, links: false);
variant!(LINKED, spawn_linked, build_linked, "spawn_linked", monitors: false, links: true);
variant!(BOTH, spawn_linked_monitored, build_linked_monitored, "spawn_linked_monitored",
    monitors: true, links: true);

/// Spawns as `variant` says. Argument `first` is the id of the definition.
fn run(caller: &mut Caller<'_>, variant: Variant, first: i32, plan: Option<&Plan>) -> ApiResult {
    caller.require_main()?;
    if caller.is_missing(first) || caller.is_missing(first + 1) {
        let name = variant.name;
        let text = format!("{name} requires at least id and host arguments");
        return Err(ApiError::invalid(text).into());
    }
    let (definition, host) = (caller.text(first)?, caller.text(first + 1)?);
    check_permissions(caller, variant, definition, host)?;
    let arguments = payload::encode(caller.stack, first + 2)
        .map_err(|error| ApiError::invalid(error.message()))?;
    caller.require_can_wait()?;
    let mut setup = setup(caller, variant);
    let mut context = caller.process.context.clone();
    if let Some(plan) = plan {
        if let Some(name) = &plan.name {
            match spawner::claim_name(caller, variant, plan, name)? {
                spawner::Claim::Reserved => setup.name = Some(name.clone()),
                spawner::Claim::Joined(process) => {
                    push_pid(caller, process);
                    return Ok(Reply::Return(2));
                }
                spawner::Claim::Wait => return caller.wait(variant.again),
            }
        }
        setup.messages.clone_from(&plan.messages);
        context = Inherited::from(context.overlaid(&plan.context));
    }
    let request = SpawnArguments { definition, host, arguments, setup, chain: None, context };
    let spawned = begin(caller, request)?;
    let child = spawned.child();
    if variant.monitors {
        // Its EXIT may have arrived already, but is not routed before this call returns.
        caller.process.inside.subscriptions.start_monitoring(child.uniq);
    }
    if spawned.is_pending() {
        return caller.wait(answered);
    }
    push_pid(caller, child);
    Ok(Reply::Return(2))
}

/// What is set up for a child of the caller before its main runs.
fn setup(caller: &Caller<'_>, variant: Variant) -> Setup {
    let own = caller.process.id;
    Setup {
        monitor: variant.monitors.then_some(own.uniq),
        link: variant.links.then_some(own.uniq),
        from: Some(own),
        ..Setup::default()
    }
}

fn check_permissions(
    caller: &mut Caller<'_>,
    variant: Variant,
    definition: &[u8],
    host: &[u8],
) -> Result<(), ApiError> {
    caller.require(Action::Spawn, definition, "spawn process")?;
    if variant.monitors {
        caller.require(Action::SpawnMonitored, definition, "spawn monitored process")?;
    }
    if variant.links {
        caller.require(Action::SpawnLinked, definition, "spawn linked process")?;
    }
    caller.require(Action::Host, host, "spawn on host")
}

/// Spawns a process for the caller. If its chunks are not over at once, the caller's coroutine
/// waits for the answer, so it must be able to wait.
pub(crate) fn begin(
    caller: &mut Caller<'_>,
    request: SpawnArguments<'_>,
) -> Result<Spawned, ApiError> {
    caller.process.flush_taken();
    let Process { node, inside, id, .. } = &mut *caller.process;
    let waiting = || Spawner::Process { uniq: id.uniq, token: inside.coroutines.wait().to_token() };
    spawn::spawn(node, request, waiting)
}

/// Pushes a PID and nil.
pub(crate) fn push_pid(caller: &Caller<'_>, process: ProcessId) {
    let text = caller.process.node.pid_text(process);
    caller.push_string(text.as_bytes());
    caller.push_nil();
}

fn answered(stack: Stack) -> Reply {
    caller::enter(stack, |caller| match caller.process.inside.coroutines.take_answer() {
        Some(Answer::Spawned { child, failure: None }) => {
            push_pid(caller, child);
            Ok(Reply::Return(2))
        }
        Some(Answer::Spawned { failure: Some(error), .. }) => Err((*error).into()),
        _ => Err(ApiError::new(kind::INTERNAL, "the spawn got no answer").into()),
    })
}
