//! Names of modules: what the loader says of them, and what the start of a runtime does.

use moonlet::{Application, Error, Module};

use crate::support::{self, App};

fn problems(application: &Application) -> Vec<String> {
    application.problems().iter().map(ToString::to_string).collect()
}

fn app(modules: &str) -> App {
    App::new().code("main", "return function() end", &format!("kind: process.lua, {modules}"))
}

#[test]
fn a_declared_module_is_known() {
    let declared = "name: database, kind: module.native";
    let application = app("modules: [database, time]").entry(declared).load();
    assert_eq!(problems(&application), [""; 0]);
    let application = app("modules: [databse]").entry(declared).load();
    assert_eq!(
        problems(&application),
        ["_index.yaml:4: unknown module \"databse\"; did you mean database?"]
    );
    let application = App::new()
        .code("main", "local d = require('database') return d", "kind: process.lua")
        .entry(declared)
        .load();
    assert_eq!(
        problems(&application),
        ["main.lua:1: warning: module \"database\" will not be found; list it under modules: of \
          app:main"]
    );
    let application = App::new().entry("name: time, kind: module.native").load();
    assert_eq!(
        problems(&application),
        ["_index.yaml:4: time is a module of the runtime, not of the program"]
    );
}

#[test]
fn a_module_that_is_not_declared_is_a_warning_unless_it_is_a_slip() {
    let application = app("modules: [db]").load();
    assert_eq!(
        problems(&application),
        ["_index.yaml:4: warning: unknown module \"db\"; the runtime has time, logger, io, ctx, \
          security, so the program must have it: declare it by an entry of kind module.native"]
    );
    let db = Module::new("db").function("one", |()| Ok(1));
    let builder = support::builder().workers(1).application(application).module(db);
    builder.start().expect("the program has the module").shutdown();
    let application = app("modules: [tiem]").load();
    assert_eq!(
        problems(&application),
        ["_index.yaml:4: unknown module \"tiem\"; did you mean time?"]
    );
}

fn refusal(modules: Vec<Module>) -> String {
    let application = app("modules: [storage]").entry("name: storage, kind: module.native").load();
    let builder = support::builder().workers(1).application(application);
    let builder = modules.into_iter().fold(builder, |builder, module| builder.module(module));
    match builder.start() {
        Err(Error::Module(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_without_a_module_that_is_needed_fails() {
    let needs = "app:main needs module \"storage\", which this program does not have";
    assert_eq!(refusal(vec![]), format!("{needs}; it has none"));
    assert_eq!(refusal(vec![Module::new("db")]), format!("{needs}; it has db"));
    assert_eq!(refusal(vec![Module::new("strage")]), format!("{needs}; did you mean strage?"));
}

/// Without a declaration, the name may be a slip of one entry, and the others run.
#[test]
fn an_entry_whose_module_is_not_there_cannot_be_used() {
    let app = app("modules: [storage]").process("other", "return 1");
    let builder = support::builder().workers(1).application(app.load());
    let runtime = builder.start().expect("it starts");
    match runtime.exec("app:main", ()).block() {
        Err(Error::Refused(failure)) => {
            assert_eq!(failure.kind(), &moonlet::Kind::Internal);
            assert_eq!(
                failure.message(),
                "app:main needs module \"storage\", which this program does not have; it has none"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(support::exec(&runtime, "app:other", &[]), moonlet::value!(1));
}

#[test]
fn names_that_do_not_fit_together_are_refused() {
    let one = || Module::new("storage").function("one", |()| Ok(1));
    for (modules, text) in [
        (vec![one(), one()], "there are two native modules \"storage\""),
        (vec![Module::new("time")], "native module \"time\" has the name of one of the runtime's"),
        (vec![Module::new("")], "a native module has no name"),
        (
            vec![one().function("one", |()| Ok(2))],
            "native module \"storage\" has two functions \"storage.one\"",
        ),
        (
            vec![one().function("", |()| Ok(2))],
            "a function or class of native module \"storage\" has no name",
        ),
    ] {
        assert_eq!(refusal(modules), text);
    }
}
