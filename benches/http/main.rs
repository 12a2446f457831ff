//! What a call into Moonlet costs a web service (axum), in processor time per request and in latency.
//!
//! ```sh
//! cargo bench --bench http                      # all kinds of handlers in turn; needs wrk
//! cargo bench --bench http -- --rounds 5 --connections 32,256
//! cargo bench --bench http -- --serve exec 127.0.0.1:3000
//! ```
//!
//! | handler | what it does |
//! |---|---|
//! | `plain` | computes the answer itself |
//! | `hop` | has one of two plain threads compute it, and waits for a oneshot |
//! | `exec` | runs one Lua process per request |
//! | `request` | asks one Lua process that lives on |
//!
//! A *hop* is the least that leaving the executor's threads can cost. The comparison does not show what
//! Lua code costs: the processes do next to nothing.

mod driver;
mod latency;
mod serve;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match &arguments[..] {
        ["--serve", handler, address] => serve::run(handler, address),
        ["--test"] => driver::smoke(),
        options => driver::run(options),
    };
    if let Err(error) = result {
        eprintln!("http: {error}");
        std::process::exit(1);
    }
}
