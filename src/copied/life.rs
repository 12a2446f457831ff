//! One process from its start to its end, run without workers on the test's thread.

#![allow(unsafe_code)]

use super::Program;
use crate::app::{Application, Severity};
use crate::loader;
use crate::message::Content;
use crate::message::context::Inherited;
use crate::message::exit::Outcome;
use crate::node::definition::Definition;
use crate::node::host::HostState;
use crate::node::output::{Level, Output, PrintMode, Settings};
use crate::node::{Node, Parts, REDUCTIONS};
use crate::payload::Payload;
use crate::process::spawn::{Setup, SpawnArguments, build, deferred, place, ready};
use crate::process::tenant::{process_in, take_deferred, take_process};
use crate::process::{self, Step, death};
use crate::scheduler::Scheduler;
use crate::slot::Slot;
use crate::sync::Arc;
use crate::value::Value;
use crate::vm::image::template::Refusal;

/// How the VM of a process is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Built,
    Copied,
    /// Copied from the image of a VM in which the chunks have already run.
    Ready,
}

/// The observable behaviour of a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// Bytes in use: before the first instruction, after every step, and after full collections.
    pub(super) bytes: Vec<usize>,
    /// Number of entries of `bytes` from before main, which begins after all garbage was collected.
    pub(super) before_main: usize,
    /// A description of the end.
    pub(super) end: String,
}

impl Life {
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes.iter().copied().max().unwrap_or(0)
    }
}

/// Runs a process of the program until it ends or waits, and collects its garbage. Returns `None`
/// if the process cannot be created in this way: because it would be too large a copy, or because
/// its chunk must run in each process.
pub(super) fn live(
    program: &Program,
    way: Way,
    hash_seed: u32,
    memory_limit: usize,
) -> Option<Life> {
    let node = node(program, way, hash_seed, memory_limit);
    let slot = match way {
        Way::Ready => {
            let slot = defer(&node)?;
            assert!(is_built(&node, slot), "memory is left");
            slot
        }
        _ => build(&node, request()).expect("the process is made"),
    };
    let refusal = definition(&node).template.get().and_then(|template| template.as_ref().err());
    let life = run(slot);
    // SAFETY: this thread claimed the slot or moved its state to running, and the node has no
    // worker: this thread holds the slot, even if the process waits. `run` left no reference.
    let process = unsafe { take_process(slot) };
    drop(death::retire(&node, slot, process));
    death::release(&node, slot);
    match (way, refusal) {
        (Way::Built, Some(_)) | (Way::Copied | Way::Ready, None) => Some(life),
        (Way::Copied, Some(Refusal::TooLarge { .. })) => None,
        (_, refusal) => panic!("no template: {refusal:?}\n{}", program.text()),
    }
}

fn request() -> SpawnArguments<'static> {
    SpawnArguments {
        definition: b"app:main",
        host: b"app:host",
        arguments: Payload::default(),
        setup: Setup::default(),
        chain: None,
        context: Inherited::default(),
    }
}

/// Starts a process whose chunk need not run, and takes it as a worker does. Returns `None` if the
/// chunk has to run.
fn defer(node: &Node) -> Option<&Slot> {
    let (slot, definition) = place::claim(node, &request()).expect("there is room");
    defer_in(node, slot, definition)
}

fn defer_in<'a>(node: &Node, slot: &'a Slot, definition: &Definition) -> Option<&'a Slot> {
    // Calls `image` twice: the first start of a definition never runs the chunk for an image, so
    // this has to look like the second one.
    // SAFETY: the callers have claimed the slot on this thread; the slot and the definition belong
    // to the node.
    if (0..2).all(|_| unsafe { ready::image(node, slot, definition) }.is_none()) {
        drop(death::retire(node, slot, None));
        death::release(node, slot);
        return None;
    }
    // SAFETY: the callers have claimed the slot on this thread; the slot and the definition belong
    // to the node.
    unsafe { deferred::defer(node, slot, definition, request()) };
    assert_eq!(node.scheduler.take_injected(), Some(slot.index()), "it was scheduled");
    slot.state.transition_to_running();
    Some(slot)
}

/// Builds the process of a slot that `defer` returned; false if there is no memory for it.
fn is_built(node: &Node, slot: &Slot) -> bool {
    // SAFETY: `defer` moved the state to running on this thread, so it holds the slot, of this
    // node.
    unsafe { deferred::ensure_built(node, slot) }.is_some()
}

/// Returns how a process ends that is cancelled while its chunks run for the image.
pub(super) fn end_of_cancelled(program: &Program) -> Option<String> {
    let node = node(program, Way::Ready, 1, 0);
    let (slot, definition) = place::claim(&node, &request()).expect("there is room");
    let event = Content::Cancel { from: None, at: 0, deadline: None };
    assert!(node.cancel(slot.uniq(), None, event), "it is alive");
    defer_in(&node, slot, definition)?;
    assert!(is_built(&node, slot), "memory is left");
    let end = run(slot).end;
    // SAFETY: `defer_in` moved the state to running on this thread, and the node has no worker:
    // this thread holds the slot, even if the process waits. `run` left no reference.
    let process = unsafe { take_process(slot) };
    drop(death::retire(&node, slot, process));
    death::release(&node, slot);
    Some(end)
}

