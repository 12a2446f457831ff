//! The scenarios: for each its Lua files, its sizes, and how its result is read.
//!
//! The work and the checking happen in Lua (`lua/`), through the same process API that every
//! program uses. A scenario's `main` returns a table: `ns` (measured time), `count` (what was
//! done), `samples` (round trips in ns, from the send) and `latency` (the same from the intended
//! moment). If a check fails it ends with a text that says what was wrong, and the run counts as
//! failed.

mod fan_in;
mod idle_memory;
mod latency_under_load;
mod open_loop;
mod outcome;
mod payload;
mod ping_pong;
mod ring;
#[cfg(test)]
mod sabotage;
mod skynet;
mod spawn;
mod steal;

use crate::args::Sizes;
use crate::engine::{Engine, Value};
use crate::figure::metric::Metric;
pub(crate) use outcome::Outcome;
#[cfg(test)]
pub(crate) use outcome::histogram;

/// Every scenario, in the order in which they run. What frees gigabytes comes last: on a virtual
/// machine whose system gives free pages back (free page reporting) the host takes the cores for
/// milliseconds at a time for ten seconds and more after that, and the worst times of all that
/// runs meanwhile are the host's.
pub(crate) const ALL: &[&Scenario] = &[
    &ping_pong::SCENARIO,
    &fan_in::SCENARIO,
    &ring::SCENARIO,
    &spawn::SCENARIO,
    &skynet::SCENARIO,
    &steal::SCENARIO,
    &latency_under_load::SCENARIO,
    &payload::SCENARIO,
    &open_loop::SCENARIO,
    &idle_memory::SCENARIO,
];

/// The host that all processes run on (`lua/_index.yaml`).
const HOST: &str = "loadgen:processes";

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../lua/", $path)))),*]
    };
}

/// The application: path and content of each file under `lua/`.
pub(crate) const FILES: &[(&str, &str)] = embedded![
    "_index.yaml",
    "crew.lua",
    "fan_in/_index.yaml",
    "fan_in/main.lua",
    "fan_in/sender.lua",
    "fan_in/sink.lua",
    "idle_memory/_index.yaml",
    "idle_memory/collector.lua",
    "idle_memory/idler.lua",
    "idle_memory/main.lua",
    "idle_memory/wake.lua",
    "latency_under_load/_index.yaml",
    "latency_under_load/busy.lua",
    "latency_under_load/echo.lua",
    "latency_under_load/main.lua",
    "open_loop/_index.yaml",
    "open_loop/generator.lua",
    "open_loop/main.lua",
    "open_loop/server.lua",
    "payload/_index.yaml",
    "payload/content.lua",
    "payload/main.lua",
    "payload/receiver.lua",
    "ping_pong/_index.yaml",
    "ping_pong/main.lua",
    "ping_pong/ping.lua",
    "ping_pong/pong.lua",
    "ring/_index.yaml",
    "ring/main.lua",
    "ring/node.lua",
    "ring/waiter.lua",
    "skynet/_index.yaml",
    "skynet/main.lua",
    "skynet/node.lua",
    "spawn/_index.yaml",
    "spawn/main.lua",
    "steal/_index.yaml",
    "steal/main.lua",
    "steal/task.lua",
];

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

/// One load shape.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// What is counted, in the plural.
    pub(crate) unit: &'static str,
    /// The figure that the scenario is about.
    pub(crate) headline: Metric,
    /// How two builds are compared by it.
    pub(crate) comparison: Comparison,
    /// In the order of main's arguments, with the defaults.
    pub(crate) parameters: &'static [(Parameter, u64)],
    /// The sizes are all that were given; a scenario with more to choose than numbers reads it there.
    pub(crate) run: fn(&Engine, &Parameters, &Sizes) -> Result<Outcome, String>,
}

