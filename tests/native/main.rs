//! Native modules: Rust functions that Lua code calls.

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod classes;
mod declared;
mod functions;
mod waits;

use moonlet::{Module, Runtime};
use support::App;

/// Starts an application with a native module, which it declares.
fn start(app: App, module: Module) -> Runtime {
    let name = format!("{module:?}");
    let name = name.split('"').nth(1).expect("a module shows its name").to_owned();
    let application = app.entry(&format!("name: {name}, kind: module.native")).load();
    assert!(application.problems().is_empty(), "{:?}", application.problems());
    let builder = support::builder().workers(2).application(application);
    builder.module(module).start().expect("the runtime starts")
}

/// Runs the body of a main, which has the modules `time` and `db`.
fn run(module: Module, body: &str) -> moonlet::Value {
    let runtime = start(App::new().process_using("time, db", "main", body), module);
    support::exec(&runtime, "app:main", &[])
}
