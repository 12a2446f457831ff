//! PIDs of nodes that were given an id.

mod support;

use support::{App, exec};

/// A node with this id, running a process that answers with its PID and those that it reaches.
fn node(id: &str) -> moonlet::Runtime {
    let echo = "local inbox = process.inbox() while true do \
                local m = inbox:receive() process.send(m:from(), 'echo', process.pid()) end";
    let ask = "local pid = ... local echo = process.listen('echo') \
               local ok, err = process.send(pid, 't') \
               if ok then return echo:receive() end return err:kind() .. ' ' .. tostring(err)";
    let app = App::new().process("echo", echo).process("ask", ask);
    let app = app.process("start", "return assert(process.spawn('app:echo', 'app:processes'))");
    let builder = moonlet::Builder::new().workers(1).node_id(id);
    builder.application(app.load()).start().expect("the node starts")
}

#[test]
fn s1_1_pids_of_another_run_name_nobody() {
    let text = |value: moonlet::Value| value.as_str().expect("a text").to_owned();
    let [first, second] = [node("web-1"), node("web-1")];
    let [earlier, later] = [&first, &second].map(|node| text(exec(node, "app:start", &[])));
    let ask = |node, pid: &str| text(exec(node, "app:ask", &[moonlet::Value::from(pid)]));
    assert_eq!(ask(&first, &earlier), earlier, "its own");
    assert_eq!(ask(&second, &later), later);
    for (node, pid) in [(&first, &later), (&second, &earlier)] {
        assert_eq!(ask(node, pid), "NotFound node not found");
        assert!(node.send(pid, "t", ()).is_err(), "nor by the host program");
    }
    let (name, rest) = earlier.split_once('@').expect("a node part");
    let (id, incarnation) = name.split_once('!').expect("an incarnation");
    assert_eq!((id, incarnation.len()), ("{web-1", 12));
    let alone = format!("{id}@{rest}");
    assert_eq!(ask(&first, &alone), earlier, "the id alone is this node");
    assert_eq!(ask(&first, &format!("{{{rest}")), earlier, "and so is no node part");
    for other in ["{web-1!@", "{web-1!000000000000@", "{web-2@", "{@"] {
        assert_eq!(ask(&first, &format!("{other}{rest}")), "NotFound node not found", "{other}");
    }
    first.shutdown();
    second.shutdown();
}

#[test]
fn s1_1_ids_that_would_split_a_pid_are_refused() {
    for id in ["a!b", "a@b", "a|b"] {
        let refused = moonlet::Builder::new().workers(1).node_id(id).start();
        let error = refused.expect_err("it does not start").to_string();
        assert!(error.contains(id) && error.contains("separates the parts of a PID"), "{error}");
    }
}
