//! Stopping, in the reverse of the start order: a unit is stopped after all units that require it.
//!
//! A service receives CANCEL with its deadline, which the runtime enforces. A host refuses new
//! processes. If the whole application is stopped, the host's processes receive CANCEL too, and the
//! host is stopped when none is left. Units that do not depend on each other stop at the same time.

use std::time::Duration;

use super::unit::{Phase, UnitKind};
use super::{Done, Thread, Unit, nanos, seconds};
use crate::message::{Content, UnixTime};
use crate::node::host::HostState;
use crate::node::output::Level;
use crate::vm::lua::control::KILL_TERMINATED;

/// A request to stop.
pub(crate) struct Stop {
    /// Whether the processes of hosts are asked to stop as well, or only the services.
    pub(crate) with_hosts: bool,
    /// How a person can hurry the stop; empty if that is not possible.
    pub(crate) hint: &'static str,
    /// Dropped when everything has stopped, or when nobody is left who could stop anything.
    pub(crate) done: Vec<Done>,
}

/// The interval at which a stopping host counts its processes.
const HOST_TICK: Duration = Duration::from_millis(2);
/// The time after its deadline at which a unit that still runs counts as stuck.
const STUCK_LIMIT: Duration = Duration::from_secs(2);

impl Thread {
    pub(super) fn begin_stop(&mut self, stop: Stop) {
        for unit in &mut self.units {
            // The unit has no process, so the stop takes effect at once.
            if let Phase::Waiting { .. } = unit.phase {
                unit.phase = Phase::Stopped;
            }
            // An earlier stop of only the services left the processes of the host running.
            if let (UnitKind::Host(host), Phase::Stopped) = (&unit.kind, unit.phase)
                && stop.with_hosts
                && self.node.host(*host).state() == HostState::Stopping
            {
                unit.phase = Phase::Running;
            }
        }
        let earlier = self.stop.take();
        let with_hosts = stop.with_hosts || earlier.as_ref().is_some_and(|stop| stop.with_hosts);
        let (hint, mut done) = (stop.hint, stop.done);
        done.extend(earlier.into_iter().flat_map(|stop| stop.done));
        self.stop = Some(Stop { with_hosts, hint, done });
    }

    /// Asks every unit to stop that no active unit requires any more.
    pub(super) fn go_on_stopping(&mut self) {
        let Some(with_hosts) = self.stop.as_ref().map(|stop| stop.with_hosts) else { return };
        let mut is_needed = vec![false; self.units.len()];
        for index in (0..self.units.len()).rev() {
            if is_needed[index] {
                self.need_requirements(index, &mut is_needed);
                continue;
            }
            match self.units[index].phase {
                Phase::Starting { .. } | Phase::Running => {
                    self.ask_to_stop(index, with_hosts);
                }
                Phase::Stopping { .. } => {
                    // Not logged at the first look, when processes that have just ended may still
                    // be counted.
                    if let UnitKind::Host(host) = self.units[index].kind
                        && self.node.host(host).processes() > 0
                    {
                        self.log_stopping(index);
                    }
                    self.look_at_host(index);
                }
                _ => {}
            }
            self.need_requirements(index, &mut is_needed);
        }
    }

    /// Tells those who wait for the stop, once everything has stopped.
    pub(super) fn tell_if_stopped(&mut self) {
        let are_all_stopped = !self.units.iter().any(Unit::is_active);
        if let Some(stop) = self.stop.as_mut().filter(|_| are_all_stopped) {
            stop.done.clear();
        }
    }

    /// Marks the units that an active unit requires; they come before it.
    fn need_requirements(&self, index: usize, is_needed: &mut [bool]) {
        let unit = &self.units[index];
        if unit.is_active() {
            for other in &unit.requires {
                is_needed[*other] = true;
            }
        }
    }

