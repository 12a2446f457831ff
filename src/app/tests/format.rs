//! Files, namespaces, names, kinds and metadata.

use super::*;
use crate::value::Value;

#[test]
fn entries_of_several_files_share_a_namespace() {
    let application = many_files(&[
        ("a/_index.yaml", "namespace: app\nentries:\n- {name: a, kind: process.host}\n"),
        ("b/other.yml", "namespace: app\nentries:\n- {name: b, kind: process.host}\n"),
        ("c.json", r#"{"namespace": "app.c", "entries": [{"name": "c", "kind": "process.host"}]}"#),
    ]);
    assert_clean(&application);
    assert_eq!(ids(&application), ["app.c:c", "app:a", "app:b"]);
}

#[test]
fn a_file_without_namespace_is_skipped_without_a_word() {
    let application = many_files(&[
        ("a.yaml", "name: x\nkind: process.lua\nentries: 5\n"),
        ("b.yaml", "- just\n- a list\n"),
        ("c.yaml", ""),
        ("d.yaml", "a: 1\n---\nb: 2\n"),
        ("e.json", "{\"name\": \"package\", \"version\": \"1\"}"),
        ("f.yaml", "namespace: app\nentries: []\n"),
        ("g.yaml", "namespace: app2\nentries:\n"),
    ]);
    assert_clean(&application);
    assert_eq!(ids(&application), ["app:processes"]);
}

#[test]
fn a_file_that_does_not_parse_is_reported_and_the_others_load() {
    let application = many_files(&[
        ("bad.yaml", "namespace: app\nentries: [\n"),
        ("good.yaml", "namespace: app\nentries:\n- {name: h, kind: process.host}\n"),
    ]);
    let [problem] = application.problems() else { panic!("{:?}", application.problems()) };
    assert_eq!(problem.file, Path::new("bad.yaml"));
    let line = problem.line.expect("a line");
    assert!((2..=3).contains(&line), "{problem}");
    assert_eq!(problem.entry, None);
    assert_eq!(ids(&application), ["app:h"]);
}

#[test]
fn hostile_files_are_reported() {
    let nested = format!("namespace: app\nentries: {}\n", "[".repeat(100_000));
    let mut bomb = "namespace: app\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{},", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
    }
    for text in [nested, bomb] {
        assert_eq!(many_files(&[("x.yaml", &text)]).problems().len(), 1);
    }
}

#[test]
fn a_file_that_is_not_utf8_is_reported_with_its_line() {
    let text = b"namespace: app\nentries:\n- name: \xff\n".to_vec();
    let application = Application::from_files([("x.yaml".into(), text)]);
    assert_problem(&application, "x.yaml:3: the file is not UTF-8");
}

#[test]
fn a_namespace_must_be_valid() {
    let rule = "namespace must be text of letters, digits, '_' and '-', separated by '.'";
    for namespace in ["a b", "''", "5", "~", "a..b", "[a]", "a:b", ".a"] {
        let application =
            many_files(&[("x.yaml", &format!("version: 1\nnamespace: {namespace}\n"))]);
        assert_eq!(problems(&application), [format!("x.yaml:2: {rule}")], "{namespace}");
    }
}

#[test]
fn a_file_must_be_one_document_with_something_in_it() {
    let application = many_files(&[("x.yaml", "namespace: app\nentries: []\n---\nb: 1\n")]);
    assert_problem(&application, "x.yaml:1: an application file must be a single document");
    let application = many_files(&[("x.yaml", "namespace: app\n")]);
    assert_problem(&application, "x.yaml:1: the file has neither entries nor a name and kind");
    let application = many_files(&[("x.yaml", "namespace: app\nentries: {a: b}\n")]);
    assert_problem(&application, "x.yaml:2: entries must be a list");
}

#[test]
fn a_single_entry_may_be_the_file() {
    let text = "version: '1'\nnamespace: app\nname: p\nkind: process.lua\nmeta: {a: 1}\n\
                source: return print\n";
    let application = many_files(&[("p.yaml", text)]);
    assert_clean(&application);
    let entry = entry(&application, "app:p");
    assert!(matches!(entry.kind, EntryKind::Process(_)));
    assert_eq!(entry.meta.get("a"), Some(&Value::Integer(1)));
}

