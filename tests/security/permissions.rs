//! The table of permissions, row by row: with what it lists an operation works, and without any
//! single one of it the operation is refused and nobody notices.

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
    /// What the subject does when `op` is allowed, and sees afterwards when it was denied.
    allowed: &'static str,
    denied: &'static str,
    /// What `t` has seen when it was allowed: a Lua pattern.
    seen: &'static str,
}

const PLAIN: Row =
    Row { operation: "", checks: &[], also: &[], allowed: "assert(op())", denied: "", seen: "^$" };

const SPAWN: Check = ("process.spawn", "'app:child'", "not allowed to spawn process: app:child");
const MONITORED: Check =
    ("process.spawn.monitored", "'app:child'", "not allowed to spawn monitored process: app:child");
const LINKED: Check =
    ("process.spawn.linked", "'app:child'", "not allowed to spawn linked process: app:child");
const HOST: Check = ("process.host", "host", "not allowed to spawn on host: app:processes");
const CONTEXT: (&str, &str) = ("process.context", "'context'");
const TERMINATE: (&str, &str) = ("process.terminate", "t");
const MONITOR: (&str, &str) = ("process.monitor", "t");
const LINK: (&str, &str) = ("process.link", "t");

/// What everybody here begins with.
const SUBJECT: &str = r#"
    local t = ...
    local trap = function() process.set_options({ trap_links = true }) end
    local function attempt(f, ...)
      local ok, result = pcall(f, ...)
      if ok then return result end
      return nil, result
    end
"#;

