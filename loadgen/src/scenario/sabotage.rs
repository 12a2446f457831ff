//! Every check of a scenario must be able to fail: these tests break something, and the check must
//! report it.

use loadgen_shared::program::{FILES, HOST};

use super::parameter::{Parameter, Parameters};
use super::sizes::Sizes;
use crate::engine::{Engine, Value};

/// Replaces a piece of a Lua file, runs an entry and returns its error, which must exist.
fn error_after(path: &str, piece: &str, instead: &str, id: &str, arguments: &[i64]) -> String {
    let (_, content) = FILES.iter().find(|(known, _)| *known == path).unwrap();
    assert!(content.contains(piece), "{path} has no `{piece}`");
    let broken = content.replace(piece, instead);
    let file = |&(known, content): &(&'static str, &'static str)| match known == path {
        true => (known, broken.as_str()),
        false => (known, content),
    };
    let files: Vec<_> = FILES.iter().map(file).collect();
    let engine = Engine::start(&files, Some(2), false).unwrap();
    let arguments: Vec<_> = arguments.iter().copied().map(Value::Integer).collect();
    engine.exec(id, HOST, &arguments).unwrap_err()
}

#[test]
fn a_missing_waiter_is_seen() {
    let id = "loadgen.ring:main";
    let arguments = [10, 100, 50];
    let error = error_after(
        "ring/waiter.lua",
        "elseif not send(",
        "elseif woken == 20 or not send(",
        id,
        &arguments,
    );
    assert!(error.contains("20 of 50 waiters were woken"), "{error}");
    let error = error_after("ring/waiter.lua", "payload() + 1", "payload() + 2", id, &arguments);
    assert!(error.contains("100 of 50 waiters were woken"), "{error}");
}

#[test]
fn a_message_that_an_idle_process_did_not_get_is_seen() {
    let path = "idle_memory/collector.lua";
    let (_, content) = FILES.iter().find(|(known, _)| *known == path).unwrap();
    let piece = "if not send(idlers[number], \"item\", message) then";
    assert!(content.contains(piece));
    let broken = content.replace(piece, &piece.replace("if not", "if number ~= 2 and not"));
    let files: Vec<_> = FILES
        .iter()
        .map(
            |&(known, content)| {
                if known == path { (known, broken.as_str()) } else { (known, content) }
            },
        )
        .collect();
    let engine = Engine::start(&files, Some(2), false).unwrap();
    let error = (super::idle_memory::SCENARIO.run)(
        &engine,
        &Parameters(vec![(Parameter::Count, 3)]),
        &Sizes::default(),
    );
    let error = error.unwrap_err();
    assert!(error.contains("process 2 got 0 of "), "{error}");
}

#[test]
fn wrong_content_is_seen() {
    let error = |piece: &str, instead: &str, fields, bytes| {
        let arguments = [fields, bytes, 3, 400];
        error_after("payload/main.lua", piece, instead, "loadgen.payload:main", &arguments)
    };
    let (variant, first) = ("bodies[variant(index, number)]", "bodies[1]");
    for (fields, bytes) in [(10, 0), (1000, 0), (0, 64), (0, 1 << 16), (0, 1 << 20)] {
        let error = error(variant, first, fields, bytes);
        assert!(error.contains("receiver"), "{fields} fields, {bytes} bytes: {error}");
    }
    let make = "content.make(fields, bytes, number)";
    let error_of_sum = error(make, "content.make(fields + 1, bytes, number)", 10, 0);
    assert!(error_of_sum.contains("field11 is"), "{error_of_sum}");
    let fewer = error(make, "content.make(fields - 1, bytes, number)", 100, 0);
    assert!(fewer.contains("1 fields are missing"), "{fewer}");
    let shorter = error(make, "content.make(fields, bytes - 1, number)", 0, 1 << 20);
    assert!(shorter.contains("1048575 bytes instead of 1048576"), "{shorter}");
    let changed =
        error(make, "content.make(fields, bytes, number):gsub('00000000', '00000009')", 0, 1 << 20);
    assert!(changed.contains("wrong bytes from 0 on"), "{changed}");
}

#[test]
fn a_wrong_answer_is_seen() {
    let error = |piece: &str, instead: &str| {
        let arguments = [10, 0, 3, 400];
        error_after("payload/receiver.lua", piece, instead, "loadgen.payload:main", &arguments)
    };
    let repeated = error("<< 32 | number", "<< 32 | math.min(number, 7)");
    assert!(repeated.contains("expected answer 8, got 7"), "{repeated}");
    let failed = error(
        "local wrong = wrong_with(",
        "local wrong = number == 9 and nobody.knows or wrong_with(",
    );
    assert!(failed.contains("failed: "), "{failed}");
}

#[test]
fn lost_repeated_and_mixed_up_answers_are_seen() {
    let error = |piece: &str, instead: &str| {
        let arguments = [4, 10_000, 200];
        let id = "loadgen.open_loop:main";
        error_after("open_loop/server.lua", piece, instead, id, &arguments)
    };
    let answer = "    if not send(collector, \"answer\", number)";
    let lost = error(answer, &format!("if number == 9 then number = 13 end\n{answer}"));
    assert!(lost.contains("expected the answer to request 9, got 13"), "{lost}");
    let twice =
        error(answer, &format!("if number == 9 then send(collector, 'answer', 9) end\n{answer}"));
    assert!(twice.contains("expected the answer to request 13, got 9"), "{twice}");
    let failed = error(answer, &format!("if number == 9 then return nil, 'tired' end\n{answer}"));
    assert!(failed.contains("failed: tired"), "{failed}");
}