#[test]
fn name_and_kind_are_required() {
    let application = one_file(
        "- kind: process.host\n- name: ''\n  kind: process.host\n- name: a\n- name: b\n  kind: 7\n\
         - text\n- name: c d\n  kind: process.host\n- {name: h, kind: process.host}\n",
    );
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: an entry needs a name that is non-empty text",
            "_index.yaml:4: an entry needs a name that is non-empty text",
            "_index.yaml:6: an entry needs a kind that is non-empty text",
            "_index.yaml:8: an entry needs a kind that is non-empty text",
            "_index.yaml:9: an entry must be a mapping",
            "_index.yaml:10: invalid name \"c d\": spaces and any of ':', '|', '@', '{', '}' are \
             not allowed",
        ]
    );
    assert_eq!(ids(&application), ["app:h"]);
}

#[test]
fn of_two_entries_with_one_id_the_first_in_path_order_stays() {
    let file = |method: &str| {
        format!(
            "namespace: app\nentries:\n- name: p\n  kind: process.lua\n  source: return 1\n  \
             method: {method}\n"
        )
    };
    let (first, second) = (file("first"), file("second"));
    let application = many_files(&[("b.yaml", &second), ("a/z.yaml", &first)]);
    assert_problem(&application, "b.yaml:3: app:p is defined already at a/z.yaml:3");
    assert_eq!(code(&application, "app:p").method, "first");
    assert_eq!(entry(&application, "app:p").problem, None);
    assert_eq!(application.problems()[0].entry, Some(id("app:p")));
}

#[test]
fn an_unknown_kind_is_a_warning() {
    let application = one_file("- name: store\n  kind: store.memory\n  anything: [1]\n");
    assert_problem(&application, "_index.yaml:4: warning: unknown kind \"store.memory\"");
    let entry = entry(&application, "app:store");
    assert!(matches!(entry.kind, EntryKind::Other));
    assert_eq!(entry.problem, None);
}

#[test]
fn unknown_keys_are_told_and_change_nothing() {
    let application = one_file(
        "- name: h\n  kind: process.host\n  colour: blue\n  host: {worker: 2, workers: 3}\n  \
         lifecycle: {autostart: true, restart: {jiter: 1, soon: true}}\n  meta: {any: thing}\n\
         - name: p\n  kind: process.lua\n  source: return 1\n  module: [time]\n  5: x\n",
    );
    let restart = "initial_delay, max_delay, backoff_factor, jitter, max_attempts";
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:5: warning: unknown key colour; process.host has host, lifecycle",
            "_index.yaml:6: warning: unknown key host.worker; did you mean workers?",
            "_index.yaml:7: warning: unknown key lifecycle.autostart; did you mean auto_start?",
            "_index.yaml:7: warning: unknown key lifecycle.restart.jiter; did you mean jitter?",
            &format!(
                "_index.yaml:7: warning: unknown key lifecycle.restart.soon; lifecycle.restart has \
                 {restart}"
            ),
            "_index.yaml:12: warning: unknown key module; did you mean modules?",
            "_index.yaml:13: warning: a key of process.lua is no text",
        ]
    );
    assert!(application.entries().all(|entry| entry.problem.is_none()));
    let EntryKind::Host(host) = &entry(&application, "app:h").kind else { panic!("a host") };
    assert_eq!(host.workers, Some(3));
}

#[test]
fn keys_of_a_file_are_told_too() {
    let application = many_files(&[
        ("a.yaml", "namespace: app\nx-own: {a: 010}\nversoin: 1\ncolour: red\nentries: []\n"),
        ("b.yaml", "namespace: app\nentreis: []\n"),
        ("b2.yaml", "version: 1\nnamespac: app\nentries: []\n"),
        ("c.yaml", "namespace: app\nentries:\n- {nmae: a, kind: process.host}\n"),
        ("d.yaml", "namespace: app\nname: d\nknid: process.host\n"),
    ]);
    assert_eq!(
        problems(&application),
        [
            "a.yaml:2: warning: 010 is 10 here; YAML 1.1 reads 8. Write 10, or \"010\" for text",
            "a.yaml:3: warning: unknown key versoin; did you mean version?",
            "a.yaml:4: warning: unknown key colour; a file with entries has version, namespace, \
             meta, entries",
            "b.yaml:2: the file has neither entries nor a name and kind; is entreis meant to be \
             entries?",
            "b2.yaml:2: no namespace, but namespac; did you mean namespace?",
            "c.yaml:3: an entry needs a name that is non-empty text; is nmae meant to be name?",
            "d.yaml:3: an entry needs a kind that is non-empty text; is knid meant to be kind?",
        ]
    );
}

