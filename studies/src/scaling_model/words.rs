//! The words of the engine that several cores write, and how often each operation writes them.
//!
//! Counted by hand in the sources of this commit; `docs/scaling.md` lists the places. A *take* is
//! one acquisition of the word's cache line for exclusive use by a core, while other cores want it,
//! too. A lock whose line the waiting cores poll costs three takes: one to lock it, one for the
//! data that it guards, and one to unlock it.

use super::queueing::{Network, Station};

/// A word that all cores write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) name: &'static str,
    pub(super) takes: f64,
}

/// An operation that a program performs continuously on all cores.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The measurement of the time that one core needs for it; see [`Inputs::own_ns`].
    pub(super) own: Own,
    /// Number of cache lines that come from another core, but that only these two cores use.
    pub(super) lines: f64,
    pub(super) words: &'static [Word],
}

/// The measurement that gives the time of one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Process,
    Message,
    /// The sender's half of a message in a stream of messages. That it is half is an assumption.
    Send,
    /// Falling asleep and being woken.
    Wake,
}

const fn word(name: &'static str, takes: f64) -> Word {
    Word { name, takes }
}

/// Two locks per 32 slots, for processes that all end on another core than the one they began on.
const FREE_SLOTS: f64 = 6.0 / 32.0;

pub(super) const RECEIVER: &str = "the receiver itself";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "process",
        summary: "processes start and end on every core",
        own: Own::Process,
        // The four cache lines of a slot that another core used last.
        lines: 4.0,
        words: &[word("ProcessTable::free", FREE_SLOTS)],
    },
    Operation {
        name: "near",
        summary: "messages between processes of one core",
        own: Own::Message,
        lines: 0.0,
        words: &[],
    },
    Operation {
        name: "across",
        summary: "messages between pairs, each on two cores",
        own: Own::Message,
        // The mailbox twice, the state twice, the message twice, and the return of its memory.
        lines: 7.0,
        words: &[],
    },
    Operation {
        name: "named",
        summary: "messages across, each to another name than the last",
        own: Own::Message,
        lines: 7.0,
        words: &[word("Names::table", 2.0)],
    },
    Operation {
        name: "fan_in",
        summary: "messages from all cores to one process",
        own: Own::Send,
        lines: 2.0,
        words: &[word("its mailbox", 2.0), word(RECEIVER, 0.0)],
    },
    Operation {
        name: "wake",
        summary: "workers that sleep and are woken",
        own: Own::Wake,
        lines: 0.0,
        words: &[word("Idle", 8.0)],
    },
];

/// The inputs of the model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    /// A process from start to end on one core, in ns.
    pub(super) process_ns: f64,
    /// A message that wakes its receiver, from send to receive on one core, in ns.
    pub(super) message_ns: f64,
    /// A message of a stream to one receiver, from send to receive on one core, in ns.
    pub(super) stream_ns: f64,
    /// Waking a thread, as measured by the waking thread, and the woken thread's way back to sleep,
    /// in ns.
    pub(super) wake_ns: f64,
    /// Time to move a cache line from core to core within one socket and between sockets, in ns.
    pub(super) near_ns: f64,
    pub(super) far_ns: f64,
    pub(super) cores_per_socket: usize,
}

impl Inputs {
    /// Returns the average time to move a line among `cores` cores: the next core that wants it is
    /// any of them.
    pub(super) fn transfer_ns(&self, cores: usize) -> f64 {
        let sockets = cores.div_ceil(self.cores_per_socket) as f64;
        (self.near_ns + (sockets - 1.0) * self.far_ns) / sockets
    }

    fn own_ns(&self, own: Own) -> f64 {
        match own {
            Own::Process => self.process_ns,
            Own::Message => self.message_ns,
            Own::Send => self.stream_ns / 2.0,
            Own::Wake => self.wake_ns,
        }
    }

    /// Returns the network of an operation among `cores` cores.
    pub(super) fn network(&self, operation: &Operation, cores: usize) -> Network {
        let transfer_ns = self.transfer_ns(cores);
        let station = |word: &Word| {
            let is_receiver = word.name == RECEIVER;
            let serial = if is_receiver { self.stream_ns / 2.0 } else { 0.0 };
            Station { name: word.name, demand_ns: word.takes * transfer_ns + serial }
        };
        let mut own_ns = self.own_ns(operation.own) + operation.lines * transfer_ns;
        if cores == 1 {
            // No other core has the lines.
            own_ns = self.own_ns(operation.own);
            let receiver = operation.words.iter().filter(|word| word.name == RECEIVER);
            return Network { own_ns, stations: receiver.map(station).collect() };
        }
        Network { own_ns, stations: operation.words.iter().map(station).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: Inputs = Inputs {
        process_ns: 1000.0,
        message_ns: 200.0,
        stream_ns: 100.0,
        wake_ns: 5000.0,
        near_ns: 50.0,
        far_ns: 150.0,
        cores_per_socket: 64,
    };

    fn rate(name: &str, cores: usize) -> f64 {
        let operation = OPERATIONS.iter().find(|operation| operation.name == name).unwrap();
        INPUTS.network(operation, cores).rate_per_s(cores)
    }

    #[test]
    fn lines_take_longer_between_sockets() {
        assert_eq!([2, 64].map(|cores| INPUTS.transfer_ns(cores)), [50.0, 50.0]);
        assert_eq!([65, 128, 256].map(|cores| INPUTS.transfer_ns(cores)), [100.0, 100.0, 125.0]);
    }

    #[test]
    fn one_core_does_what_was_measured() {
        assert_eq!(rate("process", 1), 1e6);
        assert_eq!(rate("across", 1), 5e6);
        assert_eq!(rate("fan_in", 1), 1e7);
    }

    #[test]
    fn one_receiver_ends_and_many_do_not() {
        let operation = OPERATIONS.iter().find(|operation| operation.name == "fan_in").unwrap();
        let network = INPUTS.network(operation, 64);
        assert_eq!(network.knee().unwrap().0.name, "its mailbox");
        assert!(rate("fan_in", 64) <= 1e9 / (2.0 * 50.0));
        assert!(rate("fan_in", 256) < rate("fan_in", 64), "lines are farther away");
        assert!(rate("process", 64) > 40.0 * rate("process", 1));
        assert!(rate("near", 256) > 200.0 * rate("near", 1));
    }
}