/// What is looked at where runs of a scenario are compared one by one.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) metrics: &'static [Metric],
    /// Offered instead of those that the scenario finds by itself, so that runs have the same.
    pub(crate) rates: &'static [u64],
    /// Runs of each build in a pair, of which the best counts; one where runs hardly differ.
    pub(crate) rounds: u64,
    /// Shorter runs than the scenario's own, so that those of a pair are near each other.
    pub(crate) sizes: &'static [(Parameter, u64)],
    /// Whether a run before the one that counts makes the memory warm. Not where memory is measured,
    /// which needs a fresh program, nor where a first run would change little.
    pub(crate) warms_up: bool,
}

impl Comparison {
    const ROUNDS: u64 = 3;

    /// By the rate, of the second run in a program.
    const fn of_rate(sizes: &'static [(Parameter, u64)]) -> Comparison {
        let (rounds, metrics) = (Comparison::ROUNDS, &[Metric::Rate]);
        Comparison { metrics, rates: &[], rounds, sizes, warms_up: true }
    }
}

/// The sizes of one run, in the order of main's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(Parameter, u64)>);

impl Scenario {
    /// Returns the sizes of a run: those given, else the scenario's own.
    pub(crate) fn resolve(&self, sizes: &Sizes) -> Parameters {
        let size = |&(parameter, default)| (parameter, sizes.get(parameter).unwrap_or(default));
        Parameters(self.parameters.iter().map(size).collect())
    }

    /// As [`Scenario::resolve`], for runs of a comparison.
    pub(crate) fn resolve_compared(&self, sizes: &Sizes) -> Parameters {
        let own = |parameter| {
            let own = self.comparison.sizes.iter().find(|(known, _)| *known == parameter);
            sizes.get(parameter).or(own.map(|(_, size)| *size))
        };
        let size = |&(parameter, default)| (parameter, own(parameter).unwrap_or(default));
        Parameters(self.parameters.iter().map(size).collect())
    }
}

/// Returns the scenario of that name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name == name)
}

/// Returns the names of the scenarios that have this size.
pub(crate) fn having(parameter: Parameter) -> Vec<&'static str> {
    let has =
        |scenario: &&&Scenario| scenario.parameters.iter().any(|(known, _)| *known == parameter);
    ALL.iter().filter(has).map(|scenario| scenario.name).collect()
}

/// Runs an entry with the sizes as arguments and reads the table it returns.
fn exec(engine: &Engine, id: &str, parameters: &Parameters) -> Result<Outcome, String> {
    Outcome::from_value(&engine.exec(id, HOST, &parameters.arguments())?)
}

impl Parameters {
    fn arguments(&self) -> Vec<Value> {
        let value = |&(_, size): &(Parameter, u64)| Value::Integer(size as i64);
        self.0.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files below a folder, relative to `root`.
    fn files_below(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files_below(root, &path, found),
                false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }

    #[test]
    fn every_lua_file_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
        let mut found = Vec::new();
        files_below(&root, &root, &mut found);
        found.sort();
        let embedded: Vec<_> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(embedded, found);
        assert!(FILES.iter().all(|(_, content)| !content.is_empty()));
    }

    #[test]
    fn every_scenario_has_its_folder_and_namespace() {
        for scenario in ALL {
            let index = format!("{}/_index.yaml", scenario.name);
            let (_, content) = FILES.iter().find(|(path, _)| *path == index).unwrap();
            assert!(content.contains(&format!("namespace: loadgen.{}\n", scenario.name)));
            assert!(std::ptr::eq(find(scenario.name).unwrap(), *scenario));
        }
    }

    #[test]
    fn every_source_that_an_index_names_is_embedded() {
        for (path, content) in FILES.iter().filter(|(path, _)| path.ends_with(".yaml")) {
            let folder = Path::new(path).parent().unwrap();
            for source in
                content.lines().filter_map(|line| line.trim().strip_prefix("source: file://"))
            {
                let source = folder.join(source).display().to_string();
                assert!(FILES.iter().any(|(path, _)| *path == source), "{source}");
            }
        }
    }

    #[test]
    fn given_sizes_replace_the_defaults() {
        let sizes = Sizes::default();
        let parameters = ring::SCENARIO.resolve(&sizes);
        assert_eq!(parameters, Parameters(ring::SCENARIO.parameters.to_vec()));
    }
}
