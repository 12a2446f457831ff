//! Starting processes, for scripts and host programs alike.
//!
//! The chunk is the child's first slice. The spawner's worker runs it at once, since it holds
//! the new process anyway, so the common short chunk costs no switch. If it exceeds its slice
//! the child goes on like any other process and the spawner waits for its answer.

#![allow(unsafe_code)]

use crate::api;
use crate::death;
use crate::error::{ApiError, kind};
use crate::host::{HostState, Limits};
use crate::node::Node;
use crate::output::{Level, Record};
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::process::context::Inherited;
use crate::process::definition::Definition;
use crate::process::exit::{Failure, Outcome, Watcher};
use crate::process::links;
use crate::process::message::{Answer, Content, Message, Topic};
use crate::process::outcome;
use crate::process::slot::{NoRoom, Slot};
use crate::process::{self, Process, Step};
use crate::sync::Arc;
use crate::tickets::Notice;
use crate::vm::Vm;
use crate::vm::template::Refusal;

/// Why a process was not started, on its way to a spawner that waited.
pub(crate) type SpawnError = ApiError;

/// Who is told that the chunk is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spawner {
    /// The thread that spawns runs the chunk itself and sees the end of it.
    Here,
    /// A waiting coroutine.
    Process { uniq: u64, token: u64 },
    /// A thread outside of the runtime.
    Outside(u64),
}

/// What else is set up before main runs.
#[derive(Debug, Default)]
pub(crate) struct Relation {
    /// The process that monitors the child from the start.
    pub(crate) monitor: Option<u64>,
    /// The process that is linked with the child from the start.
    pub(crate) link: Option<u64>,
    /// Who else is told about the end.
    pub(crate) watcher: Option<Watcher>,
    /// A name that is reserved for the child.
    pub(crate) name: Option<Arc<[u8]>>,
    /// What is queued for it before anything else, and from whom.
    pub(crate) messages: Vec<(Topic, Payload)>,
    pub(crate) from: Option<ProcessId>,
}

/// A process to be started.
pub(crate) struct Request<'a> {
    pub(crate) definition: &'a [u8],
    pub(crate) host: &'a [u8],
    pub(crate) arguments: Payload,
    pub(crate) relation: Relation,
    /// The call chain to belong to; a new one if absent.
    pub(crate) chain: Option<u64>,
    /// What the child inherits.
    pub(crate) context: Inherited,
}

/// How a spawn goes on.
#[derive(Debug)]
pub(crate) enum Spawned {
    /// It runs.
    Running(ProcessId),
    /// Its chunk takes longer; the answer comes to the spawner.
    Pending(ProcessId),
}

/// Starts a process from a worker. `waiting` makes the spawner wait and returns its token; it is
/// called only if the chunk is not over at once.
pub(crate) fn spawn(
    node: &Node,
    request: Request<'_>,
    waiting: impl FnOnce() -> Spawner,
) -> Result<Spawned, ApiError> {
    let (slot, definition) = place(node, &request).inspect_err(|_| {
        settle_name(node, &request.relation, None);
    })?;
    if request.arguments.count() <= newborn::ARGUMENTS_MAX
        && ready::image(node, slot, definition).is_some()
    {
        let id = newborn::bear(node, slot, definition, request);
        return Ok(Spawned::Running(id));
    }
    with_chunk(node, slot, definition, request)?;
    let is_capped = node.host(slot.host()).gate.is_capped();
    if !is_capped {
        // SAFETY: `place` claimed the slot, so this thread alone has the process.
        let run_chunk = || unsafe { process::run_timeslice(slot.process(), node.reductions) };
        match node.scheduler.while_spawning(run_chunk) {
            Step::Started => {
                let id = start(node, slot)?;
                run_main(node, slot);
                return Ok(Spawned::Running(id));
            }
            Step::Ended(outcome) => return Err(discard(node, slot, outcome)),
            // Chunks cannot wait, so it is in the middle of its code.
            Step::Spent | Step::Interrupted | Step::Waiting | Step::Upgrading => {}
        }
    }
    // SAFETY: as above; the process is not running.
    let process = unsafe { &mut *slot.process() };
    process.spawner = waiting();
    let id = process.id;
    slot.state.transition_to_scheduled();
    node.scheduler.schedule_last(slot.index());
    Ok(Spawned::Pending(id))
}

/// Starts a process from a thread outside; the notice comes to `ticket`.
pub(crate) fn spawn_from_outside(
    node: &Node,
    request: Request<'_>,
    ticket: u64,
) -> Result<ProcessId, ApiError> {
    let slot = build(node, request)?;
    // SAFETY: `build` claimed the slot, so this thread alone has the process.
    unsafe { (*slot.process()).spawner = Spawner::Outside(ticket) };
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    slot.state.transition_to_scheduled();
    node.scheduler.schedule(slot.index(), &node.clock);
    Ok(id)
}

