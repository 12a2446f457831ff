//! Security as the command shows it: strict mode, and mistakes in what services may do.

use crate::command::{Folder, ended};

const MAIN: &str = "local ok, err = process.send(process.pid(), 'x') print(ok, err)";
const DENIED: &str = "nil\tnot allowed to send: {app:processes|0x";
/// As the log shows it.
const DENIED_IN_LOG: &str = "nil\\tnot allowed to send: {app:processes|0x";
const POLICY: &str = "name: all, kind: security.policy, policy: \
                      { actions: '*', resources: '*', effect: allow }";

#[test]
fn strict_mode_denies_whoever_has_no_identity() {
    let folder = Folder::with(&[("main", MAIN)], &[]);
    assert_eq!(folder.run_main(&[]).with_status(0).stdout, "true\tnil\n");
    let strict = folder.run_main(&["--strict-security"]).with_status(0);
    assert!(strict.stdout.starts_with(DENIED), "{}", strict.stdout);
}

#[test]
fn strict_mode_lets_services_do_what_their_policies_allow() {
    let host = "name: processes, kind: process.host, lifecycle: { auto_start: true }";
    let service = |name: &str, security: &str| {
        format!(
            "name: {name}, kind: process.service, process: main, host: processes, \
             lifecycle: {{ auto_start: true, security: {{ {security} }} }}"
        )
    };
    for (security, expected) in [
        ("actor: { id: svc }, policies: [all]", "true\\tnil"),
        ("actor: { id: svc }", DENIED_IN_LOG),
    ] {
        let folder = Folder::with(&[("main", MAIN)], &[host, POLICY, &service("s", security)]);
        let ended = folder.start(&["--strict-security"]).finish().with_status(0);
        assert!(ended.stderr.contains(expected), "{security}: {}", ended.stderr);
    }
}

#[test]
fn a_reference_that_leads_nowhere_fails_the_check_and_not_the_run() {
    let service = "name: s, kind: process.service, process: main, host: processes, lifecycle: \
                   { auto_start: true, security: { actor: { id: x }, groups: [gone] } }";
    let folder = Folder::with(&[("main", MAIN)], &[POLICY, service]);
    let path = folder.path().display().to_string();
    let problem =
        format!("{path}/_index.yaml:5: group app:gone does not exist: no policy is in it");
    let check = ended(&["check", &path]).with_status(1);
    assert_eq!(check.stdout, format!("{problem}\n{path}: 3 entries, 1 error\n"));
    let run = folder.start(&[]).finish().with_status(0);
    assert!(run.stderr.starts_with(&problem), "{}", run.stderr);
    // The scope is there, and it allows nothing.
    assert!(run.stderr.contains(DENIED_IN_LOG), "{}", run.stderr);
}
