//! Hosts, services and their lifecycle in application files.

use std::time::Duration;

use super::*;
use crate::app::lifecycle::Lifecycle;
use crate::value;
use crate::value::Value;

fn host(fields: &str) -> Application {
    one_file(&format!("- name: h\n  kind: process.host\n{fields}"))
}

fn host_config<'a>(application: &'a Application, text: &str) -> &'a HostConfig {
    match &entry(application, text).kind {
        EntryKind::Host(config) => config,
        other => panic!("not a host: {other:?}"),
    }
}

fn lifecycle(fields: &str) -> Lifecycle {
    let application = host(&format!("  lifecycle: {fields}\n"));
    assert_clean(&application);
    host_config(&application, "app:h").lifecycle.clone()
}

#[test]
fn defaults_of_a_host() {
    let application = host("");
    let expected = HostConfig {
        workers: None,
        max_processes: 0,
        max_mailbox: 1_000_000,
        max_memory: 0,
        lifecycle: Lifecycle::default(),
    };
    assert_eq!(host_config(&application, "app:h"), &expected);
    assert_clean(&one_file("- name: h\n  kind: terminal.host\n  host:\n"));
}

#[test]
fn fields_of_a_host() {
    let application = host(
        "  host: {workers: 4, queue_size: 1, local_queue_size: 2, max_processes: 3, \
         max_mailbox: 0, max_memory: 65536}\n",
    );
    let no_effect = |key| {
        format!("_index.yaml:5: warning: host.{key} has no effect: run queues grow as they must")
    };
    assert_eq!(problems(&application), [no_effect("local_queue_size"), no_effect("queue_size")]);
    let host = host_config(&application, "app:h");
    assert_eq!(host.workers, Some(4));
    assert_eq!((host.max_processes, host.max_mailbox, host.max_memory), (3, 0, 65536));
}

#[test]
fn bad_numbers_of_a_host() {
    for (field, least) in [
        ("workers: 0", 1),
        ("workers: -1", 1),
        ("workers: 1.5", 1),
        ("workers: '4'", 1),
        ("queue_size: 0", 1),
        ("local_queue_size: 0", 1),
        ("max_processes: -1", 0),
        ("max_mailbox: -5", 0),
        ("max_memory: 1e3", 0),
    ] {
        let application = host(&format!("  host:\n    {field}\n"));
        let (name, given) = field.split_once(": ").expect("a name");
        let expected = match name {
            "max_memory" => "a whole number of bytes".to_owned(),
            _ => format!("a whole number of at least {least}"),
        };
        let given = given.replace('\'', "\"").replace("1e3", "1000.0");
        let message = format!("host.{name} must be {expected}, not {given}");
        assert_problem(&application, &format!("_index.yaml:6: {message}"));
        assert_eq!(entry(&application, "app:h").problem.as_deref(), Some(message.as_str()));
    }
    let keys = "workers, queue_size, local_queue_size, max_processes, max_mailbox, max_memory";
    assert_problem(
        &host("  host: 4\n"),
        &format!("_index.yaml:5: host must be a mapping with keys of {keys}, not 4"),
    );
    for (given, meant) in [("64MB", 67_108_864), ("2 GiB", 2_147_483_648_u64), ("10k", 10_240)] {
        let expected = format!(
            "_index.yaml:6: host.max_memory must be a whole number of bytes, not {given:?}; did \
             you mean {meant}?"
        );
        assert_problem(&host(&format!("  host:\n    max_memory: {given}\n")), &expected);
    }
}

#[test]
fn defaults_of_a_lifecycle() {
    let lifecycle = lifecycle("{}");
    assert_eq!(lifecycle, Lifecycle::default());
    assert!(!lifecycle.auto_start);
    assert_eq!(lifecycle.start_timeout, Duration::from_secs(10));
    assert_eq!(lifecycle.stop_timeout, Duration::from_secs(10));
    assert_eq!(lifecycle.stable_threshold, Duration::from_secs(5));
    let restart = lifecycle.restart;
    assert_eq!(restart.initial_delay, Duration::from_secs(1));
    assert_eq!(restart.max_delay, Duration::from_secs(90));
    assert_eq!((restart.backoff_factor, restart.jitter, restart.max_attempts), (2.0, 0.1, 0));
}

#[test]
fn fields_of_a_lifecycle() {
    let lifecycle = lifecycle(
        "{auto_start: true, start_timeout: 1m30s, stop_timeout: 5000000, stable_threshold: '0', \
         security: {actor: {id: x}}, restart: {initial_delay: 200ms, max_delay: 1h, \
         backoff_factor: 1, jitter: 0, max_attempts: 5}}",
    );
    assert!(lifecycle.auto_start);
    assert_eq!(lifecycle.start_timeout, Duration::from_secs(90));
    assert_eq!(lifecycle.stop_timeout, Duration::from_millis(5));
    assert_eq!(lifecycle.stable_threshold, Duration::ZERO);
    assert!(lifecycle.security.actor.is_some());
    let restart = lifecycle.restart;
    assert_eq!(restart.initial_delay, Duration::from_millis(200));
    assert_eq!(restart.max_delay, Duration::from_secs(3600));
    assert_eq!((restart.backoff_factor, restart.jitter, restart.max_attempts), (1.0, 0.0, 5));
}