/// Builds a process whose first chunk is ready to run, in a slot that this thread holds.
fn build<'a>(node: &'a Node, request: Request<'_>) -> Result<&'a Slot, ApiError> {
    let (slot, definition) = place(node, &request).inspect_err(|_| {
        settle_name(node, &request.relation, None);
    })?;
    with_chunk(node, slot, definition, request)?;
    Ok(slot)
}

/// Finds what a process needs: its code, and a slot of its host.
fn place<'a>(
    node: &'a Node,
    request: &Request<'_>,
) -> Result<(&'a Slot, &'a Definition), ApiError> {
    let (host, definition) = find(node, request)?;
    check_messages(&node.host(host).limits, &request.relation.messages)?;
    if !node.enter(host) {
        return Err(ApiError::rate_limited("max processes limit exceeded"));
    }
    let Some(slot) = node.claim_slot() else {
        node.leave(host);
        return Err(ApiError::rate_limited("max processes limit exceeded"));
    };
    slot.occupy(host);
    Ok((slot, definition))
}

/// Puts a process whose first chunk is ready to run into its slot, or gives that back.
fn with_chunk(
    node: &Node,
    slot: &Slot,
    definition: &Definition,
    request: Request<'_>,
) -> Result<(), ApiError> {
    let Request { arguments, relation, chain, context, .. } = request;
    let vm = match new_vm(node, slot.host(), definition) {
        Ok(vm) => vm,
        Err(error) => {
            drop(death::retire(node, slot, None));
            settle_name(node, &relation, None);
            death::release(node, slot);
            return Err(error);
        }
    };
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let chain = chain.unwrap_or_else(|| node.next_chain());
    // SAFETY: it goes into its slot below.
    let mut process = unsafe { Process::new(vm, id, chain, node, definition, context) };
    process.arguments = Some(Box::new(arguments));
    process.relation = Some(Box::new(relation));
    process.start_chunk(0);
    slot.set_process(Box::into_raw(process));
    Ok(())
}

/// Whether the mailbox of a new process takes these messages.
fn check_messages(limits: &Limits, messages: &[(Topic, Payload)]) -> Result<(), ApiError> {
    let bytes: usize = messages.iter().map(|(_, payload)| payload.size()).sum();
    let refused = |reason: NoRoom| Err(ApiError::rate_limited(reason.text()));
    if limits.mailbox != 0 && messages.len() > limits.mailbox as usize {
        return refused(NoRoom::Mailbox);
    }
    if limits.memory_bytes != 0 && bytes > limits.memory_bytes {
        return refused(NoRoom::Memory);
    }
    Ok(())
}

/// Ends the reservation of a child's name, if there is one, and wakes who waits for it.
fn settle_name(node: &Node, relation: &Relation, process: Option<ProcessId>) {
    let Some(name) = &relation.name else { return };
    for waiter in node.names.settle(&node.slots, name, process) {
        let answer = Answer::Retry;
        node.deliver_event(waiter.uniq, Content::Answer { token: waiter.token, answer });
    }
}

/// Makes the VM of a process, ready to run its first chunk.
pub(crate) fn new_vm(node: &Node, host: u32, definition: &Definition) -> Result<Vm, ApiError> {
    let limit = node.host(host).limits.memory_bytes;
    let no_memory = || ApiError::new(kind::INTERNAL, "not enough memory for a new process");
    api::new_vm(definition, limit, node.hash_seed, |reason| {
        report_refusal(node, definition, reason)
    })
    .ok_or_else(no_memory)
}

/// Says that each process of a definition takes longer to start than it could, and why.
#[cold]
fn report_refusal(node: &Node, definition: &Definition, reason: &Refusal) {
    node.metrics.count_refused_template();
    let text = format!("{}: processes are built one by one, not copied: {reason}", definition.id);
    node.output.say(Level::Debug, &text);
}

fn find<'a>(node: &'a Node, request: &Request<'_>) -> Result<(u32, &'a Definition), ApiError> {
    let host = node.host_index(request.host);
    let host = host.ok_or_else(|| {
        let id = String::from_utf8_lossy(request.host);
        ApiError::not_found("host not found").with_detail("host_id", id)
    })?;
    match node.host(host).state() {
        HostState::Running => {}
        HostState::Stopping => {
            return Err(ApiError::new(kind::UNAVAILABLE, "host is shutting down"));
        }
        HostState::Inactive | HostState::Stopped => {
            return Err(ApiError::new(kind::UNAVAILABLE, "host is not running"));
        }
    }
    Ok((host, find_definition(node, request.definition)?))
}

/// The definition with this entry id.
pub(crate) fn find_definition<'a>(node: &'a Node, id: &[u8]) -> Result<&'a Definition, ApiError> {
    let loaded = node.definition(id);
    let loaded = loaded.ok_or_else(|| {
        let id = String::from_utf8_lossy(id);
        ApiError::not_found("process definition not found").with_detail("entry_id", id)
    })?;
    match loaded {
        Ok(definition) => Ok(definition),
        Err(reason) => Err(ApiError::new(kind::INTERNAL, reason)),
    }
}

