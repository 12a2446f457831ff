//! Applications whose `app:main` repeats an operation and returns how long that took.

use std::time::Duration;

use criterion::{Bencher, Criterion, Throughput};
use moonlet::{Application, Builder, Level, Module, Runtime};

/// Starts a runtime with these definitions (their names and sources) and with one worker, so that
/// nothing depends on which core is woken when.
pub(crate) fn start(definitions: &[(&str, &str)]) -> Runtime {
    let mut index = String::from("namespace: app\nentries:\n");
    let mut files = Vec::new();
    for (name, source) in definitions {
        index += &format!(
            "- {{ name: {name}, kind: process.lua, source: 'file://{name}.lua', \
             modules: [time, bench] }}\n"
        );
        files.push((format!("{name}.lua").into(), source.as_bytes().to_vec()));
    }
    index += "- { name: bench, kind: module.native }\n";
    files.push(("_index.yaml".into(), index.into_bytes()));
    let application = Application::from_files(files);
    assert!(application.problems().is_empty(), "{:?}", application.problems());
    let builder = Builder::new().workers(1).log_level(Level::Error);
    let module = Module::new("bench")
        .function("less", |(a, b): (i64, i64)| Ok((a as u64) < (b as u64)))
        .function("length", |(text,): (String,)| Ok(text.len()));
    builder.application(application).module(module).start().expect("the runtime starts")
}

/// Returns the source of a main that runs `before` once and then `act` `count` times. Both can use
/// `count`; `act` can use the number of the repetition as `i`.
pub(crate) fn repeat(before: &str, act: &str) -> String {
    format!(
        "local time = require('time')
         return function(count)
           {before}
           local begin = time.monotonic()
           for i = 1, count do {act} end
           return time.monotonic() - begin
         end"
    )
}

/// Benches a layer: its operations, each with a name and the code before it (see [`repeat`]).
pub(crate) fn bench(criterion: &mut Criterion, layer: &str, acts: &[(&str, &str, &str)]) {
    let mut group = criterion.benchmark_group(layer);
    group.throughput(Throughput::Elements(1));
    for (name, before, act) in acts {
        let main = repeat(before, act);
        let runtime = start(&[("main", &main)]);
        group.bench_function(*name, |bencher| measure(bencher, &runtime));
        runtime.shutdown();
    }
    group.finish();
}

/// Measures `app:main`, which receives the number of repetitions and returns the nanoseconds that
/// they took by its own clock: starting the process and returning the result are not counted.
pub(crate) fn measure(bencher: &mut Bencher<'_>, runtime: &Runtime) {
    bencher.iter_custom(|repetitions| {
        let taken = runtime.exec("app:main", repetitions).block().expect("main succeeds");
        Duration::from_nanos(taken.decode().expect("main returns nanoseconds"))
    });
}