#[test]
fn bad_values_of_a_lifecycle() {
    let duration = |given: &str| {
        format!("must be a duration that is not negative, such as 1m30s, not {given}")
    };
    let meant = |given: &str, meant| format!("{}; did you mean {meant}?", duration(given));
    for (field, message) in [
        (
            "auto_start: 'true'",
            "lifecycle.auto_start must be true or false, not \"true\"".to_owned(),
        ),
        ("stop_timeout: 5000000", String::new()),
        ("stop_timeout: '5'", format!("lifecycle.stop_timeout {}", meant("\"5\"", "5s"))),
        ("start_timeout: 3 sec", format!("lifecycle.start_timeout {}", meant("\"3 sec\"", "3s"))),
        ("start_timeout: -1s", format!("lifecycle.start_timeout {}", duration("\"-1s\""))),
        ("stable_threshold: 1.5", format!("lifecycle.stable_threshold {}", duration("1.5"))),
        ("restart: {max_delay: 1d}", format!("lifecycle.restart.max_delay {}", duration("\"1d\""))),
        (
            "restart: {backoff_factor: 0.5}",
            "lifecycle.restart.backoff_factor must be a number of at least 1, not 0.5".to_owned(),
        ),
        (
            "restart: {backoff_factor: .inf}",
            "lifecycle.restart.backoff_factor must be a number of at least 1, not .inf".to_owned(),
        ),
        (
            "restart: {jitter: 1.1}",
            "lifecycle.restart.jitter must be a number from 0 to 1, not 1.1".to_owned(),
        ),
        (
            "restart: {jitter: .nan}",
            "lifecycle.restart.jitter must be a number from 0 to 1, not .nan".to_owned(),
        ),
        (
            "restart: {max_attempts: -1}",
            "lifecycle.restart.max_attempts must be a whole number of at least 0, not -1"
                .to_owned(),
        ),
        ("requires: app:x", "lifecycle.requires must be a list, not \"app:x\"".to_owned()),
        ("depends_on: [5]", "lifecycle.depends_on must list ids of entries, not 5".to_owned()),
    ] {
        let application = host(&format!("  lifecycle:\n    {field}\n"));
        if message.is_empty() {
            assert_clean(&application);
        } else {
            assert_problem(&application, &format!("_index.yaml:6: {message}"));
        }
    }
    let [problem] = &problems(&host("  lifecycle: true\n"))[..] else { panic!("one problem") };
    let expected = "_index.yaml:5: lifecycle must be a mapping with keys of auto_start, ";
    assert!(problem.starts_with(expected) && problem.ends_with(", not true"), "{problem}");
}

#[test]
fn a_lifecycle_elsewhere_has_no_effect() {
    let application = one_file(
        "- name: p\n  kind: process.lua\n  source: return 1\n  lifecycle: {auto_start: 5}\n\
         - name: t\n  kind: security.policy\n  lifecycle: nonsense\n  policy: {actions: a, \
         resources: r, effect: deny}\n",
    );
    let unknown = "warning: unknown key lifecycle; what starts with the application is a \
                   process.service or a process.host";
    let expected = [6, 9].map(|line| format!("_index.yaml:{line}: {unknown}"));
    assert_eq!(problems(&application), expected);
    assert_eq!(entry(&application, "app:p").lifecycle(), None);
    assert_eq!(application.start_order(), [[id("app:processes")]]);
}

#[test]
fn fields_of_a_service() {
    let application = one_file(
        "- name: p\n  kind: process.lua\n  source: return 1\n- name: h\n  kind: process.host\n\
         - name: s\n  kind: process.service\n  process: p\n  host: app:h\n  \
         input: [smtp, {retries: 3}, ~, 1.0]\n",
    );
    assert_clean(&application);
    let EntryKind::Service(service) = &entry(&application, "app:s").kind else {
        panic!("a service")
    };
    assert_eq!((&service.process, &service.host), (&id("app:p"), &id("app:h")));
    let retries = value!({ retries = 3 });
    assert_eq!(service.input, ["smtp".into(), retries, Value::Nil, Value::Float(1.0)]);
    assert_eq!(service.lifecycle, Lifecycle::default());
}

#[test]
fn a_service_needs_a_process_and_a_host() {
    let application = one_file("- name: s\n  kind: process.service\n  host: {workers: 1}\n");
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:3: process is required",
            "_index.yaml:5: host must be the id of an entry, not a mapping",
        ]
    );
    let entry = entry(&application, "app:s");
    assert!(matches!(entry.kind, EntryKind::Broken(_)) && entry.problem.is_some());
}

#[test]
fn the_input_of_a_service_must_be_a_list_of_plain_data() {
    let service = |input: &str| {
        one_file(&format!(
            "- name: p\n  kind: process.lua\n  source: return 1\n- name: s\n  \
             kind: process.service\n  process: p\n  host: processes\n  input: {input}\n"
        ))
    };
    assert_problem(&service("5"), "_index.yaml:10: input must be a list, not 5");
    let message = "_index.yaml:10: a key must not be null or not-a-number";
    assert_problem(&service("[{~: 1}]"), message);
}

#[test]
fn a_number_that_is_hardly_meant_as_nanoseconds_is_told() {
    let application = one_file(
        "- name: h\n  kind: process.host\n  lifecycle: {stop_timeout: 3, start_timeout: 0, \
         restart: {initial_delay: 1000000}}\n",
    );
    let text = "lifecycle.stop_timeout: 3 is that many nanoseconds; give a unit, such as 3s";
    assert_problem(&application, &format!("_index.yaml:5: warning: {text}"));
    let lifecycle = entry(&application, "app:h").lifecycle().expect("a host has one");
    assert_eq!(lifecycle.stop_timeout.as_nanos(), 3);
}
