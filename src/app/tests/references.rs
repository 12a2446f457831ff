//! References between entries: imports, services, requirements, and the propagation of errors.

use super::*;

/// Writes code entries in flow style, one per line: the first is at line 3.
fn code_entries(entries: &[(&str, &str, &str)]) -> String {
    let line = |(name, kind, imports): &(&str, &str, &str)| {
        format!("- {{name: {name}, kind: {kind}.lua, source: return 1, imports: {{{imports}}}}}\n")
    };
    entries.iter().map(line).collect()
}

/// Writes hosts that require each other, one per line: the first is at line 3.
fn hosts(entries: &[(&str, &str)]) -> String {
    let line = |(name, lifecycle): &(&str, &str)| {
        format!("- {{name: {name}, kind: process.host, lifecycle: {{{lifecycle}}}}}\n")
    };
    entries.iter().map(line).collect()
}

fn names(ids: &[EntryId]) -> Vec<&str> {
    ids.iter().map(EntryId::name).collect()
}

fn levels(application: &Application) -> Vec<Vec<String>> {
    let order = application.start_order();
    order.iter().map(|level| names(level).into_iter().map(str::to_owned).collect()).collect()
}

fn reason<'a>(application: &'a Application, text: &str) -> &'a str {
    entry(application, text).problem.as_deref().unwrap_or_default()
}

#[test]
fn libraries_load_depth_first_and_once() {
    let application = one_file(&code_entries(&[
        ("p", "process", "a: a, b: b, c: c"),
        ("a", "library", "x: shared"),
        ("b", "library", "x: shared, y: c"),
        ("c", "library", ""),
        ("shared", "library", ""),
    ]));
    assert_clean(&application);
    assert_eq!(names(&application.load_order(&id("app:p"))), ["shared", "a", "c", "b"]);
    assert_eq!(names(&application.load_order(&id("app:b"))), ["shared", "c"]);
    assert!(application.load_order(&id("app:c")).is_empty());
    assert!(application.load_order(&id("app:nothing")).is_empty());
}

#[test]
fn an_import_must_be_a_library() {
    let application =
        one_file(&code_entries(&[("p", "process", "a: missing"), ("q", "process", "a: p")]));
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: imported library app:missing does not exist; there is none",
            "_index.yaml:4: app:p is a process.lua, not a library.lua",
            "_index.yaml:4: needs app:p, which is in error (_index.yaml:3)",
        ]
    );
    assert_eq!(reason(&application, "app:q"), "app:p is a process.lua, not a library.lua");
}

#[test]
fn an_import_cycle_is_an_error_of_its_members_and_of_who_needs_them() {
    let application = one_file(&code_entries(&[
        ("p", "process", "x: a"),
        ("a", "library", "x: b"),
        ("b", "library", "x: a"),
        ("own", "library", "x: own"),
        ("fine", "process", ""),
    ]));
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: needs app:a, which is in error (_index.yaml:4)",
            "_index.yaml:4: imports form a cycle: app:a -> app:b -> app:a",
            "_index.yaml:5: imports form a cycle: app:b -> app:a -> app:b",
            "_index.yaml:6: imports form a cycle: app:own -> app:own",
        ]
    );
    assert_eq!(reason(&application, "app:fine"), "");
    // Computing the load order of a cycle terminates all the same.
    assert_eq!(names(&application.load_order(&id("app:p"))), ["b", "a"]);
}

#[test]
fn the_error_of_a_library_reaches_all_that_import_it() {
    let entries = code_entries(&[("p", "process", "x: a"), ("a", "library", "x: b")]);
    let application = one_file(&format!("{entries}- {{name: b, kind: library.lua, source: =}}\n"));
    let cause = "_index.yaml:5: unexpected symbol near '='";
    assert_eq!(reason(&application, "app:b"), cause);
    let expected = format!("needs app:b, which is in error: {cause}");
    assert_eq!(reason(&application, "app:a"), expected);
    assert_eq!(reason(&application, "app:p"), expected);
}

#[test]
fn a_long_chain_of_imports_loads() {
    let count = 5_000;
    let line = |n: usize| {
        let imports = if n + 1 < count { format!("x: l{}", n + 1) } else { String::new() };
        format!("- {{name: l{n}, kind: library.lua, source: 'return 1', imports: {{{imports}}}}}\n")
    };
    let application = one_file(&(0..count).map(line).collect::<String>());
    assert_clean(&application);
    assert_eq!(application.load_order(&id("app:l0")).len(), count - 1);
}

#[test]
fn an_application_without_host_has_an_implicit_one() {
    let application = one_file(&code_entries(&[("p", "process", "")]));
    assert_clean(&application);
    let EntryKind::Host(host) = &entry(&application, "app:processes").kind else {
        panic!("a host")
    };
    assert!(host.lifecycle.auto_start);
    assert_eq!(application.defined_count(), 1);
    assert_eq!(levels(&application), [["processes"]]);

    let application = one_file(&hosts(&[("other", "")]));
    assert_eq!(application.entry(&id("app:processes")).map(|entry| &entry.id), None);
    assert!(application.start_order().is_empty());
}