/// The chunks are over: sets up what the spawner asked for and makes main ready, for `run_main`.
fn start(node: &Node, slot: &Slot) -> Result<ProcessId, ApiError> {
    let raw = slot.process();
    // SAFETY: this thread runs or built the process and nothing of it runs now.
    let process = unsafe { &mut *raw };
    if let Err(failure) = process.start_main() {
        return Err(discard(node, slot, Outcome::Failure(failure)));
    }
    process.is_started = true;
    let id = process.id;
    if let Some(relation) = process.relation.take() {
        relate(node, slot, id, *relation);
    }
    node.scheduler.count(|counters| &counters.spawned);
    Ok(id)
}

/// Makes a process that was started runnable. Another worker may run it to its end at once, so this
/// comes after everything that is to be seen before that end.
fn run_main(node: &Node, slot: &Slot) {
    slot.state.transition_to_scheduled();
    node.scheduler.schedule_young(slot.index());
}

fn relate(node: &Node, slot: &Slot, id: ProcessId, mut relation: Relation) {
    let monitor = relation.monitor.map(Watcher::Monitor);
    if monitor.is_some() || relation.watcher.is_some() {
        slot.relations().watchers.extend(relation.watcher.into_iter().chain(monitor));
    }
    if let Some(spawner) = relation.link {
        // One that is gone does not take the child with it: the child is started all the same.
        let _ = links::link(&node.slots, spawner, id.uniq);
    }
    for (topic, payload) in std::mem::take(&mut relation.messages) {
        // `check_messages` has seen that there is room, and nobody else knows of it yet.
        let _ = slot.mailbox.reserve(1, 0);
        if node.host(id.host).limits.memory_bytes > 0 {
            slot.mailbox.reserve_bytes(payload.size(), 0, usize::MAX);
        }
        let content = Content::User { from: relation.from, topic, payload };
        // This thread holds the process, so it lives and need not be scheduled.
        let _ = node.deliver(slot, Message::new(id.uniq, content));
    }
    // Last: whoever finds the name may send at once.
    settle_name(node, &relation, Some(id));
}

/// A worker ran the chunks of a process to their end: the spawner waits for the answer.
pub(crate) fn started(node: &Node, slot: &Slot) {
    // SAFETY: the worker holds the process, which it just ran.
    let (spawner, id) = unsafe { ((*slot.process()).spawner, (*slot.process()).id) };
    let result = start(node, slot);
    let is_started = result.is_ok();
    answer(node, spawner, id, result.err());
    if is_started {
        run_main(node, slot);
    }
}

/// A worker ran a chunk that failed.
pub(crate) fn failed(node: &Node, slot: &Slot, process: Box<Process>, outcome: Outcome) {
    let (spawner, id) = (process.spawner, process.id);
    let error = take_back(node, slot, process, outcome);
    answer(node, spawner, id, Some(error));
}

fn answer(node: &Node, spawner: Spawner, child: ProcessId, failure: Option<SpawnError>) {
    match spawner {
        Spawner::Here => {}
        Spawner::Process { uniq, token } => {
            let answer = Answer::Spawned { child, failure: failure.map(Box::new) };
            node.deliver_event(uniq, Content::Answer { token, answer });
        }
        Spawner::Outside(ticket) => {
            let result = failure.map_or(Ok(child), Err);
            node.tickets.notify(ticket, Notice::Started(result));
        }
    }
}

/// Takes back a process that never ran its main.
fn discard(node: &Node, slot: &Slot, outcome: Outcome) -> ApiError {
    // SAFETY: this thread holds the process, which does not run.
    let process = unsafe { Box::from_raw(slot.process()) };
    take_back(node, slot, process, outcome)
}

fn take_back(node: &Node, slot: &Slot, mut process: Box<Process>, outcome: Outcome) -> ApiError {
    let error = error_of(&process, outcome);
    let relation = process.relation.take();
    drop(death::retire(node, slot, Some(process)));
    if let Some(relation) = relation {
        settle_name(node, &relation, None);
    }
    death::release(node, slot);
    error
}

fn error_of(process: &Process, outcome: Outcome) -> ApiError {
    let failure = match outcome {
        Outcome::Failure(failure) => *failure,
        Outcome::Value(_) => Failure::text(outcome::CHUNK_ENDED),
    };
    if failure.traceback.is_some() && process.node.output.logs(Level::Debug) {
        process.node.output.log(&Record {
            level: Level::Debug,
            origin: Some(&process.origin()),
            logger: b"",
            message: &[b"chunk failed: ", &*failure.message].concat(),
            fields: &[],
            traceback: failure.traceback.as_deref(),
        });
    }
    outcome::of_chunk(&failure)
}

#[cfg(all(test, not(loom)))]
mod copied;
mod newborn;
mod ready;

pub(crate) use newborn::{Newborn, process_of};
