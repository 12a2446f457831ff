//! The supervisor: starts, watches, restarts and stops the hosts and services of an application.
//!
//! One thread owns all units (`unit.rs`). It takes events one at a time (a notice about a service's
//! process, or a request), acts on each, and sleeps between events until the next time limit.
//! `backoff.rs` computes how long a failed service waits, `stop.rs` handles stopping. Other threads
//! see copies of the states, under one lock.

mod backoff;
mod handle;
mod stop;
mod unit;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::app::{self, EntryId, ServiceConfig};
use crate::clock::Random;
use crate::error::ApiError;
use crate::message::exit::{Outcome, Watcher};
use crate::node::Node;
use crate::node::host::HostState;
use crate::node::output::{Level, Record};
use crate::node::tickets::Notice;
use crate::payload::Payload;
use crate::process::spawn::{self, Setup, SpawnArguments};
use crate::sync::Arc;
use crate::vm::lua::control::KILL_TERMINATED;
use handle::PublishedStates;
pub(crate) use handle::{Done, Supervisor};
pub(crate) use stop::Stop;
pub use unit::ServiceState;
use unit::{Phase, Unit, UnitKind};

/// A message to the supervisor's thread.
pub(crate) enum Event {
    /// Starts the units that start with the application; `done` is notified once no unit is
    /// starting.
    Start {
        done: mpsc::Sender<()>,
    },
    /// A notice about the process of a unit, identified by the ticket of that process.
    Notice {
        unit: usize,
        ticket: u64,
        notice: Notice,
    },
    Stop(Stop),
    /// Terminates the processes that a stop is still waiting for.
    Hurry,
    /// The runtime shuts down.
    Quit,
}

/// The state that the supervisor's thread owns.
struct Thread {
    node: Arc<Node>,
    handle: Supervisor,
    units: Vec<Unit>,
    random: Random,
    /// The sender to notify at the end of the first starts.
    starting: Option<mpsc::Sender<()>>,
    /// Hosts and services that should start with the application and are in error.
    broken: Vec<EntryId>,
    stop: Option<Stop>,
    /// Whether the requester of the stop no longer waits for processes to end by themselves.
    is_hurried: bool,
}

impl Thread {
    fn new(node: Arc<Node>, handle: Supervisor) -> Self {
        let (units, broken) = (units(&node), broken(&node));
        let random = Random::from_system();
        let (starting, stop, is_hurried) = (None, None, false);
        Thread { node, handle, units, random, starting, broken, stop, is_hurried }
    }

