//! A model of how the design behaves with more cores than this machine has.
//!
//! [`measure`] measures on this machine what can be measured with two cores, [`cost`] the cost of
//! the engine on one core. [`words`] lists the words that each operation shares, [`queueing`]
//! models how cores wait for them, and [`ramp`] how work spreads over sleeping workers.
//! `docs/scaling.md` interprets the result and states what is left out.

mod cost;
mod measure;
mod queueing;
mod ramp;
mod words;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;

use cost::{Cost, Load};
use measure::Machine;
use ramp::{Burst, Policy, Spread};
use words::{Inputs, OPERATIONS};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The scenarios that are measured: a process, a message between pairs, a message of a fan-in.
const LOADS: [Load; 3] = [
    Load { main: "loadgen.spawn:main", sizes: &[2_000] },
    Load { main: "loadgen.ping_pong:main", sizes: &[100, 200] },
    Load { main: "loadgen.fan_in:main", sizes: &[8, 2_000] },
];

/// Factor by which moving a cache line between sockets takes longer than within one. Picked: two to
/// four are usual.
const FAR: f64 = 3.0;

/// Model more cores than there are
///
/// Measures what two cores of this machine cost each other and what the engine costs one, then
/// computes how its operations would go on with more cores: which shared word is the ceiling of
/// each, and how long work takes to spread. Rates beyond two cores are extrapolations.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct ModelArgs {
    /// Numbers of cores
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,8,16,64,256",
        value_parser = cores_parser())]
    cores: Vec<u64>,

    /// Cores of one socket; beyond, lines travel farther
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = cores_parser())]
    socket: u64,

    /// A cache line's way from core to core in one socket [default: as measured]
    #[arg(long, value_name = "NS", value_parser = time_parser())]
    near_ns: Option<u64>,

    /// The same between sockets [default: three times as much]
    #[arg(long, value_name = "NS", value_parser = time_parser())]
    far_ns: Option<u64>,

    /// From waking a thread until it runs [default: as measured]
    #[arg(long, value_name = "NS", value_parser = time_parser())]
    wake_ns: Option<u64>,

    /// Measure briefly: shows that everything works
    #[arg(long)]
    quick: bool,
}

/// Accepts a reasonable number of cores; the simulation takes longer the more there are.
fn cores_parser() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1024)
}

/// Accepts a time of up to one second.
fn time_parser() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000_000)
}

fn main() -> ExitCode {
    match model(&ModelArgs::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scaling-model: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, computes and prints.
fn model(args: &ModelArgs) -> Result<(), String> {
    let machine = Machine::measure();
    let runs = if args.quick { 5 } else { 50 };
    let [process, message, stream] = LOADS;
    let costs = [process.cost(runs)?, message.cost(runs)?, stream.cost(runs)?];
    let inputs = inputs(args, &machine, costs);
    let text = [
        measured(&machine, costs),
        ceilings(&inputs),
        rates(&inputs, &args.cores),
        spreads(&inputs, &machine, &args.cores),
    ];
    print(&text.join("\n"))
}

/// Prints the text. A pipe whose reader has closed it is no failure.
fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot print the figures: {error}"))
        }
        _ => Ok(()),
    }
}

fn inputs(args: &ModelArgs, machine: &Machine, costs: [Cost; 3]) -> Inputs {
    let [process, message, stream] = costs;
    let given = |ns: Option<u64>| ns.map(|ns| ns as f64);
    let near_ns = given(args.near_ns).unwrap_or(machine.handover);
    Inputs {
        process_ns: process.one_worker,
        message_ns: message.one_worker,
        stream_ns: stream.one_worker,
        wake_ns: given(args.wake_ns).unwrap_or(machine.wake),
        near_ns,
        far_ns: given(args.far_ns).unwrap_or(FAR * near_ns),
        cores_per_socket: args.socket as usize,
    }
}

