//! Native modules: Rust functions that Lua code calls.

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code)]
#[path = "../../examples/native_module/main.rs"]
mod example;

mod blocking;
mod classes;
mod declared;
mod functions;
mod processes;
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

/// All lines that the README of the example shows are there; its workers end in any order.
#[test]
fn the_example_prints_what_its_readme_says() {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/native_module");
    let (log, application) = (Kept::default(), moonlet::Application::load(folder));
    assert!(application.problems().is_empty(), "{:?}", application.problems());
    let builder = moonlet::Builder::new().workers(2).log_sink(log.clone());
    let runtime = builder.application(application).module(example::text()).start().unwrap();
    runtime.exec("app:main", format!("{folder}/main.rs")).block().expect("main succeeds");
    runtime.shutdown();
    let printed = String::from_utf8(log.0.lock().unwrap().clone()).unwrap().replace("\\t", "\t");
    let readme = std::fs::read_to_string(format!("{folder}/README.md")).unwrap();
    let shown = readme.split("It prints").nth(1).expect("it shows what it prints");
    let lines: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(lines.len(), 8);
    for line in &lines {
        assert!(printed.contains(line), "{line} is missing:\n{printed}");
    }
}
