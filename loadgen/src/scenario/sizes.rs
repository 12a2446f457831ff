//! The sizes that were given on the command line.

use clap::Args;

use super::parameter::Parameter;

/// Sizes; a size that is not given has a default per scenario.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sizes (defaults: see the scenarios)")]
pub(crate) struct Sizes {
    /// Pairs of processes: ping_pong
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pairs: Option<u64>,

    /// Round trips of each pair: ping_pong, latency_under_load
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    rounds: Option<u64>,

    /// Sending processes: fan_in
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    senders: Option<u64>,

    /// Messages of each sender or kind, or processes (of each row): fan_in, spawn, idle_memory,
    /// payload
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    count: Option<u64>,

    /// Processes in the ring: ring
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    size: Option<u64>,

    /// Hops of the token: ring
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    hops: Option<u64>,

    /// Processes that wait meanwhile: ring
    #[arg(long, value_name = "N")]
    waiting: Option<u64>,

    /// Leaves of the tree, a power of ten: skynet
    #[arg(long, value_name = "N", value_parser = power_of_ten)]
    leaves: Option<u64>,

    /// Computing processes: steal
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    tasks: Option<u64>,

    /// Which Fibonacci number each task computes: steal
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=60))]
    n: Option<u64>,

    /// Processes that compute without end: latency_under_load
    #[arg(long, value_name = "N")]
    busy: Option<u64>,

    /// Answering processes: open_loop
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    servers: Option<u64>,

    /// How long each rate is offered: open_loop, --app
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    millis: Option<u64>,

    /// Requests per second, e.g. 1000,2000 [default: doubled up to the knee]: open_loop, --app
    #[arg(long, value_name = "LIST", value_delimiter = ',',
        value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rates: Vec<u64>,
}

impl Sizes {
    /// The rates given on the command line, from low to high.
    pub(crate) fn rates(&self) -> Vec<u64> {
        let mut rates = self.rates.clone();
        rates.sort_unstable();
        rates.dedup();
        rates
    }

    /// The size given on the command line, if there is one.
    pub(crate) fn get(&self, parameter: Parameter) -> Option<u64> {
        match parameter {
            Parameter::Pairs => self.pairs,
            Parameter::Rounds => self.rounds,
            Parameter::Senders => self.senders,
            Parameter::Count => self.count,
            Parameter::Size => self.size,
            Parameter::Hops => self.hops,
            Parameter::Waiting => self.waiting,
            Parameter::Leaves => self.leaves,
            Parameter::Tasks => self.tasks,
            Parameter::N => self.n,
            Parameter::Busy => self.busy,
            Parameter::Servers => self.servers,
            Parameter::Millis => self.millis,
        }
    }
}

/// A number of at least 1.
fn at_least_one() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}

fn power_of_ten(text: &str) -> Result<u64, String> {
    let number: u64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match (0..=18).any(|exponent| 10_u64.pow(exponent) == number) {
        true => Ok(number),
        false => Err("not a power of ten".to_owned()),
    }
}
