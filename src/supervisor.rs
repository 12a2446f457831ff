//! Services: started with the application in the order of what they require, stopped in the
//! reverse order. A service runs once; its end is kept for the exit code.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crate::app::{EntryId, Kind, ServiceConfig};
use crate::host::HostState;
use crate::node::Node;
use crate::output::Level;
use crate::payload;
use crate::process::exit::{Outcome, Watcher};
use crate::process::message::Content;
use crate::spawn::{self, Relation, Request};
use crate::sync::Arc;
use crate::tickets::Notice;
use crate::vm::control::KILL_TERMINATED;

/// How often a stop looks whether services have ended.
const STOP_TICK: Duration = Duration::from_millis(2);

/// What became of a service.
enum State {
    Running { uniq: u64, notices: Receiver<Notice>, ticket: u64 },
    Exited,
    Failed,
}

struct Service {
    state: State,
    stop_timeout: Duration,
}

#[derive(Default)]
pub(crate) struct Supervisor {
    services: BTreeMap<EntryId, Service>,
    levels: Vec<Vec<EntryId>>,
}

impl Supervisor {
    /// Starts every entry with `auto_start` and what it requires, level by level. A host that
    /// is not started explicitly runs if anything was; an application without any host has one.
    pub(crate) fn start(&mut self, node: &Arc<Node>) {
        self.levels = node.application.start_order();
        for level in self.levels.clone() {
            for id in level {
                self.start_entry(node, &id);
            }
        }
    }

    fn start_entry(&mut self, node: &Arc<Node>, id: &EntryId) {
        let Some(entry) = node.application.entry(id) else { return };
        if let Some(reason) = &entry.problem {
            node.output.log(Level::Error, None, &format!("{id} is not started: {reason}"));
            return;
        }
        match &entry.kind {
            Kind::Host(_) => {
                if let Some(host) = node.host_index(id.as_str()) {
                    node.host(host).set_state(HostState::Running);
                }
            }
            Kind::Service(config) => self.start_service(node, id, config),
            _ => {}
        }
    }

    fn start_service(&mut self, node: &Arc<Node>, id: &EntryId, config: &ServiceConfig) {
        let (ticket, notices) = node.tickets.open();
        let request = Request {
            definition: config.process.as_str().as_bytes(),
            host: config.host.as_str().as_bytes(),
            arguments: payload::from_values(&config.input),
            relation: Relation { watcher: Some(Watcher::Outside(ticket)), ..Relation::default() },
            chain: None,
            context: Arc::default(),
        };
        let limit = config.lifecycle.start_timeout;
        let started = spawn::spawn_from_outside(node, request, ticket)
            .map_err(|error| error.message)
            .and_then(|()| match notices.recv_timeout(limit) {
                Ok(Notice::Started(result)) => result.map_err(|error| error.message),
                _ => Err("start timeout".to_owned()),
            });
        let state = match started {
            Ok(process) => State::Running { uniq: process.uniq, notices, ticket },
            Err(reason) => {
                node.tickets.close(ticket);
                node.output.log(Level::Error, None, &format!("service {id} failed: {reason}"));
                State::Failed
            }
        };
        let service = Service { state, stop_timeout: config.lifecycle.stop_timeout };
        self.services.insert(id.clone(), service);
    }

    /// Whether no service runs any more.
    pub(crate) fn has_ended(&mut self, node: &Node) -> bool {
        self.observe(node);
        !self.services.values().any(|service| matches!(service.state, State::Running { .. }))
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.services.values().any(|service| matches!(service.state, State::Failed))
    }

    /// Notes which services have ended since the last look.
    fn observe(&mut self, node: &Node) {
        for (id, service) in &mut self.services {
            let State::Running { notices, ticket, .. } = &service.state else { continue };
            let ended = match notices.try_recv() {
                Ok(Notice::Ended(outcome)) => Some(outcome),
                Ok(Notice::Started(_)) | Err(TryRecvError::Empty) => continue,
                Err(TryRecvError::Disconnected) => None,
            };
            node.tickets.close(*ticket);
            service.state = match ended.as_deref() {
                Some(Outcome::Failure(failure)) => {
                    let text = format!("service {id} failed: {}", failure.message());
                    node.output.log(Level::Error, None, &text);
                    State::Failed
                }
                _ => State::Exited,
            };
        }
    }

    /// Stops all services: those that require others before them. A host refuses new processes
    /// once all services on it have ended; what else runs there goes on.
    pub(crate) fn stop(&mut self, node: &Node, hurry: &dyn Fn() -> bool) {
        for level in self.levels.clone().into_iter().rev() {
            self.stop_level(node, &level, hurry);
        }
    }

    fn stop_level(&mut self, node: &Node, level: &[EntryId], hurry: &dyn Fn() -> bool) {
        for host in level.iter().filter_map(|id| node.host_index(id.as_str())) {
            node.host(host).set_state(HostState::Stopping);
        }
        let begin = Instant::now();
        let at = node.clock.unix_seconds();
        for service in level.iter().filter_map(|id| self.services.get(id)) {
            if let State::Running { uniq, .. } = &service.state {
                let timeout = service.stop_timeout.as_nanos() as i128;
                let deadline = Some(node.clock.unix_nanos() + timeout);
                node.deliver_event(*uniq, Content::Cancel { from: None, at, deadline });
            }
        }
        loop {
            self.observe(node);
            let running =
                level.iter().filter_map(|id| self.services.get(id)).filter_map(|service| {
                    match &service.state {
                        State::Running { uniq, .. } => Some((*uniq, service.stop_timeout)),
                        _ => None,
                    }
                });
            let mut is_over = true;
            for (uniq, timeout) in running {
                is_over = false;
                if hurry() || begin.elapsed() >= timeout {
                    node.kill(uniq, KILL_TERMINATED);
                }
            }
            if is_over {
                return;
            }
            std::thread::sleep(STOP_TICK);
        }
    }
}