#[test]
fn a_service_refers_to_a_process_and_a_host() {
    let entries = "- {name: p, kind: process.lua, source: return 1}\n\
                   - {name: h, kind: process.host}\n\
                   - {name: a, kind: process.service, process: gone, host: h}\n\
                   - {name: b, kind: process.service, process: h, host: p}\n\
                   - {name: c, kind: process.service, process: p, host: gone}\n\
                   - {name: d, kind: process.service, process: p, host: h}\n";
    let application = one_file(entries);
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:5: process app:gone does not exist; there are app:p",
            "_index.yaml:6: app:h is a process.host, not a process.lua",
            "_index.yaml:6: app:p is a process.lua, not a process.host",
            "_index.yaml:7: host app:gone does not exist; there are app:h",
        ]
    );
    assert_eq!(reason(&application, "app:d"), "");
}

#[test]
fn a_service_of_a_process_in_error_is_in_error() {
    let application = one_file(
        "- {name: p, kind: process.lua}\n\
         - {name: s, kind: process.service, process: p, host: processes, \
         lifecycle: {auto_start: true}}\n",
    );
    let expected = "needs app:p, which is in error: source is required";
    assert_eq!(reason(&application, "app:s"), expected);
    assert_eq!(levels(&application), [["processes"]]);
}

#[test]
fn start_order_has_levels_and_includes_what_is_required() {
    let application = one_file(&format!(
        "{}{}",
        hosts(&[("db", ""), ("web", "auto_start: true, requires: [db]"), ("idle", "")]),
        "- {name: p, kind: process.lua, source: return 1}\n\
         - {name: s, kind: process.service, process: p, host: web, \
         lifecycle: {auto_start: true, requires: [p], depends_on: [other]}}\n\
         - {name: other, kind: process.service, process: p, host: db}\n",
    ));
    assert_clean(&application);
    assert_eq!(levels(&application), [vec!["db"], vec!["other", "web"], vec!["s"]]);
}

#[test]
fn a_reference_that_is_nearly_right_is_told_what_is_near() {
    let application = many_files(&[
        (
            "a.yaml",
            "namespace: app\nentries:\n- {name: main, kind: process.lua, source: return 1}\n\
             - {name: processes, kind: process.host}\n\
             - {name: s, kind: process.service, process: mian, host: proceses}\n\
             - {name: t, kind: process.service, process: worker, host: processes}\n\
             - {name: u, kind: process.lua, source: return 1, imports: {q: queu}}\n",
        ),
        (
            "b.yaml",
            "namespace: app.lib\nentries:\n- {name: worker, kind: process.lua, source: return 1}\n\
             - {name: queue, kind: library.lua, source: return 1}\n",
        ),
    ]);
    assert_eq!(
        problems(&application),
        [
            "a.yaml:5: host app:proceses does not exist; did you mean app:processes?",
            "a.yaml:5: process app:mian does not exist; did you mean app:main?",
            "a.yaml:6: process app:worker does not exist; did you mean app.lib:worker?",
            "a.yaml:7: imported library app:queu does not exist; there are app.lib:queue",
        ]
    );
}

#[test]
fn requirements_must_exist() {
    let application = one_file(&hosts(&[
        ("a", "auto_start: true, requires: [gone]"),
        ("b", "auto_start: true, depends_on: [a]"),
        ("c", "auto_start: true"),
    ]));
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: required entry app:gone does not exist; there are app:a, app:b, app:c",
            "_index.yaml:4: needs app:a, which is in error (_index.yaml:3)",
        ]
    );
    assert_eq!(levels(&application), [["c"]]);
}

#[test]
fn a_cycle_of_requirements_is_an_error_and_the_others_start() {
    let application = one_file(&hosts(&[
        ("a", "auto_start: true, requires: [b]"),
        ("b", "requires: [a]"),
        ("c", "auto_start: true, requires: [a]"),
        ("d", "auto_start: true"),
    ]));
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: requirements form a cycle: app:a -> app:b -> app:a",
            "_index.yaml:4: requirements form a cycle: app:b -> app:a -> app:b",
            "_index.yaml:5: needs app:a, which is in error (_index.yaml:3)",
        ]
    );
    assert_eq!(levels(&application), [["d"]]);
}

#[test]
fn a_host_that_requires_its_service_is_a_cycle() {
    let application = one_file(
        "- {name: h, kind: process.host, lifecycle: {requires: [s]}}\n\
         - {name: p, kind: process.lua, source: return 1}\n\
         - {name: s, kind: process.service, process: p, host: h}\n",
    );
    assert!(reason(&application, "app:s").starts_with("requirements form a cycle: "));
    assert!(reason(&application, "app:h").starts_with("requirements form a cycle: "));
}
