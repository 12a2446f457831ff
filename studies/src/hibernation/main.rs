//! The cost of a waiting process if only the difference from its template were kept, and the cost
//! of waking it. `docs/hibernation.md` interprets the result.
//!
//! First a table of sizes is printed, for processes with different histories: `idler` and `ring`
//! are those of loadgen, `server` has answered [`ANSWERS`] requests with tables. Then times are
//! measured for `idler` and `server`. `collect` is a full collection (of a VM that was already
//! collected). `pack` and `unpack/warm` stay in the cache. `unpack/released` writes to pages that
//! were released before, as a wake-up would; `touch/released` is the system's part of that.
//! `release` releases the pages to the system; `release/beside_another` does so while another
//! thread of the program runs, whose core has to be notified. Otherwise there is one thread:
//! effects among many cores are not shown.

mod pages;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::PossibleValuesParser;
use criterion::{Bencher, Criterion};
use loadgen_shared::program;
use moonlet::Value;
use moonlet::bench::{Packed, Sleeper, Waiting};

use pages::Pages;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure what waiting processes could be packed into
///
/// Prints how many bytes of processes differ from their template, and how long it takes to find that
/// difference, to put it back, and to give pages back to the system. Times are compared with those
/// of the call before, which lie in target/criterion.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// The only times to measure [default: all]
    #[arg(value_name = "ACT", value_parser = PossibleValuesParser::new(ACTS))]
    act: Option<String>,

    /// Print the sizes only
    #[arg(long, conflicts_with_all = ["act", "quick"])]
    sizes: bool,

    /// Measure briefly: shows that everything works
    #[arg(long)]
    quick: bool,
}

/// The operations that are timed.
const ACTS: [&str; 5] = ["collect", "pack", "unpack", "touch", "release"];
/// Duration of a measurement with `--quick`.
const QUICK: Duration = Duration::from_millis(10);
const SERVER: &str = r#"
return function()
  local inbox, seen = process.inbox(), {}
  while true do
    local message = inbox:receive()
    local wanted = message:payload()
    seen[wanted % 8] = { at = wanted, name = string.format("request %d", wanted) }
    process.send(message:from(), "answer", { of = wanted, last = seen[0] and seen[0].name })
  end
end
"#;
const CLIENT: &str = r#"
return function()
  local inbox = process.inbox()
  while true do inbox:receive() end
end
"#;

/// The common prefix of all benchmark names.
const GROUP: &str = "hibernation";
/// Number of requests that `server` has answered.
const ANSWERS: i64 = 1000;
/// Number of hops that each node of `ring` has handled.
const HOPS: i64 = 100;

struct Crowd {
    waiting: Waiting,
    idler: Sleeper,
    ring: Sleeper,
    server: Sleeper,
}

impl Crowd {
    fn new() -> Crowd {
        let (idler, ring) = (of_loadgen("idle_memory/idler.lua"), of_loadgen("ring/node.lua"));
        let sources = [("idler", idler), ("ring", ring), ("server", SERVER), ("client", CLIENT)];
        let waiting = Waiting::new(&sources);
        let start = |name, arguments: &[Value]| waiting.start(name, arguments).expect("it starts");
        let (idler, server, client) =
            (start("idler", &[]), start("server", &[]), start("client", &[]));
        let boss = waiting.pid(client);
        let ring = start("ring", &[boss.clone(), Value::Integer(1), boss]);
        for hop in 0..HOPS {
            assert!(waiting.send(client, ring, "token", &[Value::Integer(HOPS - hop)]));
        }
        for number in 0..ANSWERS {
            assert!(waiting.send(client, server, "request", &[Value::Integer(number)]));
        }
        assert!(waiting.is_alive(ring) && waiting.is_alive(server), "none has failed");
        Crowd { waiting, idler, ring, server }
    }

    /// Prints the sizes of the processes as they wait and after collections. Each collection flips
    /// the colour of all objects, so after every second one the colours are those of the template.
    fn print(&self) {
        println!(
            "{:20}{:>8}{:>9}{:>8}{:>8}{:>8}{:>8}{:>9}{:>8}",
            "bytes", "block", "chained", "large", "used", "dead", "changed", "pointers", "packed"
        );
        for (name, sleeper) in [("idler", self.idler), ("ring", self.ring), ("server", self.server)]
        {
            self.print_one(&format!("{name}, as it waits"), sleeper);
            for past in ["collected", "and again"] {
                self.waiting.collect(sleeper);
                self.print_one(&format!("{name}, {past}"), sleeper);
            }
        }
        println!("control block: {} bytes of each block\n", self.control_bytes());
    }

