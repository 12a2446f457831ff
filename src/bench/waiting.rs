//! Real processes that wait, without workers: the thread of the study runs them, timeslice by
//! timeslice, and examines their VMs as only a worker may. For the study in `docs/hibernation.md`.

#![allow(unsafe_code)]

use std::path::PathBuf;

use crate::app::{Application, HostConfig};
use crate::loader;
use crate::message::context::Inherited;
use crate::message::{Content, Message, Topic};
use crate::node::host::HostState;
use crate::node::output::{Level, Output, Settings};
use crate::node::{Node, Parts, REDUCTIONS};
use crate::payload::Payload;
use crate::pid::{self, ProcessId};
use crate::process::spawn::deferred::Built;
use crate::process::spawn::{self, Setup, SpawnArguments, deferred, start};
use crate::process::tenant::process_in;
use crate::process::{self, Process, Step, death};
use crate::scheduler::Scheduler;
use crate::slot::Slot;
use crate::slot::state::{Notify, Rest};
use crate::sync::Arc;
use crate::value::Value;
use crate::vm::image::difference::Difference;
use crate::vm::image::template::Template;
use crate::vm::lua::control::KILL_TERMINATED;

pub use crate::vm::image::difference::Figures;

/// The host of all processes.
const HOST: &str = "app:host";
/// The byte that fills the memory of a packed process, so that a missing restore cannot go
/// unnoticed.
const RUBBISH: u8 = 0xdb;

/// A node whose processes run only when the study tells it to.
pub struct Waiting {
    node: Arc<Node>,
}

/// A handle to a waiting process.
#[derive(Clone, Copy, Debug)]
pub struct Sleeper(ProcessId);

/// The memory of a process, packed.
pub struct Packed(Difference);

impl Packed {
    /// Returns the number of bytes that are kept.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Waiting {
    /// Loads definitions, given by name and source.
    pub fn new(sources: &[(&str, &str)]) -> Waiting {
        let mut index =
            "namespace: app\nentries:\n- { name: host, kind: process.host }\n".to_owned();
        let mut files = Vec::new();
        for (name, source) in sources {
            let file = format!("{name}.lua");
            index += &format!("- {{ name: {name}, kind: process.lua, source: 'file://{file}', ");
            index += "modules: [time] }\n";
            files.push((PathBuf::from(file), source.as_bytes().to_vec()));
        }
        files.push((PathBuf::from("_index.yaml"), index.into_bytes()));
        let output = Output::new(Settings { level: Level::Error, ..Settings::default() });
        let application = Application::from_files(files);
        let node = Node::new(Parts {
            id: String::new(),
            definitions: loader::definitions(
                &application,
                &Default::default(),
                &Default::default(),
            ),
            policies: loader::policies(&application),
            application,
            scheduler: Scheduler::new(1).0,
            output,
            script_arguments: Vec::new(),
            is_strict: false,
            reductions: REDUCTIONS,
            mailboxes: HostConfig::default(),
            blocking: Default::default(),
        });
        node.hosts().iter().for_each(|host| host.set_state(HostState::Running));
        Waiting { node: node.share() }
    }

    /// Starts a process and runs it, and the processes that it wakes, until all wait. Returns
    /// `None` if it cannot start.
    pub fn start(&self, name: &str, arguments: &[Value]) -> Option<Sleeper> {
        let definition = format!("app:{name}");
        let request = SpawnArguments {
            definition: definition.as_bytes(),
            host: HOST.as_bytes(),
            arguments: Payload::from_values(arguments).expect("plain data"),
            setup: Setup::default(),
            chain: None,
            context: Inherited::default(),
        };
        // No outside thread waits for the process: 0 is the ticket of none.
        let process = spawn::spawn_from_outside(&self.node, request, 0).ok()?;
        self.run();
        self.node.slots.find(process.uniq).map(|_| Sleeper(process))
    }

    /// Returns the text of a process's PID.
    pub fn pid(&self, sleeper: Sleeper) -> Value {
        Value::from(self.node.pid_text(sleeper.0).as_bytes())
    }