/// Whether a process that cannot be built leaves nothing behind.
pub(super) fn unbuilt_is_gone(program: &Program) -> bool {
    let node = node(program, Way::Ready, 1, 0);
    let slot = defer(&node).expect("its chunk need not run");
    let uniq = slot.uniq();
    // SAFETY: `defer` moved the state to running on this thread, so it holds the slot.
    drop(unsafe { take_deferred(slot) });
    death::end_unbuilt(&node, slot);
    node.slots.find(uniq).is_none() && node.host(0).processes() == 0
}

/// Creates a separate node, so that all of its counters and choices start anew.
fn node(program: &Program, way: Way, hash_seed: u32, memory_limit: usize) -> Arc<Node> {
    let application = Application::from_files(program.files(memory_limit));
    // Programs may require modules that do not exist.
    let errors = application.problems().iter().filter(|one| one.severity == Severity::Error);
    let problems: Vec<String> = errors.map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:?}\n{}", program.text());
    let settings =
        Settings { print_mode: PrintMode::Plain, level: Level::Off, ..Settings::default() };
    let output = Output::new(settings);
    let (scheduler, _) = Scheduler::new(1);
    let mut node = Node::new(Parts {
        id: String::new(),
        definitions: loader::definitions(&application, &Default::default(), &Default::default()),
        policies: loader::policies(&application),
        application,
        scheduler,
        output,
        script_arguments: Vec::new(),
        is_strict: false,
        reductions: REDUCTIONS,
        mailboxes: crate::app::HostConfig::default(),
        blocking: Default::default(),
    });
    node.hash_seed = hash_seed;
    node.host(0).set_state(HostState::Running);
    if way == Way::Built {
        // As if the template had been refused; the reason does not matter.
        let is_first = definition(&node).template.set(Err(Refusal::Memory)).is_ok();
        assert!(is_first, "no process was made before");
    }
    node.share()
}

fn definition(node: &Node) -> &Definition {
    node.definition(b"app:main").and_then(|loaded| loaded.as_ref().ok()).expect("it is loaded")
}

fn run(slot: &Slot) -> Life {
    // SAFETY: the callers claimed the slot or moved its state to running, and the node has no
    // worker: only this thread uses the process. The closure is called between timeslices, while no
    // other reference exists.
    let used = || unsafe { (*process_in(slot)).vm.control().used_bytes() };
    let mut bytes = vec![used()];
    let mut before_main = 0;
    let end = loop {
        // SAFETY: only this thread uses the process, as the callers hold the slot; `used` and the
        // loop leave no reference.
        let step = unsafe { process::run_timeslice(process_in(slot), REDUCTIONS) };
        bytes.push(used());
        match step {
            Step::Spent | Step::Interrupted => {}
            Step::Waiting => break "it waits".to_owned(),
            Step::Upgrading => break "it asks for new code".to_owned(),
            Step::Ended(outcome) | Step::ChunkEnded(outcome) => break text_of(&outcome),
            Step::Started => {
                // SAFETY: only this thread uses the process, as the callers hold the slot. The
                // timeslice is over, and this reference ends with the statement.
                unsafe { &*process_in(slot) }.vm.reset_after_run();
                before_main = bytes.len();
                bytes.push(used());
                // SAFETY: only this thread uses the process, as the callers hold the slot, and the
                // reference in `used` has ended.
                let process = unsafe { &mut *process_in(slot) };
                process.is_started = true;
                process.start_main().expect("there are no arguments");
            }
        }
    };
    // The second collection frees the objects whose finalizers ran in the first one.
    for _ in 0..2 {
        // SAFETY: only this thread uses the process, as the callers hold the slot. The timeslice is
        // over, and the reference ends before `used`.
        let process = unsafe { &mut *process_in(slot) };
        process.vm.collect();
        process.drop_released();
        bytes.push(used());
    }
    Life { bytes, before_main, end }
}

fn text_of(outcome: &Outcome) -> String {
    let text = |value: &Value| match value.as_bytes() {
        Some(bytes) => bytes.escape_ascii().to_string(),
        None => format!("{value:?}"),
    };
    let values = |payload: &Payload| -> String {
        match payload.values() {
            Ok(values) => values.iter().map(text).collect(),
            Err(error) => error.to_string(),
        }
    };
    match outcome {
        Outcome::Value(payload) => values(payload),
        Outcome::Failure(failure) => format!(
            "Failure: {} {} {:?} {:?} {:?}",
            String::from_utf8_lossy(&failure.kind),
            failure.message(),
            failure.retryable,
            failure.object.as_ref().map(values),
            failure.traceback,
        ),
    }
}