    fn run(mut self, inbox: &mpsc::Receiver<Event>) {
        loop {
            let due = self.units.iter().filter_map(Unit::next_due).min();
            let event = match due {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => inbox.recv_timeout(self.node.clock.until(due)),
            };
            match event {
                Ok(Event::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Handles all events that have arrived by now, before it looks at every unit.
            for event in inbox.try_iter() {
                if let Event::Quit = event {
                    return;
                }
                self.handle(event);
            }
            self.act_on_time();
            self.start_ready();
            self.go_on_stopping();
            self.publish();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Start { done } => self.starting = Some(done),
            Event::Notice { unit, ticket, notice } if self.units[unit].ticket == ticket => {
                match notice {
                    Notice::Started(result) => self.started(unit, result),
                    Notice::Ready => self.ready(unit),
                    Notice::Ended(outcome) => self.ended(unit, &outcome),
                    Notice::Reply(_) | Notice::Stopped | Notice::Interrupted | Notice::Written => {}
                }
            }
            // A notice about an earlier process, or the end of the thread, which `run` handles.
            Event::Notice { .. } | Event::Quit => {}
            Event::Stop(stop) => self.begin_stop(stop),
            Event::Hurry => self.hurry(),
        }
    }

    /// Starts every unit whose requirements run. One pass is enough: a unit comes after all units
    /// that it requires.
    fn start_ready(&mut self) {
        if self.stop.is_some() {
            return;
        }
        for index in 0..self.units.len() {
            let unit = &self.units[index];
            if unit.phase == Phase::Inactive
                && unit.requires.iter().all(|other| self.units[*other].satisfies())
            {
                self.start(index);
            }
        }
    }

    fn start(&mut self, index: usize) {
        let now = self.node.clock.now();
        let unit = &mut self.units[index];
        match &unit.kind {
            UnitKind::Host(host) => {
                self.node.host(*host).set_state(HostState::Running);
                unit.phase = Phase::Running;
            }
            UnitKind::Service(config) => {
                let config = config.clone();
                unit.attempts.started();
                unit.spawned_at = now;
                (unit.is_started, unit.is_ready) = (false, false);
                let deadline = now.saturating_add(nanos(unit.lifecycle.start_timeout));
                match self.spawn(index, &config) {
                    Ok(uniq) => {
                        self.units[index].uniq = uniq;
                        self.units[index].phase = Phase::Starting { deadline };
                    }
                    Err(error) => self.not_started(index, &error),
                }
            }
        }
    }

    /// Spawns the process of a service; the notices about it arrive as events.
    fn spawn(&mut self, index: usize, config: &ServiceConfig) -> Result<u64, ApiError> {
        let events = self.handle.events.clone();
        let ticket = self.node.tickets.open(|ticket| {
            move |notice| {
                let _ = events.send(Event::Notice { unit: index, ticket, notice });
            }
        });
        self.units[index].ticket = ticket;
        let arguments = Payload::from_values(&config.input)?;
        let request = SpawnArguments {
            definition: config.process.as_str().as_bytes(),
            host: config.host.as_str().as_bytes(),
            arguments,
            setup: Setup { watcher: Some(Watcher::Outside(ticket)), ..Setup::default() },
            chain: None,
            context: self.node.service_context(&config.lifecycle),
        };
        spawn::spawn_from_outside(&self.node, request, ticket).map(|process| process.uniq)
    }

    fn started(&mut self, index: usize, result: Result<crate::pid::ProcessId, ApiError>) {
        match (result, self.units[index].phase) {
            (Ok(process), Phase::Starting { .. }) => {
                let pid = self.node.pid_text(process).to_text();
                let unit = &mut self.units[index];
                (unit.has_run, unit.is_started) = (true, true);
                // It may have said so before this notice.
                let waits = unit.lifecycle.ready && !unit.is_ready;
                if !waits {
                    unit.phase = Phase::Running;
                }
                let more = if waits { ", not ready yet" } else { "" };
                self.say(index, Level::Info, &format!("started as {pid}{more}"), None);
            }
            // The chunk ended before the process could be stopped; a notice about its end follows.
            (Ok(_), _) => {}
            (Err(_), Phase::Stopping { .. }) => self.settle(index, Phase::Stopped),
            (Err(error), _) => self.not_started(index, &error),
        }
    }

    fn ready(&mut self, index: usize) {
        let unit = &mut self.units[index];
        unit.is_ready = true;
        let is_starting = unit.is_started && matches!(unit.phase, Phase::Starting { .. });
        if unit.lifecycle.ready && is_starting {
            unit.phase = Phase::Running;
            self.say(index, Level::Info, "is ready", None);
        }
    }

    /// Handles a failed start: only a retryable error leads to another attempt.
    fn not_started(&mut self, index: usize, error: &ApiError) {
        let text = format!("not started: {}", error.message);
        if error.retryable {
            self.wait_or_fail(index, &text, None);
        } else {
            self.say(index, Level::Error, &text, None);
            self.settle(index, Phase::Failed);
        }
    }

    fn ended(&mut self, index: usize, outcome: &Outcome) {
        let now = self.node.clock.now();
        match (self.units[index].phase, outcome) {
            (Phase::Stopping { deadline, .. }, Outcome::Failure(failure)) if now < deadline => {
                let text = format!("stopped, but failed: {}", failure.message());
                self.say(index, Level::Warn, &text, failure.traceback.as_deref());
                self.settle(index, Phase::Stopped);
            }
            (Phase::Stopping { deadline, .. }, _) => self.stopped(index, now < deadline),
            (_, Outcome::Value(_)) => {
                self.say(index, Level::Info, "ended", None);
                self.settle(index, Phase::Exited { is_clean: true });
            }
            (phase, Outcome::Failure(failure)) => {
                let (message, traceback) = (failure.message(), failure.traceback.as_deref());
                let text = format!("failed: {message}");
                if failure.retryable == Some(false) {
                    let text = format!("{text}; not restarted, its error is not retryable");
                    self.say(index, Level::Error, &text, traceback);
                    self.settle(index, Phase::Exited { is_clean: false });
                    return;
                }
                let unit = &mut self.units[index];
                let stable = nanos(unit.lifecycle.stable_threshold);
                if phase == Phase::Running && now.saturating_sub(unit.spawned_at) >= stable {
                    unit.attempts.reset_after_stable_run();
                }
                self.wait_or_fail(index, &text, traceback);
            }
        }
    }

    /// Schedules the next attempt of a service, unless no attempt is left; `text` says what failed.
    fn wait_or_fail(&mut self, index: usize, text: &str, traceback: Option<&str>) {
        let unit = &self.units[index];
        if self.stop.is_some() {
            self.say(index, Level::Warn, text, None);
            let phase = if self.is_hurried { Phase::Failed } else { Phase::Stopped };
            self.settle(index, phase);
            return;
        }
        let (starts, restart) = (unit.attempts.starts(), &unit.lifecycle.restart);
        let delay = unit.attempts.next_delay(restart, &mut self.random);
        let phase = match delay {
            Some(delay) => {
                let of = match restart.max_attempts {
                    0 => String::new(),
                    most => format!(" of {most}"),
                };
                let (next, wait) = (starts + 1, seconds(delay));
                // The restart handles the failure, so the log line has no traceback.
                let text = format!("{text}; attempt {next}{of} in {wait}");
                self.say(index, Level::Warn, &text, None);
                let until = self.node.clock.now().saturating_add(nanos(delay));
                Phase::Waiting { until }
            }
            None => {
                let times = if starts == 1 { "attempt" } else { "attempts" };
                let text = format!("{text}; gave up after {starts} {times}");
                self.say(index, Level::Error, &text, traceback);
                Phase::Failed
            }
        };
        self.settle(index, phase);
    }

    /// Closes the ticket of a unit's present process and sets the unit's phase.
    fn settle(&mut self, index: usize, phase: Phase) {
        self.node.tickets.close(self.units[index].ticket);
        self.units[index].phase = phase;
    }

    /// Acts on expired times: starts further attempts, and ends starts that take too long.
    fn act_on_time(&mut self) {
        let now = self.node.clock.now();
        for index in 0..self.units.len() {
            match self.units[index].phase {
                Phase::Waiting { until } if until <= now && self.stop.is_none() => {
                    self.start(index);
                }
                Phase::Starting { deadline } if deadline <= now => {
                    // `settle` closes the ticket, so later notices about this process are ignored.
                    self.node.kill(self.units[index].uniq, KILL_TERMINATED);
                    self.say(index, Level::Error, "not started: start timeout", None);
                    self.settle(index, Phase::Failed);
                }
                Phase::Stopping { give_up, .. } if give_up <= now => self.stopped(index, false),
                _ => {}
            }
        }
    }

    /// Logs a text about a unit.
    fn say(&self, index: usize, level: Level, text: &str, traceback: Option<&str>) {
        let text = format!("{} {text}", self.units[index].name());
        self.node.output.log(&Record { traceback, ..Record::of_runtime(level, &text) });
    }

    /// Logs once for each unit that it will not start because a unit that it requires does not run.
    fn log_blocked_units(&mut self) {
        for (index, is_blocked) in self.blocked().into_iter().enumerate() {
            if is_blocked && !std::mem::replace(&mut self.units[index].is_blocked_logged, true) {
                let text = "not started: what it requires does not run";
                self.say(index, Level::Error, text, None);
            }
        }
    }

    /// Logs how many services did not start, once no unit is starting for the first time.
    fn log_missing_services(&self) {
        let services = self.units.iter().filter(|unit| unit.is_service());
        let is_missing =
            |unit: &&Unit| unit.is_blocked_logged || unit.phase == Phase::Failed && !unit.has_run;
        let missing = services.clone().filter(is_missing).count();
        let broken = self.broken.iter().filter(|id| !is_host(&self.node, id)).count();
        let (missing, all) = (missing + broken, services.count() + broken);
        if missing > 0 {
            let text = format!("{missing} of {all} services not started");
            self.node.output.say(Level::Error, &text);
        }
    }

    /// Returns for each unit whether it waits for a unit that will not run.
    fn blocked(&self) -> Vec<bool> {
        let mut blocked = Vec::new();
        for unit in &self.units {
            let is_lost = |other: &usize| self.units[*other].has_failed() || blocked[*other];
            blocked.push(unit.phase == Phase::Inactive && unit.requires.iter().any(is_lost));
        }
        blocked
    }

    /// Publishes the states to other threads.
    fn publish(&mut self) {
        self.update_board();
        self.log_blocked_units();
        let is_on_its_way = |unit: &Unit| matches!(unit.phase, Phase::Starting { .. });
        if !self.units.iter().any(is_on_its_way)
            && let Some(done) = self.starting.take()
        {
            self.log_missing_services();
            let _ = done.send(());
        }
        self.tell_if_stopped();
    }

    fn update_board(&self) {
        let states = self.units.iter().map(|unit| (unit.id.to_string(), unit.state()));
        let mut services = self.units.iter().filter(|unit| unit.is_service());
        self.handle.publish(PublishedStates {
            states: states.collect(),
            has_failed: !self.broken.is_empty()
                || self.units.iter().any(Unit::has_failed)
                || self.blocked().contains(&true),
            are_all_ended: !services.any(Unit::is_active),
        });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Formats a duration for people: `0.4 s`, `10 s`.
fn seconds(duration: Duration) -> String {
    let millis = (duration.as_micros() + 500) / 1000;
    match (millis, millis % 1000) {
        (0..50, _) => format!("{} ms", millis.max(1)),
        (_, 0) => format!("{} s", millis / 1000),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

fn is_host(node: &Node, id: &EntryId) -> bool {
    node.application.entry(id).is_some_and(|entry| matches!(entry.kind, app::EntryKind::Host(_)))
}

/// Returns the entries that should start with the application and are in error, and logs each.
fn broken(node: &Node) -> Vec<EntryId> {
    let mut broken = Vec::new();
    for entry in node.application.entries() {
        if let Some(reason) = &entry.problem
            && entry.lifecycle().is_some_and(|lifecycle| lifecycle.auto_start)
        {
            let name = unit::unit_name(&entry.id, !is_host(node, &entry.id));
            node.output.say(Level::Error, &format!("{name} not started: {reason}"));
            broken.push(entry.id.clone());
        }
    }
    broken
}

/// Returns the units that start with the application, and their requirements, in dependency order.
fn units(node: &Node) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for id in node.application.start_order().into_iter().flatten() {
        if let Some(unit) = unit(node, &id, &units) {
            units.push(unit);
        }
    }
    units
}

fn unit(node: &Node, id: &EntryId, before: &[Unit]) -> Option<Unit> {
    let entry = node.application.entry(id)?;
    let lifecycle = entry.lifecycle()?.clone();
    let (kind, host) = match &entry.kind {
        app::EntryKind::Host(_) => (UnitKind::Host(node.host_index(id.as_str().as_bytes())?), None),
        app::EntryKind::Service(config) => {
            (UnitKind::Service(Box::new(config.clone())), Some(&config.host))
        }
        _ => return None,
    };
    // A required entry that is not a unit needs no start.
    let requires = lifecycle.requires.iter().chain(host);
    let requires = requires.filter_map(|other| before.iter().position(|unit| unit.id == *other));
    let requires = requires.collect();
    Some(Unit {
        id: id.clone(),
        kind,
        lifecycle,
        requires,
        phase: Phase::Inactive,
        attempts: Default::default(),
        has_run: false,
        is_started: false,
        is_ready: false,
        is_blocked_logged: false,
        is_stopping_logged: false,
        spawned_at: 0,
        uniq: 0,
        ticket: 0,
    })
}
