//! The sizes of scenarios.

use crate::engine::Value;

/// A size that a scenario has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Pairs,
    Rounds,
    Senders,
    Count,
    Size,
    Hops,
    Waiting,
    Leaves,
    Tasks,
    N,
    Busy,
    Servers,
    Millis,
}

impl Parameter {
    pub(crate) const ALL: [Parameter; 13] = [
        Parameter::Pairs,
        Parameter::Rounds,
        Parameter::Senders,
        Parameter::Count,
        Parameter::Size,
        Parameter::Hops,
        Parameter::Waiting,
        Parameter::Leaves,
        Parameter::Tasks,
        Parameter::N,
        Parameter::Busy,
        Parameter::Servers,
        Parameter::Millis,
    ];

    /// Returns the name, which is also that of the flag.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Parameter::Pairs => "pairs",
            Parameter::Rounds => "rounds",
            Parameter::Senders => "senders",
            Parameter::Count => "count",
            Parameter::Size => "size",
            Parameter::Hops => "hops",
            Parameter::Waiting => "waiting",
            Parameter::Leaves => "leaves",
            Parameter::Tasks => "tasks",
            Parameter::N => "n",
            Parameter::Busy => "busy",
            Parameter::Servers => "servers",
            Parameter::Millis => "millis",
        }
    }
}

/// The sizes of one run, in the order of main's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(Parameter, u64)>);

impl Parameters {
    /// Returns the sizes as arguments of main.
    pub(super) fn arguments(&self) -> Vec<Value> {
        let value = |&(_, size): &(Parameter, u64)| Value::Integer(size as i64);
        self.0.iter().map(value).collect()
    }
}
