//! The table of permissions, row by row: without any single one of what it lists an operation is
//! refused, starts no process, and its target notices nothing.

use std::collections::BTreeSet;

use crate::guarded::{app, body, deny, policy};
use crate::support::{App, PATIENCE, exec, within};

/// What an operation is asked for: the action, the resource as main sees it, the error.
type Check = (&'static str, &'static str, &'static str);

/// One operation of a subject on the process `t`.
#[derive(Clone, Copy)]
struct Row {
    operation: &'static str,
    checks: &'static [Check],
    /// What the subject does besides: actions and resources.
    also: &'static [(&'static str, &'static str)],
}

const PLAIN: Row = Row { operation: "", checks: &[], also: &[] };

const SPAWN: Check = ("process.spawn", "'app:child'", "not allowed to spawn process: app:child");
const MONITORED: Check =
    ("process.spawn.monitored", "'app:child'", "not allowed to spawn monitored process: app:child");
const LINKED: Check =
    ("process.spawn.linked", "'app:child'", "not allowed to spawn linked process: app:child");
const HOST: Check = ("process.host", "host", "not allowed to spawn on host: app:processes");
const CONTEXT: (&str, &str) = ("process.context", "'context'");

/// What everybody here begins with.
const SUBJECT: &str = r#"
    local t = ...
    local function attempt(f, ...)
      local ok, result = pcall(f, ...)
      if ok then return result end
      return nil, result
    end
"#;

/// Keeps what arrives; answers a report with a list of it. Whatever an operation left here has
/// arrived before the report is asked for, and events are looked at first.
const TARGET: &str = r#"
    process.set_options({ trap_links = true })
    local inbox, seen = process.inbox(), {}
    while true do
      local r = channel.select({ events:case_receive(), inbox:case_receive() })
      if r.channel == events then
        seen[#seen + 1] = r.value.kind
      elseif r.value:topic() == "report" then
        process.send(r.value:from(), "answer", table.concat(seen, " "))
      else
        seen[#seen + 1] = r.value:topic()
      end
    end
"#;

const ON_PROCESSES: [Row; 7] = [
    Row {
        operation: "process.send(t, 'hello', 1)",
        checks: &[("process.send", "t", "not allowed to send: {app:processes|0x")],
        ..PLAIN
    },
    Row {
        operation: "process.terminate(t)",
        checks: &[("process.terminate", "t", "not allowed to terminate: {app:processes|0x")],
        ..PLAIN
    },
    Row {
        operation: "process.cancel(t, '1h')",
        checks: &[("process.cancel", "t", "not allowed to cancel: {app:processes|0x")],
        ..PLAIN
    },
    Row {
        operation: "process.monitor(t)",
        checks: &[("process.monitor", "t", "not allowed to monitor: {app:processes|0x")],
        ..PLAIN
    },
    Row {
        operation: "process.unmonitor(t)",
        checks: &[("process.unmonitor", "t", "not allowed to unmonitor: {app:processes|0x")],
        ..PLAIN
    },
    Row {
        operation: "process.link(t)",
        checks: &[("process.link", "t", "not allowed to link: {app:processes|0x")],
        ..PLAIN
    },
    Row {
        operation: "process.unlink(t)",
        checks: &[("process.unlink", "t", "not allowed to unlink: {app:processes|0x")],
        ..PLAIN
    },
];

const STARTS: [Row; 10] = [
    Row { operation: "process.spawn('app:child', host)", checks: &[SPAWN, HOST], ..PLAIN },
    Row {
        operation: "process.spawn_monitored('app:child', host)",
        checks: &[SPAWN, MONITORED, HOST],
        ..PLAIN
    },
    Row {
        operation: "process.spawn_linked('app:child', host)",
        checks: &[SPAWN, LINKED, HOST],
        ..PLAIN
    },
    Row {
        operation: "process.spawn_linked_monitored('app:child', host)",
        checks: &[SPAWN, MONITORED, LINKED, HOST],
        ..PLAIN
    },
    Row {
        operation: "process.with_context({}):with_name('desk'):with_message('x')
                      :spawn('app:child', host)",
        checks: &[SPAWN, HOST],
        also: &[CONTEXT],
    },
    Row {
        operation: "process.with_context({}):spawn_monitored('app:child', host)",
        checks: &[SPAWN, MONITORED, HOST],
        also: &[CONTEXT],
    },
    Row {
        operation: "process.with_context({}):spawn_linked('app:child', host)",
        checks: &[SPAWN, LINKED, HOST],
        also: &[CONTEXT],
    },
    Row {
        operation: "process.with_context({}):spawn_linked_monitored('app:child', host)",
        checks: &[SPAWN, MONITORED, LINKED, HOST],
        also: &[CONTEXT],
    },
    // The name is that of `t`, which is joined instead.
    Row {
        operation: "process.with_context({}):with_name('taken'):with_message('hello')
                      :spawn_linked_monitored('app:child', host)",
        checks: &[
            SPAWN,
            MONITORED,
            LINKED,
            HOST,
            ("process.send", "t", "not allowed to send: {app:processes|0x"),
            ("process.monitor", "t", "not allowed to monitor: {app:processes|0x"),
            ("process.link", "t", "not allowed to link: {app:processes|0x"),
        ],
        also: &[CONTEXT],
    },
    Row {
        operation: "process.exec('app:child', host)",
        checks: &[
            ("process.exec", "'app:child'", "not allowed to exec process: app:child"),
            ("process.host", "host", "not allowed to exec on host: app:processes"),
        ],
        ..PLAIN
    },
];

const OTHERS: [Row; 12] = [
    Row {
        operation: "attempt(process.with_context, { a = 1 })",
        checks: &[(
            "process.context",
            "'context'",
            "not allowed to spawn processes with custom context",
        )],
        ..PLAIN
    },
    Row {
        operation: "attempt(process.with_context({}).with_actor, process.with_context({}),
                            security.actor())",
        checks: &[CUSTOM_SECURITY],
        also: &[CONTEXT],
    },
    Row {
        operation: "attempt(process.with_context({}).with_scope, process.with_context({}),
                            security.scope())",
        checks: &[CUSTOM_SECURITY],
        also: &[CONTEXT],
    },
    Row {
        operation: "process.registry.register('desk')",
        checks: &[("process.registry.register", "'desk'", "not allowed to register name: desk")],
        ..PLAIN
    },
    Row {
        operation: "process.registry.register('desk', t)",
        checks: &[("process.registry.register", "'desk'", "not allowed to register name: desk")],
        ..PLAIN
    },
    Row {
        operation: "process.registry.unregister('taken')",
        checks: &[(
            "process.registry.unregister",
            "'taken'",
            "not allowed to unregister name: taken",
        )],
        ..PLAIN
    },
    Row {
        operation: "security.policy('app:all')",
        checks: &[("security.policy.get", "'app:all'", "not allowed to get policy: app:all")],
        ..PLAIN
    },
    Row {
        operation: "security.named_scope('app:group')",
        checks: &[(
            "security.policy_group.get",
            "'app:group'",
            "not allowed to get policy group: app:group",
        )],
        ..PLAIN
    },
    Row {
        operation: "attempt(security.new_scope)",
        checks: &[("security.scope.create", "'custom'", "not allowed to create scope: custom")],
        ..PLAIN
    },
    Row {
        operation: "attempt(security.scope().with, security.scope(), (security.policy('app:all')))",
        checks: &[("security.scope.create", "'with'", "not allowed to create scope: with")],
        also: &[("security.policy.get", "'app:all'")],
    },
    Row {
        operation: "attempt(security.scope().without, security.scope(), 'app:all')",
        checks: &[("security.scope.create", "'without'", "not allowed to create scope: without")],
        ..PLAIN
    },
    Row {
        operation: "attempt(security.new_actor, 'robot')",
        checks: &[("security.actor.create", "'robot'", "not allowed to create actor: robot")],
        ..PLAIN
    },
];

const CUSTOM_SECURITY: Check = (
    "process.security",
    "'security'",
    "not allowed to spawn processes with custom security context",
);

/// The name of an action as a policy's name and as a key of the subject's metadata.
fn key(action: &str) -> String {
    action.replace('.', "_")
}

fn rows() -> impl Iterator<Item = Row> {
    ON_PROCESSES.into_iter().chain(STARTS).chain(OTHERS)
}

/// An application with a policy per action that allows it on one resource, the one that the
/// actor's metadata have for the action, and one that denies it.
fn application(row: &Row, main: &str, subject: &str) -> App {
    let start = "local t = assert(process.spawn('app:target', host))
                 assert(process.registry.register('taken', t))";
    let end = "assert(process.send(t, 'report')) return answers:receive()";
    let mut app = app(&format!("{start}\n{main}\n{end}"));
    let actions: BTreeSet<&str> = row.checks.iter().map(|(action, ..)| *action).collect();
    for action in actions.iter().copied().chain(row.also.iter().map(|(action, _)| *action)) {
        let condition = format!(
            "[{{ field: resource, operator: eq, value_from: actor.meta.{} }}]",
            key(action)
        );
        app = policy(app, &format!("may_{}", key(action)), "allow", action, "'*'", &condition);
    }
    for action in actions {
        app = deny(app, &format!("not_{}", key(action)), action, "'*'");
    }
    app = app.entry(
        "name: group, kind: security.policy, groups: [group], \
         policy: { actions: none, resources: none, effect: deny }",
    );
    let operation = format!("local op = function() return {} end", row.operation);
    app = body(app, "subject", &format!("{SUBJECT}\n{operation}\n{subject}"));
    app = body(app, "child", "return 'done'");
    body(app, "target", TARGET)
}

/// Runs main; returns what the target had seen and how many processes were started.
fn run(row: &Row, main: &str, subject: &str) -> (String, u64) {
    let application = application(row, main, subject);
    within(PATIENCE, move || {
        let runtime = application.start();
        let result = exec(&runtime, "app:main", &[]);
        let spawned = runtime.metrics().spawned;
        runtime.shutdown();
        (result.as_str().expect("main returns a text").to_owned(), spawned)
    })
}

/// The metadata that name the resource of each action, and the policies that allow just those, but
/// for one.
fn grants(row: &Row, without: &str) -> (String, String) {
    let checks = row.checks.iter().map(|(action, resource, _)| (*action, *resource));
    let all: Vec<(&str, &str)> = checks.chain(row.also.iter().copied()).collect();
    let meta: Vec<String> =
        all.iter().map(|(action, resource)| format!("{} = {resource}", key(action))).collect();
    let policies: Vec<String> = all
        .iter()
        .filter(|(action, _)| *action != without)
        .map(|(action, _)| format!("'may_{}'", key(action)))
        .collect();
    (format!("{{ {} }}", meta.join(", ")), policies.join(", "))
}

#[test]
fn s14_5_without_any_of_it_nothing_happens() {
    for row in rows() {
        for (action, _, text) in row.checks {
            let (meta, policies) = grants(&row, action);
            let denied = format!("refused('PERMISSION_DENIED', {text:?}, op())");
            // One scope denies it, the other just does not allow it.
            let denying = format!("scope('all', 'not_{}')", key(action));
            for scope in [denying, format!("scope({policies})")] {
                let main = format!("act({meta}, {scope}, 'app:subject', t)");
                let (seen, spawned) = run(&row, &main, &denied);
                assert_eq!(seen, "", "{} without {action}", row.operation);
                assert_eq!(spawned, 3, "{} without {action}", row.operation);
            }
        }
    }
}
