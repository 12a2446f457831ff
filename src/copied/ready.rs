//! Which chunks have to run in each process, and that processes cannot observe the difference.

use super::*;

#[track_caller]
fn is_ready(main: &str) -> bool {
    compare_ready(&main_only(main), 1).is_some()
}

#[test]
fn what_is_the_same_for_all_runs_once() {
    for main in [
        "return function() end",
        "local send, min = process.send, math.min return function() return min(3, 2) end",
        "local time = require('time') return { main = function() return time.SECOND end }",
        "counter = 0 local t = setmetatable({}, { __index = function(t, k) return k end }) \
         return function() counter = counter + 1 return { counter, t[7], rawlen({ 1, 2 }) } end",
        "local parts = {} \
         for word in ('one two three'):gmatch('%a+') do parts[#parts + 1] = word end \
         return function() return table.concat(parts, '-') end",
        "local ok, err = pcall(error, 'caught') return function() return err end",
        "local failed = errors.new('CONFLICT', 'early') return function() return nil, failed end",
        "local one = coroutine.wrap(function() return 1 end)() return function() return one end",
        "local EXIT = process.event.EXIT return function() return EXIT end",
        "local a <close> = setmetatable({}, { __close = function() closed = true end }) \
         return function() return closed end",
        "local shown = tostring(setmetatable({}, { __tostring = function() return 'shown' end })) \
         return function() return ('%s %d%%p'):format(shown, 1) end",
        "for key in pairs(_G) do last = key end return function() return type(last) end",
    ] {
        assert!(is_ready(main), "{main}");
    }
}

#[test]
fn what_may_differ_runs_in_each() {
    for main in [
        "local own = process.pid() return function() return own end",
        "local own = process.id() return function() return own end",
        "local now = os.time() return function() return now end",
        "local now = os.clock() return function() return now end",
        "local now = require('time').now() return function() return now end",
        "local now = require('time').monotonic() return function() return now end",
        "local number = math.random() return function() return number end",
        "math.randomseed(1) return function() return math.random() end",
        "local ch = channel.new() return function() return ch end",
        "require('logger').info('born') return function() end",
        "print('born') return function() end",
        "local value = require('ctx').get('key') return function() return value end",
        "local text = tostring({}) return function() return text end",
        "local short = tonumber(tostring({}):match('0x(%x+)'), 16) & 0xffffff \
         return function() return short < 1 << 24 end",
        "local last = ('%s'):format(print):sub(-1) return function() return #last end",
        "local last = ('%-20p'):format('text'):sub(-1) return function() return #last end",
        "local set = { [{}] = true } return function() return next(set) end",
        "local co = coroutine.create(function() end) return function() return co end",
        "local co = coroutine.wrap(function() coroutine.yield() end) co() return co",
        "local text = ('x'):rep(100000) text = nil return function() end",
        "local large = ('x'):rep(100000) return function() return #large end",
    ] {
        assert!(!is_ready(main), "{main}");
    }
}

/// The chunks run in the process's slot, so a host that stops finds the process there.
#[test]
fn a_cancel_while_chunks_are_tried_is_for_the_process() {
    let main = "return function() return process.events():receive().kind end";
    assert_eq!(life::end_of_cancelled(&main_only(main)).as_deref(), Some("pid.cancel"));
}

#[test]
fn one_that_cannot_be_made_ends() {
    assert!(life::unbuilt_is_gone(&main_only("return function() end")));
}
