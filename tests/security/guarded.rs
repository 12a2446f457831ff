//! Applications with policies, and subjects that run under some of them.
//!
//! `app:main` itself has no actor and may do everything. It runs subjects with a scope of its
//! choice by `act(meta, scope, definition, ...)` and gets what they return.

use crate::support::App;

/// What stands in front of each body here.
const SETUP: &str = r#"
    local host, self, events = "app:processes", process.pid(), process.events()
    local answers = process.listen("answer")
    local function scope(...)
      local list = {}
      for i, name in ipairs({ ... }) do list[i] = assert(security.policy("app:" .. name)) end
      return security.new_scope(list)
    end
    local function outcome(pid)
      local event = events:receive()
      equal(event.kind, process.event.EXIT)
      equal(event.from, pid)
      local message = event.result.error
      if message then error(tostring(message), 0) end
      return event.result.value
    end
    local function act(meta, scope, definition, ...)
      local plan = process.with_context({})
        :with_actor(security.new_actor("subject", meta)):with_scope(scope)
      return outcome(assert(plan:spawn_monitored(definition, host, ...)))
    end
    local function raised(kind, text, f, ...)
      local ok, err = pcall(f, ...)
      if ok then error("did not raise", 2) end
      return refused(kind, text, nil, err)
    end
"#;

/// An application with the policy `all`, which allows everything, and this main.
pub(crate) fn app(main: &str) -> App {
    allow(body(App::new(), "main", main), "all", "'*'", "'*'")
}

/// Adds a definition with the functions of this file.
pub(crate) fn body(app: App, name: &str, text: &str) -> App {
    app.process_using("time, security, ctx", name, &format!("{}{text}", SETUP.replace('\n', " ")))
}

/// Adds a policy by its actions and resources as YAML.
pub(crate) fn allow(app: App, name: &str, actions: &str, resources: &str) -> App {
    policy(app, name, "allow", actions, resources, "[]")
}

pub(crate) fn deny(app: App, name: &str, actions: &str, resources: &str) -> App {
    policy(app, name, "deny", actions, resources, "[]")
}

pub(crate) fn policy(
    app: App,
    name: &str,
    effect: &str,
    actions: &str,
    resources: &str,
    conditions: &str,
) -> App {
    app.entry(&format!(
        "name: {name}, kind: security.policy, policy: {{ actions: {actions}, \
         resources: {resources}, effect: {effect}, conditions: {conditions} }}"
    ))
}
