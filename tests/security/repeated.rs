//! A decision that was made is not made again: only its time shows that.

use std::time::{Duration, Instant};

use moonlet::Value;

use crate::guarded::{app, body};
use crate::support::{PATIENCE, exec, within};

/// Takes messages for ever.
const TARGET: &str = "local inbox = process.inbox() while true do inbox:receive() end";

/// Policies that all match and whose conditions do not hold.
const MANY: usize = 5_000;
const SENDS: i64 = 20_000;

#[test]
fn a_repeated_decision_is_not_made_again() {
    let main = r#"
        local n, guarded = ...
        local meta, scope = {}, security.named_scope("app:many"):with(security.policy("app:all"))
        local plan = process.with_context({})
        if guarded then plan = plan:with_actor(security.new_actor("x")):with_scope(scope) end
        outcome(assert(plan:spawn_monitored("app:subject", host, n)))
    "#;
    // It sends to two processes in turns, so that no last destination is at hand.
    let subject = r#"
        local one, two = assert(process.spawn("app:target", host)), self
        for _ = 1, ... do
          process.send(one, "x")
          process.send(two, "x")
        end
        process.terminate(one)
    "#;
    let mut app = app(main);
    for number in 0..MANY {
        app = app.entry(&format!(
            "name: p{number}, kind: security.policy, groups: [many], policy: {{ actions: '*', \
             resources: '*', effect: deny, conditions: [{{ field: pid, operator: eq, value: n }}] }}"
        ));
    }
    let app = body(body(app, "target", TARGET), "subject", subject);
    let (plain, guarded) = within(PATIENCE, move || {
        let runtime = app.start();
        let duration = |is_guarded: bool| {
            let begin = Instant::now();
            exec(&runtime, "app:main", &[SENDS.into(), Value::from(is_guarded)]);
            begin.elapsed()
        };
        (duration(false), duration(true))
    });
    // Made anew each time, the decisions would take ten times as long as that.
    let limit = plain * 5 + Duration::from_millis(500);
    assert!(guarded < limit, "{plain:?} without, {guarded:?} with policies");
}