    fn ask_to_stop(&mut self, index: usize, with_hosts: bool) {
        let now = self.node.clock.now();
        let unit = &mut self.units[index];
        let is_hurried = self.is_hurried;
        let timeout = if is_hurried { 0 } else { nanos(unit.lifecycle.stop_timeout) };
        let deadline = now.saturating_add(timeout);
        let give_up = deadline.saturating_add(nanos(STUCK_LIMIT));
        let host = match unit.kind {
            UnitKind::Service(_) => {
                unit.phase = Phase::Stopping { deadline, give_up, next_look: give_up };
                let uniq = unit.uniq;
                self.log_stopping(index);
                self.cancel(uniq, deadline);
                return;
            }
            UnitKind::Host(host) => host,
        };
        self.node.host(host).set_state(HostState::Stopping);
        if with_hosts {
            unit.phase = Phase::Stopping { deadline, give_up, next_look: now };
            self.look_at_host(index);
        } else {
            unit.phase = Phase::Stopped;
        }
    }

    /// Logs once that the stop waits for a unit.
    fn log_stopping(&mut self, index: usize) {
        let unit = &mut self.units[index];
        if std::mem::replace(&mut unit.is_stopping_logged, true) {
            return;
        }
        let unit = &self.units[index];
        let hint = self.stop.as_ref().map(|stop| stop.hint).filter(|_| !self.is_hurried);
        let hint = hint.filter(|hint| !hint.is_empty()).map(|hint| format!("; {hint}"));
        let limit = match self.is_hurried {
            true => "at once".to_owned(),
            false => format!("up to {}", seconds(unit.lifecycle.stop_timeout)),
        };
        let text = format!("stopping {}, {limit}{}", unit.id, hint.unwrap_or_default());
        self.node.output.say(Level::Info, &text);
    }

    fn cancel(&self, uniq: u64, deadline: u64) {
        let clock = &self.node.clock;
        let left = deadline.saturating_sub(clock.now());
        let stamp = UnixTime::from_nanos(clock.unix_nanos() + i128::from(left));
        let at = clock.unix_seconds();
        let event = Content::Cancel { from: None, at, deadline: Some(stamp) };
        self.node.cancel(uniq, Some(deadline), event);
    }

    /// Stops a host whose last process has ended; otherwise sends CANCEL to the host's processes that
    /// have not received it yet.
    fn look_at_host(&mut self, index: usize) {
        let unit = &mut self.units[index];
        let (Phase::Stopping { deadline, give_up, next_look }, UnitKind::Host(host)) =
            (unit.phase, &unit.kind)
        else {
            return;
        };
        let (host, now) = (*host, self.node.clock.now());
        if now < next_look {
            return;
        }
        unit.phase = Phase::Stopping { deadline, give_up, next_look: now + nanos(HOST_TICK) };
        if self.node.host(host).processes() == 0 {
            self.node.host(host).set_state(HostState::Stopped);
            self.settle(index, Phase::Stopped);
            return;
        }
        for slot in self.node.slots.used() {
            let uniq = slot.uniq();
            if slot.host() == host
                && slot.deadline() > deadline
                && self.node.slots.find(uniq).is_some()
            {
                self.cancel(uniq, deadline);
            }
        }
    }

    /// Handles the end of a service that was asked to stop, or gives up on a unit.
    pub(super) fn stopped(&mut self, index: usize, is_in_time: bool) {
        if is_in_time {
            self.say(index, Level::Info, "stopped", None);
            self.settle(index, Phase::Stopped);
        } else {
            let text = match self.is_hurried {
                true => "terminated before it had stopped by itself",
                false => {
                    "failed: stop timeout, terminated; it is asked by CANCEL from process.events()"
                }
            };
            self.say(index, Level::Error, text, None);
            self.settle(index, Phase::Failed);
        }
    }

    /// Hurries a stop: moves the deadlines of stopping units to now, and terminates all active
    /// services.
    pub(super) fn hurry(&mut self) {
        self.is_hurried = true;
        let now = self.node.clock.now();
        for unit in &mut self.units {
            if let Phase::Stopping { deadline, give_up, next_look } = &mut unit.phase {
                *deadline = now.min(*deadline);
                *give_up = deadline.saturating_add(nanos(STUCK_LIMIT));
                *next_look = now;
            }
            if unit.is_active() && unit.is_service() {
                self.node.kill(unit.uniq, KILL_TERMINATED);
            }
        }
    }
}