/// Keeps what arrives; answers a report with a list of it.
const TARGET: &str = r#"
    process.set_options({ trap_links = true })
    local inbox, seen = process.inbox(), {}
    coroutine.spawn(function()
      while true do seen[#seen + 1] = events:receive().kind end
    end)
    while true do
      local m = inbox:receive()
      if m:topic() == "report" then
        -- An event of another sender may have come before the report and be read after it.
        time.sleep("1ms")
        process.send(m:from(), "answer", table.concat(seen, " "))
      else
        seen[#seen + 1] = m:topic()
      end
    end
"#;

/// Ends a process and returns when it is gone, whatever its own policies deny.
const REAPER: &str = r#"
    local t = ...
    if not process.monitor(t) then
      process.set_options({ trap_links = true })
      assert(process.link(t))
    end
    assert(process.terminate(t))
    equal(events:receive().from, t)
"#;

const ON_PROCESSES: [Row; 7] = [
    Row {
        operation: "process.send(t, 'hello', 1)",
        checks: &[("process.send", "t", "not allowed to send: {app:processes|0x")],
        seen: "^hello$",
        ..PLAIN
    },
    Row {
        operation: "process.terminate(t)",
        checks: &[("process.terminate", "t", "not allowed to terminate: {app:processes|0x")],
        also: &[MONITOR],
        allowed: "assert(process.monitor(t)) assert(op()) equal(events:receive().from, t)",
        seen: "^gone$",
        ..PLAIN
    },
    Row {
        operation: "process.cancel(t, '1h')",
        checks: &[("process.cancel", "t", "not allowed to cancel: {app:processes|0x")],
        seen: "^pid.cancel$",
        ..PLAIN
    },
    Row {
        operation: "process.monitor(t)",
        checks: &[("process.monitor", "t", "not allowed to monitor: {app:processes|0x")],
        also: &[TERMINATE],
        allowed: "assert(op()) process.terminate(t) equal(events:receive().from, t)",
        denied: "equal(process.exec('app:reaper', host, t), nil)
                 equal(channel.select({ events:case_receive(), default = true }).default, true)",
        seen: "^gone$",
    },
    Row {
        operation: "process.unmonitor(t)",
        checks: &[("process.unmonitor", "t", "not allowed to unmonitor: {app:processes|0x")],
        also: &[MONITOR],
        // Twice would be refused, so it was undone.
        allowed: "assert(process.monitor(t)) assert(op()) assert(process.monitor(t))",
        denied: "assert(process.monitor(t)) refused('PERMISSION_DENIED', 'unmonitor', op())
                 refused('ALREADY_EXISTS', 'monitoring', process.monitor(t))",
        ..PLAIN
    },
    Row {
        operation: "process.link(t)",
        checks: &[("process.link", "t", "not allowed to link: {app:processes|0x")],
        also: &[TERMINATE],
        allowed: "trap() assert(op()) process.terminate(t)
                  equal(events:receive().kind, process.event.LINK_DOWN)",
        // It would die of a link.
        denied: "equal(process.exec('app:reaper', host, t), nil)",
        seen: "^gone$",
    },
    Row {
        operation: "process.unlink(t)",
        checks: &[("process.unlink", "t", "not allowed to unlink: {app:processes|0x")],
        also: &[LINK, TERMINATE, MONITOR],
        // It would die of the link.
        allowed: "assert(process.monitor(t)) assert(process.link(t)) assert(op())
                  process.terminate(t) equal(events:receive().kind, process.event.EXIT)",
        denied: "trap() assert(process.link(t)) refused('PERMISSION_DENIED', 'unlink', op())
                 process.terminate(t) equal(events:receive().kind, process.event.LINK_DOWN)",
        seen: "^gone$",
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
        denied: "refused('NOT_FOUND', 'name not registered', process.registry.lookup('desk'))",
        ..PLAIN
    },
    Row {
        operation: "process.with_context({}):spawn_monitored('app:child', host)",
        checks: &[SPAWN, MONITORED, HOST],
        also: &[CONTEXT],
        ..PLAIN
    },
    Row {
        operation: "process.with_context({}):spawn_linked('app:child', host)",
        checks: &[SPAWN, LINKED, HOST],
        also: &[CONTEXT],
        ..PLAIN
    },
    Row {
        operation: "process.with_context({}):spawn_linked_monitored('app:child', host)",
        checks: &[SPAWN, MONITORED, LINKED, HOST],
        also: &[CONTEXT],
        ..PLAIN
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
        allowed: "equal(op(), t)",
        seen: "^hello$",
        ..PLAIN
    },
    Row {
        operation: "process.exec('app:child', host)",
        checks: &[
            ("process.exec", "'app:child'", "not allowed to exec process: app:child"),
            ("process.host", "host", "not allowed to exec on host: app:processes"),
        ],
        allowed: "equal(op(), 'done')",
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
        ..PLAIN
    },
    Row {
        operation: "attempt(process.with_context({}).with_scope, process.with_context({}),
                            security.scope())",
        checks: &[CUSTOM_SECURITY],
        also: &[CONTEXT],
        ..PLAIN
    },
    Row {
        operation: "process.registry.register('desk')",
        checks: &[("process.registry.register", "'desk'", "not allowed to register name: desk")],
        allowed: "equal(op(), true) equal(process.registry.lookup('desk'), self)",
        denied: "refused('NOT_FOUND', 'name not registered', process.registry.lookup('desk'))",
        ..PLAIN
    },
    Row {
        operation: "process.registry.register('desk', t)",
        checks: &[("process.registry.register", "'desk'", "not allowed to register name: desk")],
        allowed: "equal(op(), true) equal(process.registry.lookup('desk'), t)",
        denied: "refused('NOT_FOUND', 'name not registered', process.registry.lookup('desk'))",
        ..PLAIN
    },
    Row {
        operation: "process.registry.unregister('taken')",
        checks: &[(
            "process.registry.unregister",
            "'taken'",
            "not allowed to unregister name: taken",
        )],
        allowed: "equal(op(), true)
                  refused('NOT_FOUND', 'not registered', process.registry.lookup('taken'))",
        denied: "equal(process.registry.lookup('taken'), t)",
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
        ..PLAIN
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
    let end = "local text = 'gone'
               if process.send(t, 'report') then text = answers:receive() end
               return { t, text }";
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
    body(body(app, "target", TARGET), "reaper", REAPER)
}

/// Runs main; returns what the target had seen and how many processes were started.
fn run(row: &Row, main: &str, subject: &str) -> (String, u64) {
    let application = application(row, main, subject);
    within(PATIENCE, move || {
        let runtime = application.start();
        let result = exec(&runtime, "app:main", &[]);
        let spawned = runtime.metrics().spawned;
        runtime.shutdown();
        let seen = result.as_table().and_then(|pairs| pairs[1].1.as_str().map(str::to_owned));
        (seen.expect("main returns a text"), spawned)
    })
}

/// The metadata that name the resource of each action, and the policies that allow just those.
fn grants(row: &Row, without: Option<&str>) -> (String, String) {
    let checks = row.checks.iter().map(|(action, resource, _)| (*action, *resource));
    let all: Vec<(&str, &str)> = checks.chain(row.also.iter().copied()).collect();
    let meta: Vec<String> =
        all.iter().map(|(action, resource)| format!("{} = {resource}", key(action))).collect();
    let policies: Vec<String> = all
        .iter()
        .filter(|(action, _)| Some(*action) != without)
        .map(|(action, _)| format!("'may_{}'", key(action)))
        .collect();
    (format!("{{ {} }}", meta.join(", ")), policies.join(", "))
}

#[test]
fn s14_5_what_is_listed_suffices() {
    for row in rows() {
        let (meta, policies) = grants(&row, None);
        let main = format!("act({meta}, scope({policies}), 'app:subject', t)");
        let (seen, _) = run(&row, &main, row.allowed);
        let expected = row.seen.trim_matches(['^', '$']);
        assert_eq!(seen, expected, "{}", row.operation);
    }
}

#[test]
fn s14_5_without_any_of_it_nothing_happens() {
    for row in rows() {
        for (action, _, text) in row.checks {
            let (meta, policies) = grants(&row, Some(action));
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

#[test]
fn s14_5_what_was_denied_left_no_trace() {
    for row in rows().filter(|row| !row.denied.is_empty()) {
        for (action, _, text) in row.checks {
            // What the row shows may begin with the denial, after something to be kept.
            let denial = if row.denied.contains("op()") {
                String::new()
            } else {
                format!("refused('PERMISSION_DENIED', {text:?}, op())")
            };
            let main = format!("act({{}}, scope('all', 'not_{}'), 'app:subject', t)", key(action));
            let subject = format!("{denial}\n{}", row.denied);
            let (seen, _) = run(&row, &main, &subject);
            assert!(
                seen.is_empty() || seen == "gone",
                "{} without {action}: {seen}",
                row.operation
            );
        }
    }
}