#[test]
fn an_unknown_kind_is_told_with_the_one_that_is_near() {
    let application = one_file(
        "- {name: a, kind: proces.lua, anything: 1}\n- {name: b, kind: store.memory, size: 5}\n\
         - {name: c, kind: service}\n",
    );
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: warning: unknown kind \"proces.lua\"; did you mean process.lua?",
            "_index.yaml:4: warning: unknown kind \"store.memory\"",
            "_index.yaml:5: warning: unknown kind \"service\"; did you mean process.service?",
        ]
    );
}

#[test]
fn numbers_that_are_none_cost_their_entry() {
    let application = one_file(
        "- name: a\n  kind: process.host\n  host: {max_memory: 9223372036854775808}\n\
         - name: b\n  kind: process.host\n  meta: {size: 1e400}\n\
         - name: c\n  kind: process.host\n  host: {max_mailbox: 1_000}\n\
         - name: d\n  kind: process.host\n  host: {max_mailbox: 0100}\n",
    );
    let problems = problems(&application);
    let starts = [
        "_index.yaml:5: 9223372036854775808 does not fit",
        "_index.yaml:8: 1e400 is larger",
        "_index.yaml:11: 1_000: numbers have no underscores",
        "_index.yaml:14: warning: 0100 is 100",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
    let usable = |name| entry(&application, name).problem.is_none();
    assert_eq!(["app:a", "app:b", "app:c", "app:d"].map(usable), [false, false, false, true]);
    let EntryKind::Host(host) = &entry(&application, "app:d").kind else { panic!("a host") };
    assert_eq!(host.max_mailbox, 100);
}

#[test]
fn data_may_stand_under_one_key() {
    let application = one_file(
        "- name: p\n  kind: process.lua\n  data:\n    source: return 1\n    method: work\n    \
         modules: [time]\n",
    );
    assert_clean(&application);
    let code = code(&application, "app:p");
    assert_eq!((code.method.as_str(), &code.modules[..]), ("work", &["time".to_owned()][..]));
}

#[test]
fn anchors_and_merges_are_resolved() {
    let application = many_files(&[(
        "x.yaml",
        "namespace: app\nx-base: &base\n  kind: process.host\n  host: &limits\n    workers: 0\n\
         entries:\n- <<: *base\n  name: a\n- name: b\n  kind: process.host\n  host: *limits\n",
    )]);
    // A value behind an alias is reported at the place where it is written.
    let message = "x.yaml:5: host.workers must be a whole number of at least 1, not 0";
    assert_eq!(problems(&application), [message, message]);
}

#[test]
fn metadata_of_the_file_lies_under_that_of_the_entry() {
    let application = many_files(&[(
        "x.yaml",
        "namespace: app\nmeta: {owner: seven, team: blue}\nentries:\n\
         - {name: a, kind: process.host, meta: {team: red, n: 1}}\n\
         - {name: b, kind: process.host}\n",
    )]);
    assert_clean(&application);
    let text = |name, key| {
        let meta = &entry(&application, name).meta;
        meta.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    assert_eq!(text("app:a", "owner").as_deref(), Some("seven"));
    assert_eq!(text("app:a", "team").as_deref(), Some("red"));
    assert_eq!(text("app:b", "team").as_deref(), Some("blue"));
    assert_eq!(entry(&application, "app:a").meta.get("n"), Some(&Value::Integer(1)));
    let application = one_file("- {name: a, kind: process.host, meta: [x]}\n");
    assert_problem(&application, "_index.yaml:3: meta must be a mapping of plain data");
}

#[test]
fn nothing_to_load_is_a_problem() {
    let nothing = "no application file here: no .yaml, .yml or .json file has a namespace";
    assert_problem(&many_files(&[]), &format!(".: {nothing}"));
    assert_problem(&many_files(&[("x.yaml", "a: 1\n")]), &format!(".: {nothing}"));
}

#[test]
fn problems_come_in_the_order_of_the_files() {
    let application = many_files(&[
        ("b.yaml", "namespace: app\nentries:\n- name: x\n- name: y\n"),
        ("a.yaml", "namespace: app\nentries:\n- {name: s, kind: process.lua}\n- text\n"),
    ]);
    let places: Vec<_> = application
        .problems()
        .iter()
        .map(|problem| (problem.file.to_str(), problem.line))
        .collect();
    let (a, b) = (Some("a.yaml"), Some("b.yaml"));
    assert_eq!(places, [(a, Some(3)), (a, Some(4)), (b, Some(3)), (b, Some(4))]);
}
