//! Stopping, in the reverse of the start order: a unit is stopped after all that require it have.
//!
//! A service is asked with CANCEL and its deadline, which the runtime enforces. A host refuses new
//! processes; if the stop is for all of the application its processes are asked, too, and it is
//! stopped when none is left. Units that do not depend on each other stop at the same time.

use std::sync::mpsc;
use std::time::Duration;

use super::unit::{Phase, UnitKind};
use super::{Thread, Unit, nanos, seconds};
use crate::message::{Content, UnixTime};
use crate::node::host::HostState;
use crate::node::output::Level;
use crate::vm::lua::control::KILL_TERMINATED;

/// A request to stop.
pub(crate) struct Stop {
    /// Whether the processes of hosts are asked to stop as well, or only services.
    pub(crate) with_hosts: bool,
    /// How people hurry it; empty if nobody can.
    pub(crate) hint: &'static str,
    /// Who is told when everything has stopped.
    pub(crate) done: Vec<mpsc::Sender<()>>,
}

/// How often a stopping host counts its processes.
const HOST_TICK: Duration = Duration::from_millis(2);
/// How long after its deadline a unit that is still there counts as stuck.
const STUCK_LIMIT: Duration = Duration::from_secs(2);

impl Thread {
    pub(super) fn begin_stop(&mut self, stop: Stop) {
        for unit in &mut self.units {
            // Nothing of it runs: it takes effect at once.
            if let Phase::Waiting { .. } = unit.phase {
                unit.phase = Phase::Stopped;
            }
            // A stop of the services left its processes alone.
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

    /// Stops what nothing needs any more.
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
                    // Not at the first look, when what has just ended may still be counted.
                    if let UnitKind::Host(host) = self.units[index].kind
                        && self.node.host(host).processes() > 0
                    {
                        self.say_stopping(index);
                    }
                    self.look_at_host(index);
                }
                _ => {}
            }
            self.need_requirements(index, &mut is_needed);
        }
    }

    /// Whom to tell that everything has stopped, once it has.
    pub(super) fn take_stopped(&mut self) -> Vec<mpsc::Sender<()>> {
        let are_all_stopped = !self.units.iter().any(Unit::is_active);
        let stop = self.stop.as_mut().filter(|_| are_all_stopped);
        stop.map(|stop| std::mem::take(&mut stop.done)).unwrap_or_default()
    }

    /// Marks what a unit requires, which stands before it, as long as the unit is active.
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
                self.say_stopping(index);
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

    /// Says once that a unit is waited for.
    fn say_stopping(&mut self, index: usize) {
        let unit = &mut self.units[index];
        if std::mem::replace(&mut unit.is_told_stopping, true) {
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

    /// A host is stopped when its last process has ended; those that were not asked yet are.
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

    /// A service that was asked to stop has ended, or a unit is given up.
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

    /// Ends at once whatever a stop is waiting for.
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
