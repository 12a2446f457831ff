//! "Did you mean": suggestions for errors about calling or indexing nil. They are added where an
//! error leaves Lua; inside Lua, error texts are those of stock Lua.

use crate::app::module::{self, Module};
use crate::nearest::nearest;

/// The functions that scripts call most.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "print", "rawequal",
    "rawget", "rawlen", "rawset", "require", "select", "setmetatable", "tonumber", "tostring",
    "type", "xpcall",
    "process.pid", "process.id", "process.send", "process.spawn", "process.spawn_monitored",
    "process.spawn_linked", "process.spawn_linked_monitored", "process.with_context",
    "process.exec", "process.request", "process.cancel", "process.terminate", "process.upgrade",
    "process.monitor",
    "process.unmonitor", "process.link", "process.unlink", "process.get_options",
    "process.set_options", "process.inbox", "process.events", "process.listen",
    "process.unlisten", "process.registry.register", "process.registry.lookup",
    "process.registry.unregister", "process.registry.wait", "process.ready", "channel.new",
    "channel.select", "errors.new", "errors.wrap",
    "errors.is", "errors.call_stack", "time.now", "time.sleep", "time.after", "time.timer",
    "time.ticker", "time.date", "time.unix", "time.parse", "time.parse_duration",
    "time.monotonic", "time.load_location", "time.fixed_zone", "logger:named", "logger:with",
    "logger:debug", "logger:info", "logger:warn", "logger:error", "io.print", "io.write",
    "io.flush", "io.readline", "io.args", "ctx.get", "ctx.all", "security.actor",
    "security.scope", "security.can", "security.policy", "security.named_scope",
    "security.new_scope", "security.new_actor", "coroutine.spawn", "coroutine.create",
    "coroutine.resume", "coroutine.yield", "coroutine.wrap", "coroutine.status",
    "coroutine.close", "coroutine.running", "coroutine.isyieldable", "debug.traceback",
    "string.format", "string.find", "string.match", "string.gmatch", "string.gsub", "string.sub",
    "string.rep", "string.reverse", "string.lower", "string.upper", "string.len", "string.byte",
    "string.char", "string.pack", "string.packsize", "string.unpack", "table.insert",
    "table.remove", "table.concat", "table.sort", "table.unpack", "table.pack", "table.move",
    "math.random", "math.randomseed", "math.floor", "math.ceil", "math.tointeger", "math.type",
    "utf8.char", "utf8.codepoint", "utf8.codes", "utf8.offset", "os.time", "os.date", "os.clock",
    "os.difftime", "channel:send", "channel:receive", "channel:close",
    "channel:case_send", "channel:case_receive", "message:topic", "message:from",
    "message:payload", "message:reply", "timer:stop", "timer:reset", "timer:response",
    "timer:channel",
    "spawner:with_actor", "spawner:with_scope", "spawner:with_name", "spawner:with_message",
    "error:kind", "error:message", "error:retryable", "error:details", "error:stack",
];

/// Functions of stock Lua that a process does not have, with the replacement.
const ABSENT: &[(&str, &str)] = &[
    ("load", "code comes from entries and their imports"),
    ("loadstring", "code comes from entries and their imports"),
    ("loadfile", "code comes from entries and their imports"),
    ("dofile", "code comes from entries and their imports"),
    ("collectgarbage", "the runtime collects by itself"),
    ("warn", "use the module logger"),
];

/// Returns the suggestion to append to a message, with its separator; mostly empty.
pub(crate) fn of(message: &[u8]) -> String {
    let advice = std::str::from_utf8(message).ok().and_then(|text| {
        // Such a message ends its line: `main.lua:1: attempt to call a nil value (field 'sned')`.
        let (before, named) = text.rsplit_once(" a nil value (")?;
        let (kind, name) = named.strip_suffix("')")?.split_once(" '")?;
        match before.rsplit_once("attempt to ")?.1 {
            "call" => called(kind, name),
            "index" if kind == "global" => indexed(name),
            _ => None,
        }
    });
    advice.map_or(String::new(), |advice| format!("; {advice}"))
}

fn called(kind: &str, name: &str) -> Option<String> {
    let absent = ABSENT.iter().find(|(absent, _)| kind == "global" && *absent == name);
    if let Some((_, instead)) = absent {
        return Some(format!("there is no {name}: {instead}"));
    }
    // Only a global suggests a name from a table: for a field, many tables could have the name
    // (`new`).
    let may_be_elsewhere = kind == "global";
    // For a method suggests methods first; otherwise functions that are no methods.
    let (like, unlike): (Vec<_>, Vec<_>) =
        NAMES.iter().partition(|known| known.contains(':') == (kind == "method"));
    let known: Vec<&str> = like.into_iter().chain(unlike).collect();
    let last = |known: &'static str| known.rsplit(['.', ':']).next().unwrap_or(known);
    let name = match known.iter().any(|known| last(known) == name) {
        true if !may_be_elsewhere => return None,
        true => name,
        false => nearest(name, known.iter().map(|known| last(known)))?,
    };
    let meant = known.into_iter().find(|known| last(known) == name)?;
    Some(format!("did you mean {meant}?"))
}

fn indexed(name: &str) -> Option<String> {
    if Module::named(name).is_some() {
        return Some(format!("list {name} under modules: of the entry"));
    }
    let known = module::names();
    nearest(name, known).map(|near| format!("did you mean {near}?"))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_said_behind_the_message() {
        for (end, expected) in [
            ("call a nil value (field 'sned')", "; did you mean process.send?"),
            ("call a nil value (method 'recieve')", "; did you mean channel:receive?"),
            ("call a nil value (method 'lowr')", "; did you mean string.lower?"),
            ("call a nil value (global 'sleep')", "; did you mean time.sleep?"),
            ("call a nil value (global 'prnt')", "; did you mean print?"),
            ("call a nil value (upvalue 'spwan')", "; did you mean process.spawn?"),
            (
                "call a nil value (global 'load')",
                "; there is no load: code comes from entries and their imports",
            ),
            ("index a nil value (global 'time')", "; list time under modules: of the entry"),
            ("index a nil value (global 'proces')", "; did you mean process?"),
        ] {
            assert_eq!(of(format!("main.lua:1: attempt to {end}").as_bytes()), expected, "{end}");
        }
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        for text in [
            "",
            "broken",
            "main.lua:1: attempt to call a nil value (field 'frobnicate')",
            "main.lua:1: attempt to call a nil value (local 'send')",
            "main.lua:1: attempt to call a nil value (field 'new')",
            "main.lua:1: attempt to call a nil value (method 'close')",
            "main.lua:1: attempt to call a nil value (field '?')",
            "main.lua:1: attempt to call a nil value",
            "main.lua:1: attempt to index a nil value (local 'tiem')",
            "main.lua:1: attempt to index a nil value (field 'time')",
            "main.lua:1: attempt to call a number value (global 'sned')",
            "attempt to call a nil value (global 'sned') and more",
            " a nil value ('')",
        ] {
            assert_eq!(of(text.as_bytes()), "", "{text}");
        }
        assert_eq!(of(b"attempt to call a nil value (global '\xff')"), "");
    }
}
