//! Measures the services in turn, each in a program of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::latency;
use crate::serve::HANDLERS;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the command line asks for.
struct Options {
    rounds: usize,
    connections: Vec<usize>,
    /// Rounds of the comparison at a fixed rate.
    latency_rounds: usize,
}

impl Options {
    fn read(words: &[&str]) -> Result<Options> {
        let mut options = Options { rounds: 5, connections: vec![32, 256], latency_rounds: 10 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match *word {
                "--rounds" => options.rounds = value()?.parse()?,
                "--latency-rounds" => options.latency_rounds = value()?.parse()?,
                "--connections" => {
                    let numbers = value()?.split(',').map(str::parse);
                    options.connections = numbers.collect::<std::result::Result<_, _>>()?;
                }
                other => {
                    let known =
                        "--rounds N, --latency-rounds N, --connections N,N, --serve HANDLER ADDR";
                    return Err(format!("unknown option {other}; there are {known}").into());
                }
            }
        }
        Ok(options)
    }
}

/// A service that runs in a program of its own until this is dropped.
struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    fn start(handler: &str) -> Result<Service> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child =
            command.args(["--serve", handler, "127.0.0.1:0"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(|_| format!("{handler} did not start"))?;
        Ok(Service { child, address })
    }

    /// Processor time so far, and the number of threads.
    fn usage(&self) -> Result<(f64, usize)> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        let ticks = number(11).zip(number(12)).map(|(user, system)| user + system);
        let (ticks, threads) = ticks.zip(number(17)).ok_or("/proc has another form")?;
        // Linux counts in hundredths of a second for programs, whatever its own clock is.
        Ok((ticks / 100.0, threads as usize))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one run of wrk found.
struct Run {
    /// Processor time per request, in microseconds.
    cost: f64,
    rate: f64,
    threads: usize,
}

fn load(handler: &str, connections: usize) -> Result<Run> {
    let service = Service::start(handler)?;
    let url = format!("http://{}/", service.address);
    wrk(&url, connections, "1s")?;
    let (before, _) = service.usage()?;
    let (requests, rate) = wrk(&url, connections, "5s")?;
    let (after, threads) = service.usage()?;
    Ok(Run { cost: (after - before) * 1e6 / requests, rate, threads })
}

/// Returns the number of requests and their rate.
fn wrk(url: &str, connections: usize, length: &str) -> Result<(f64, f64)> {
    let connections = format!("-c{connections}");
    let output = Command::new("wrk").args(["-t1", &connections, "-d", length, url]).output();
    let output = output.map_err(|error| format!("cannot run wrk ({error}): install it first"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = || format!("wrk failed:\n{text}");
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(wrong().into());
    }
    let word = |line: &str, position: usize| -> Option<f64> {
        line.split_whitespace().nth(position)?.parse().ok()
    };
    let requests = text.lines().find(|line| line.contains(" requests in "));
    let rate = text.lines().find(|line| line.starts_with("Requests/sec:"));
    let requests = requests.and_then(|line| word(line, 0)).ok_or_else(wrong)?;
    Ok((requests, rate.and_then(|line| word(line, 1)).ok_or_else(wrong)?))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => numbers[middle],
        _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
    }
}

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let options = Options::read(words)?;
    let mut best = 0.0;
    for connections in &options.connections {
        println!("{connections} connections, medians of {} alternating rounds", options.rounds);
        println!("handler    µs/request   of hop   of plain   requests/s   threads");
        let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
        for _ in 0..options.rounds {
            for handler in HANDLERS {
                runs.entry(handler).or_default().push(load(handler, *connections)?);
            }
        }
        let cost = |handler| median(runs[handler].iter().map(|run| run.cost).collect());
        for handler in HANDLERS {
            let rate = median(runs[handler].iter().map(|run| run.rate).collect());
            let threads = runs[handler].iter().map(|run| run.threads).max().unwrap_or_default();
            let (own, hop, plain) = (cost(handler), cost("hop"), cost("plain"));
            println!(
                "{handler:<10} {own:>10.2}   {:>6.2}   {:>8.2}   {rate:>10.0}   {threads:>7}",
                own / hop,
                own / plain
            );
            if handler == "plain" {
                best = f64::max(best, rate);
            }
        }
        println!();
    }
    compare_latency(best / 2.0, options.latency_rounds)
}

/// The 99th percentile of each handler at the same rate.
fn compare_latency(rate: f64, rounds: usize) -> Result<()> {
    if rounds == 0 {
        return Ok(());
    }
    println!("p99 at {rate:.0} requests/s, from the intended moments, medians of {rounds} rounds");
    println!("handler       p50 ms    p99 ms   p99 - plain's");
    let mut found: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for _ in 0..rounds {
        for handler in HANDLERS {
            let service = Service::start(handler)?;
            let latencies = latency::at_rate(service.address, rate, 32, Duration::from_secs(3))?;
            let millis = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e6;
            found.entry(handler).or_default().push((millis(0.5), millis(0.99)));
        }
    }
    let p99 = |handler| median(found[handler].iter().map(|(_, p99)| *p99).collect());
    for handler in HANDLERS {
        let p50 = median(found[handler].iter().map(|(p50, _)| *p50).collect());
        let own = p99(handler);
        println!("{handler:<10} {p50:>9.3} {own:>9.3} {:>15.3}", own - p99("plain"));
    }
    Ok(())
}

/// One request to each kind of service.
pub(crate) fn smoke() -> Result<()> {
    for handler in HANDLERS {
        let service = Service::start(handler)?;
        let latencies = latency::at_rate(service.address, 200.0, 2, Duration::from_millis(50))?;
        println!("{handler}: {} answers", latencies.len());
    }
    Ok(())
}
