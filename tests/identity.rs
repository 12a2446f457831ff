//! Processes have PIDs and frame ids that mean what they should, and texts are parsed as PIDs
//! exactly when they look like one.

mod support;

use support::{App, exec, run, run_with};

#[test]
fn s1_1_format_of_a_pid() {
    run(r#"
        local host, uniq = process.pid():match("^{([^|]+)|0x([0-9a-f]+)}$")
        equal(host, "app:processes", process.pid())
        assert(#uniq >= 5, "padded to five digits: " .. uniq)
        equal(#uniq == 5 or uniq:sub(1, 1) ~= "0", true, "no more padding than to five digits")
    "#);
}

#[test]
fn s1_1_uniq_is_unique_over_hosts_and_never_reused() {
    let main = r#"
        local seen, count = {}, 0
        for i = 1, 300 do
          local host = i % 2 == 0 and "app:processes" or "app:other"
          local pid = assert(process.exec("app:child", host))
          local named, uniq = pid:match("^{(.-)|(.*)}$")
          equal(named, host, "host part")
          assert(not seen[uniq], "used twice: " .. pid)
          seen[uniq] = true
        end
    "#;
    let app = App::new().host("other", "{}").process("main", main);
    app.process("child", "return process.pid()").run();
}

#[test]
fn s1_2_parsing_of_destinations() {
    let main = r#"
        local function try(destination, kind, text)
          local err = refused(kind, text, process.send(destination, "t"))
          local is_name = string.find(err, "could not resolve", 1, true) ~= nil
          equal(is_name, text == "could not resolve", "taken as a name: " .. destination)
        end
        try("{", "NOT_FOUND", "could not resolve")
        try("{}", "NOT_FOUND", "could not resolve")
        try("ab|0x1", "NOT_FOUND", "could not resolve")
        try("{app:processes|0x00001", "NOT_FOUND", "could not resolve")
        try("app:processes|0x00001}", "NOT_FOUND", "could not resolve")
        try("{no bar}", "NOT_FOUND", "could not resolve")
        try(" {app:processes|0xfffff}", "NOT_FOUND", "could not resolve")
        try("{app:processes|0xfffff} ", "NOT_FOUND", "could not resolve")
        try("{|}", "NOT_FOUND", "not found")
        try("{app:processes|}", "NOT_FOUND", "process not found")
        try("{app:processes|nonsense}", "NOT_FOUND", "process not found")
        try("{app:processes|0xfffff}", "NOT_FOUND", "process not found")
        try("{app:processes|0xffffffffffffffffffffff}", "NOT_FOUND", "process not found")
        try("{app:nowhere|0x00001}", "NOT_FOUND", "host not found")
        try("{other@app:processes|0x00001}", "NOT_FOUND", "node not found")
        try("{a@b@app:processes|0x00001}", "NOT_FOUND", "node not found")
    "#;
    run(main);
}

#[test]
fn s1_2_other_spellings_of_the_own_pid() {
    let main = r#"
        local pid, inbox = process.pid(), process.inbox()
        local host, digits = pid:match("^{(.-)|0x(.*)}$")
        local function reaches(text)
          assert(process.send(text, text))
          local message = inbox:receive()
          equal(message:topic(), text)
          equal(message:from(), pid, "printed in the canonical form")
        end
        reaches("{" .. host .. "|ignored|0x" .. digits .. "}")
        reaches("{" .. host .. "|0x" .. digits:upper() .. "}")
        reaches("{" .. host .. "|0x" .. digits:gsub("^0+", "") .. "}")
        reaches("{" .. host .. "|0x000" .. digits .. "}")
    "#;
    run(main);
}

#[test]
fn s1_2_the_host_part_must_match() {
    let main = r#"
        local elsewhere = process.pid():gsub("app:processes", "app:other")
        refused("NOT_FOUND", "process not found", process.send(elsewhere, "t"))
    "#;
    App::new().host("other", "{}").process("main", main).run();
}

#[test]
fn s1_2_a_text_that_parses_as_a_pid_is_never_a_name() {
    let main = r#"
        for _, name in ipairs({ "{app:processes|0xfffff}", "{x|y}", "{|}" }) do
          assert(process.registry.register(name))
          equal(process.registry.lookup(name), process.pid())
          refused("NOT_FOUND", "not found", process.send(name, "t"))
        end
        assert(process.registry.register("{no bar}"))
        assert(process.send("{no bar}", "t"))
    "#;
    run(main);
}

#[test]
fn s1_2_register_takes_pids_only() {
    let main = r#"
        local register = process.registry.register
        assert(register("taken"))
        for _, text in ipairs({ "", "{}", "ab", "taken", "{app:processes|0x00001" }) do
          refused("INVALID", "missing braces", register("free", text))
        end
        refused("INVALID", "missing pipe", register("free", "{no bar}"))
        refused("NOT_FOUND", "", register("free", "{app:processes|0xfffff}"))
    "#;
    run(main);
}

#[test]
fn s1_3_pid_is_the_same_in_all_coroutines() {
    let main = r#"
        local pid, id, seen = process.pid(), process.id(), 0
        local function look()
          equal(process.pid(), pid)
          equal(process.id(), id)
          seen = seen + 1
        end
        coroutine.spawn(look)
        coroutine.wrap(look)()
        assert(coroutine.resume(coroutine.create(look)))
        equal(seen, 3)
    "#;
    run(main);
}

#[test]
fn s1_3_id_names_the_definition_and_the_chain() {
    let main = r#"
        local function chain_of(id, entry)
          local name, chain = id:match("^(.-)#([0-9a-f]+)$")
          equal(name, entry, id)
          return chain
        end
        local own = chain_of(process.id(), "app:main")
        local called = chain_of(assert(process.exec("app:child", "app:processes")), "app:child")
        equal(called, own, "exec stays in the chain of its caller")
        local events = process.events()
        assert(process.spawn_monitored("app:child", "app:processes"))
        local spawned = chain_of(events:receive().result.value, "app:child")
        assert(spawned ~= own, "a spawn begins a new chain")
    "#;
    run_with(main, &[("child", "return process.id()")]);
}

#[test]
fn s1_3_both_are_usable_while_the_chunk_runs() {
    let source = r#"
        local pid, id = process.pid(), process.id()
        return function()
          assert(pid == process.pid(), "the PID stays")
          assert(id == process.id(), "the frame id stays")
        end
    "#;
    App::new().chunk("main", source).run();
}

#[test]
fn s0_3_1_process_is_a_global_a_module_and_read_only() {
    run(r#"
        equal(require("process"), process)
        assert(not pcall(function() process.send = 1 end), "assigning must raise")
        assert(not pcall(function() process.new_field = 1 end), "assigning must raise")
        equal(process.new_field, nil)
        local kept = process
        process = nil
        equal(process, nil, "the global may be shadowed")
        equal(kept.pid(), require("process").pid())
    "#);
}

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
        assert!(node.send(pid, "t", &[]).is_err(), "nor by the host program");
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