    /// Returns whether a process is alive.
    pub fn is_alive(&self, sleeper: Sleeper) -> bool {
        self.node.slots.find(sleeper.0.uniq).is_some()
    }

    /// Sends from one process to another and runs all processes until they wait; returns false if
    /// the receiver has ended.
    pub fn send(&self, from: Sleeper, to: Sleeper, topic: &str, values: &[Value]) -> bool {
        let content = Content::User {
            from: Some(from.0),
            topic: Topic::from_slice(topic.as_bytes()),
            payload: Payload::from_values(values).expect("plain data"),
        };
        let is_sent = self.node.send(to.0, Message::new(to.0.uniq, content)).is_ok();
        self.run();
        is_sent
    }

    /// Collects the garbage of a process.
    pub fn collect(&self, sleeper: Sleeper) {
        self.hold(sleeper, |process, _| process.vm.collect());
    }

    /// Returns the sizes of a process's memory.
    pub fn figures(&self, sleeper: Sleeper) -> Figures {
        self.hold(sleeper, |process, template| {
            template.figures(&process.vm).expect("it began as a copy of the template")
        })
    }

    /// Packs a process.
    pub fn pack(&self, sleeper: Sleeper) -> Packed {
        self.hold(sleeper, |process, template| {
            Packed(template.pack(&process.vm).expect("it began as a copy of the template"))
        })
    }

    /// Packs a process, wipes its memory and restores it; returns what was kept meanwhile.
    pub fn pack_and_restore(&self, sleeper: Sleeper) -> Packed {
        self.hold(sleeper, |process, template| {
            let vm = &process.vm;
            let before = template.figures(vm);
            let difference = template.pack(vm).expect("it began as a copy of the template");
            // SAFETY: `pack` has just created it from this VM, which `hold` keeps from running
            // until its memory is restored.
            unsafe { difference.wipe(RUBBISH) };
            // SAFETY: this template has created it from this VM, which was not used since: `wipe`
            // changed only the memory that is restored here.
            let is_back = unsafe { template.restore(vm, &difference) };
            assert!(is_back, "what was packed can be unpacked");
            assert_eq!(template.figures(vm), before, "nothing was lost");
            Packed(difference)
        })
    }

    /// Unpacks the first block's part of a process into any memory; returns false if the memory is
    /// too short.
    pub fn unpack_into(&self, sleeper: Sleeper, packed: &Packed, memory: &mut [usize]) -> bool {
        self.hold(sleeper, |_, template| template.unpack_first(&packed.0, memory))
    }

    /// Takes a waiting process as a worker does, and returns it to waiting.
    fn hold<T>(&self, sleeper: Sleeper, act: impl FnOnce(&Process, &Template) -> T) -> T {
        let slot = self.node.slots.find(sleeper.0.uniq).expect("the process lives");
        let notified = slot.state.notify(pid::generation_of(sleeper.0.uniq));
        assert_eq!(notified, Notify::Schedule, "the process waits");
        slot.state.transition_to_running();
        // SAFETY: this thread moved the state to running, so it holds the slot. A waiting process
        // has a VM, and no reference to it exists.
        let process = unsafe { &*process_in(slot) };
        let template = template_of(process);
        let result = act(process, template.expect("the definition has a template"));
        assert_eq!(slot.state.transition_to_waiting(), Rest::Waiting, "no other thread is here");
        result
    }

    /// Runs all processes that are ready, until none is.
    fn run(&self) {
        while let Some(runnable) = self.node.scheduler.take_injected() {
            let slot = self.node.slots.slot(runnable.into()).expect("it was scheduled");
            slot.state.transition_to_running();
            // SAFETY: this thread moved the state to running, so it holds the slot, of this node.
            let process = unsafe { deferred::ensure_built(&self.node, slot) };
            let Some(Built::Lua(process)) = process else { panic!("memory is left") };
            let process = process.as_ptr();
            // SAFETY: this thread holds the slot, whose process this is, and has no reference to
            // it.
            let step = unsafe { process::run_timeslice(process, self.node.reductions) };
            // SAFETY: the step is the result of the timeslice that this thread has just run in this
            // slot.
            unsafe { self.after(slot, step) };
        }
    }