/// Returns the table of measured values.
fn measured(machine: &Machine, costs: [Cost; 3]) -> String {
    let mut text = format!("measured on this machine, {} cores, in ns\n", measure::cores());
    let mut line = |name: &str, alone: f64, two: Option<f64>| {
        let two = two.map_or_else(String::new, |two| match two.is_nan() {
            true => "-".to_owned(),
            false => format!("{two:.1}"),
        });
        _ = writeln!(text, "  {name:58}{alone:>12.1}{two:>12}");
    };
    line("atomic addition, alone and by two", machine.add_alone, Some(machine.add_fought));
    line("lock and unlock, alone and by two", machine.lock_alone, Some(machine.lock_fought));
    line("allocate and free, alone and across", machine.memory_alone, Some(machine.memory_across));
    line("line handed from core to core", machine.handover, None);
    line("waking a thread, the call and until it runs", machine.wake_call, Some(machine.wake));
    let names = ["a process", "a message, pairs", "a message, fan-in"];
    for (name, cost) in names.into_iter().zip(costs) {
        let name = format!("{name}: processor time, one worker and two");
        line(&name, cost.one_worker, cost.two_workers);
    }
    text
}

/// Returns the table of the ceilings that each word sets.
fn ceilings(inputs: &Inputs) -> String {
    let mut text = format!(
        "shared words: ceiling in millions of operations a second, a line taking {:.0} ns in a \
         socket, {:.0} ns between\n  {:10}{:22}{:>7}{:>12}{:>12}{:>14}\n",
        inputs.near_ns,
        inputs.far_ns,
        "operation",
        "word",
        "takes",
        "in socket",
        "between",
        "from cores"
    );
    for operation in OPERATIONS {
        let network = inputs.network(operation, inputs.cores_per_socket.max(2));
        let all_ns: f64 = network.stations.iter().map(|station| station.demand_ns).sum();
        for (word, station) in operation.words.iter().zip(&network.stations) {
            let far_ns = station.demand_ns + word.takes * (inputs.far_ns - inputs.near_ns);
            let knee = (network.own_ns + all_ns) / station.demand_ns;
            _ = writeln!(
                text,
                "  {:10}{:22}{:>7}{:>12.1}{:>12.1}{knee:>14.0}",
                operation.name,
                word.name,
                word.takes,
                1e3 / station.demand_ns,
                1e3 / far_ns
            );
        }
    }
    text
}

/// Returns the table of each operation's rate, by number of cores.
fn rates(inputs: &Inputs, cores: &[u64]) -> String {
    let mut text = "model: millions of operations a second, by cores\n".to_owned();
    _ = write!(text, "  {:10}", "");
    cores.iter().for_each(|count| _ = write!(text, "{count:>9}"));
    text.push('\n');
    for operation in OPERATIONS {
        _ = write!(text, "  {:10}", operation.name);
        for &count in cores {
            let network = inputs.network(operation, count as usize);
            _ = write!(text, "{:>9.1}", network.rate_per_s(count as usize) / 1e6);
        }
        let network = inputs.network(operation, inputs.cores_per_socket.max(2));
        let bound = network.knee().map_or("nothing shared", |(station, _)| station.name);
        _ = writeln!(text, "  {}: {bound}", operation.summary);
    }
    text
}

/// Returns the table of how work spreads.
fn spreads(inputs: &Inputs, machine: &Machine, cores: &[u64]) -> String {
    let mut text = format!(
        "simulation: 100 tasks of 20 µs a core, all in one queue, others asleep; {:.0} µs to wake\n\
         {:>8}  {:7}{:>12}{:>12}{:>8}{:>8}{:>8}{:>10}\n",
        inputs.wake_ns / 1e3,
        "cores",
        "wakes",
        "all run, µs",
        "done, µs",
        "share",
        "wakes",
        "steals",
        "probes"
    );
    for &count in cores {
        for policy in [Policy::Chain, Policy::Tree] {
            let burst = Burst {
                workers: count as usize,
                tasks: 100 * count as usize,
                task_ns: 20_000,
                wake_ns: inputs.wake_ns as u64,
                call_ns: machine.wake_call as u64,
                // Each victim has two queues.
                probe_ns: (2.0 * inputs.transfer_ns(count as usize)).max(1.0) as u64,
                policy,
            };
            push_spread(&mut text, &burst, &burst.simulate());
        }
    }
    text
}

fn push_spread(text: &mut String, burst: &Burst, spread: &Spread) {
    let policy = match burst.policy {
        Policy::Chain => "one",
        Policy::Tree => "two",
    };
    _ = writeln!(
        text,
        "{:>8}  {policy:7}{:>12}{:>12}{:>8.2}{:>8}{:>8}{:>10}",
        burst.workers,
        spread.ramp_ns / 1000,
        spread.total_ns / 1000,
        burst.ideal_ns() as f64 / spread.total_ns as f64,
        spread.wakes,
        spread.steals,
        spread.probes
    );
}