    fn print_one(&self, name: &str, sleeper: Sleeper) {
        let figures = self.waiting.figures(sleeper);
        let bytes = |words: usize| words * size_of::<usize>();
        println!(
            "{name:20}{:>8}{:>9}{:>8}{:>8}{:>8}{:>8}{:>9}{:>8}",
            figures.block,
            figures.chained,
            figures.large,
            figures.used,
            bytes(figures.dead),
            bytes(figures.changed),
            bytes(figures.pointers),
            figures.packed
        );
    }

    fn control_bytes(&self) -> usize {
        self.waiting.figures(self.idler).control
    }
}

/// Returns the source of a Lua program of loadgen.
fn of_loadgen(path: &str) -> &'static str {
    let found = program::FILES.iter().find(|(known, _)| *known == path);
    found.map(|(_, text)| *text).expect("loadgen has it")
}

/// Times `act` alone; `prepare` runs before it each time, untimed.
fn time<T>(
    bencher: &mut Bencher<'_>,
    state: &mut T,
    prepare: impl Fn(&mut T),
    act: impl Fn(&mut T),
) {
    bencher.iter_custom(|count| {
        let mut sum = Duration::ZERO;
        for _ in 0..count {
            prepare(state);
            let started = Instant::now();
            act(state);
            sum += started.elapsed();
        }
        sum
    });
}

fn main() {
    let args = Args::parse();
    let crowd = Crowd::new();
    crowd.print();
    if args.sizes {
        return;
    }
    let mut criterion = Criterion::default().without_plots();
    if args.quick {
        criterion = criterion.sample_size(10).warm_up_time(QUICK).measurement_time(QUICK);
    }
    if let Some(act) = args.act {
        criterion = criterion.with_filter(format!("^{GROUP}/{act}/"));
    }
    processes(&mut criterion, &crowd);
    pages(&mut criterion);
}

fn processes(criterion: &mut Criterion, crowd: &Crowd) {
    let mut group = criterion.benchmark_group(GROUP);
    for (name, sleeper) in [("idler", crowd.idler), ("server", crowd.server)] {
        let waiting = &crowd.waiting;
        group.bench_function(format!("collect/{name}"), |bencher| {
            bencher.iter(|| waiting.collect(sleeper));
        });
        group.bench_function(format!("pack/{name}"), |bencher| {
            bencher.iter(|| waiting.pack(sleeper));
        });
        let packed = waiting.pack(sleeper);
        let mut pages = Pages::new(waiting.figures(sleeper).block);
        group.bench_function(format!("unpack/warm/{name}"), |bencher| {
            bencher.iter(|| unpack(waiting, sleeper, &packed, &mut pages));
        });
        group.bench_function(format!("unpack/released/{name}"), |bencher| {
            let unpack = |pages: &mut Pages| unpack(waiting, sleeper, &packed, pages);
            time(bencher, &mut pages, Pages::release, unpack);
        });
    }
    group.finish();
}

fn unpack(waiting: &Waiting, sleeper: Sleeper, packed: &Packed, pages: &mut Pages) {
    assert!(waiting.unpack_into(sleeper, packed, pages.words()));
}

/// Writes to one word of each page.
fn touch(pages: &mut Pages) {
    let step = Pages::size() / size_of::<usize>();
    pages.words().iter_mut().step_by(step).for_each(|word| *black_box(word) += 1);
}

fn pages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(GROUP);
    for count in [1, 2, 3, 8] {
        let mut pages = Pages::new(count * Pages::size());
        assert_eq!(pages.bytes(), count * Pages::size());
        group.bench_function(format!("touch/released/pages_{count}"), |bencher| {
            time(bencher, &mut pages, Pages::release, touch);
        });
        group.bench_function(format!("release/pages_{count}"), |bencher| {
            time(bencher, &mut pages, touch, Pages::release);
        });
        group.bench_function(format!("release/beside_another/pages_{count}"), |bencher| {
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
                time(bencher, &mut pages, touch, Pages::release);
                is_over.store(true, Ordering::Relaxed);
            });
        });
    }
    group.finish();
}