    /// # Safety
    /// `run_timeslice` has returned `step` on this thread for the process in this slot. Unless that
    /// is [`Step::Waiting`], this thread still holds the slot.
    unsafe fn after(&self, slot: &Slot, step: Step) {
        match step {
            Step::Waiting => {}
            Step::Spent | Step::Interrupted => {
                slot.state.transition_to_scheduled();
                self.node.scheduler.schedule_last(slot.index());
            }
            // SAFETY: this thread holds the slot (the caller guarantees it), and the timeslice is
            // over: there is a process in the slot, and no reference to it.
            Step::Started => unsafe { start::started(&self.node, slot) },
            // SAFETY: the timeslice ended with this step, so the thread holds the slot and its
            // process.
            Step::ChunkEnded(outcome) => unsafe { start::failed(&self.node, slot, outcome) },
            // SAFETY: the timeslice ended with this step, so the thread holds the slot and its
            // process.
            Step::Ended(outcome) => unsafe { death::end(&self.node, slot, outcome) },
            Step::Upgrading => unreachable!("no process of a bench asks for new code"),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let living: Vec<u64> = self.node.slots.used().map(Slot::uniq).collect();
        for uniq in living {
            self.node.kill(uniq, KILL_TERMINATED);
        }
        self.run();
    }
}

/// Returns the template that the process was copied from.
fn template_of(process: &Process) -> Option<&Template> {
    let definition = &process.definition;
    if process.is_copied_ready {
        return definition.ready.image.get()?.as_ref().map(|ready| &ready.template);
    }
    definition.template.get()?.as_ref().ok()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ECHO: &str = r#"
        local count = 0
        return function()
            local inbox, seen = process.inbox(), {}
            while true do
                local message = inbox:receive()
                count = count + 1
                seen[message:topic()] = { message:payload(), count }
                seen[function() return count end] = true
                process.send(message:from(), "seen", count)
            end
        end"#;
    const COUNTER: &str = r#"
        return function(wanted)
            local inbox = process.inbox()
            for number = 1, wanted do
                local message = inbox:receive()
                if message:topic() == "seen" and message:payload() ~= number then return end
            end
            inbox:receive()
        end"#;

    #[test]
    fn a_process_that_was_packed_goes_on_where_it_was() {
        let waiting = Waiting::new(&[("echo", ECHO), ("counter", COUNTER)]);
        let echo = waiting.start("echo", &[]).unwrap();
        let counter = waiting.start("counter", &[Value::Integer(200)]).unwrap();
        for number in 0..200 {
            let packed = waiting.pack_and_restore(echo);
            assert!(packed.len() < waiting.figures(echo).words * size_of::<usize>());
            if number % 50 == 49 {
                waiting.collect(echo);
            }
            let topic = format!("topic {}", number % 7);
            assert!(waiting.send(counter, echo, &topic, &[Value::Integer(number)]));
            assert!(waiting.is_alive(echo) && waiting.is_alive(counter), "at {number}");
        }
        // The counter has received all answers and waits for one more message, after which it ends.
        assert!(waiting.send(echo, counter, "end", &[]));
        assert!(!waiting.is_alive(counter) && waiting.is_alive(echo));
    }

    #[test]
    fn one_that_has_just_begun_to_wait_is_packed_small() {
        let source = "return function() local message = process.inbox():receive() end";
        let waiting = Waiting::new(&[("idler", source)]);
        let idler = waiting.start("idler", &[]).unwrap();
        let figures = waiting.figures(idler);
        assert!(figures.packed * 4 < figures.block, "{figures:?}");
        assert_eq!(waiting.pack(idler).len(), figures.packed);
        let mut memory = vec![1; 10];
        assert!(!waiting.unpack_into(idler, &waiting.pack(idler), &mut memory), "too short");
        memory.resize(figures.words, 1);
        assert!(waiting.unpack_into(idler, &waiting.pack(idler), &mut memory));
    }
}
