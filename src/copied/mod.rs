//! Tests that processes copied from a template behave exactly as built ones: the same results, the
//! same bytes in use at every moment, and the same bytes after all garbage was collected.
//!
//! Programs come from a grammar (`program.rs`). Each runs once in each way (`life.rs`), without
//! workers and on this thread, so that only the way of creation could make a difference.

mod grammar;
mod life;
mod program;
mod ready;

use life::{Life, Way, live};
use program::Program;
use proptest::prelude::*;

/// Runs a program in both ways and fails if there is a difference. Returns `None` if it is too
/// large for a copy.
#[track_caller]
fn compare_any(program: &Program, hash_seed: u32, memory_limit: usize) -> Option<Life> {
    let copied = live(program, Way::Copied, hash_seed, memory_limit)?;
    let built = live(program, Way::Built, hash_seed, memory_limit);
    assert!(built.as_ref() == Some(&copied), "{built:#?}\n{copied:#?}\n{}", program.text());
    Some(copied)
}

#[track_caller]
fn compare(program: &Program, hash_seed: u32, memory_limit: usize) -> Life {
    compare_any(program, hash_seed, memory_limit).expect("it is not too large")
}

/// Compares the program's main when it runs after its chunk and when it runs from the image of a VM
/// in which the chunk has run; fails if there is a difference. Returns `None` if the chunk has to
/// run in each process.
#[track_caller]
fn compare_ready(program: &Program, hash_seed: u32) -> Option<Life> {
    let ready = live(program, Way::Ready, hash_seed, 0)?;
    let mut built = live(program, Way::Built, hash_seed, 0).expect("all can be built");
    built.bytes.drain(..std::mem::take(&mut built.before_main));
    assert!(built == ready, "{built:?}\n{ready:?}\n{}", program.text());
    Some(ready)
}

fn main_only(main: &str) -> Program {
    Program { libraries: Vec::new(), main: main.to_owned() }
}

proptest! {
    // The environment variable PROPTEST_CASES sets the number of cases.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_program_lives_the_same(
        choices in prop::collection::vec(any::<u8>(), 0..500),
        hash_seed: u32,
        squeeze in 0.1..1.5,
    ) {
        let program = Program::from_choices(&choices);
        let free = compare_any(&program, hash_seed, 0);
        prop_assume!(free.is_some(), "it is too large to be copied");
        // A limit around the program's memory: its code alone exceeds it, the program exceeds it,
        // or nothing does.
        let limit = (free.map_or(0, |free| free.bytes_max()) as f64 * squeeze) as usize;
        compare(&program, hash_seed, limit);
    }
}

proptest! {
    // Most chunks of the grammar use something that is specific to the process.
    #![proptest_config(ProptestConfig {
        failure_persistence: None, max_global_rejects: 100_000, ..Default::default()
    })]

    #[test]
    fn any_main_lives_the_same_without_its_chunk(
        choices in prop::collection::vec(any::<u8>(), 0..500),
        hash_seed: u32,
    ) {
        prop_assume!(compare_ready(&Program::from_choices(&choices), hash_seed).is_some());
    }
}

#[test]
fn programs_of_the_grammar_do_something() {
    // Enough programs that the counts below do not depend on chance.
    const PROGRAMS: usize = 500;
    let mut choices = crate::clock::Random::from_system();
    let (mut lives, mut notes, mut failures) = (0, 0, 0);
    for _ in 0..PROGRAMS {
        let choices: Vec<u8> = (0..400).map(|_| choices.next() as u8).collect();
        let Some(life) = compare_any(&Program::from_choices(&choices), 7, 0) else { continue };
        lives += 1;
        notes += life.end.matches("\\n").count();
        failures += usize::from(life.end.starts_with("Failure"));
    }
    assert!(lives > PROGRAMS * 4 / 5, "{lives} of {PROGRAMS} programs can be copied");
    assert!(notes > lives * 20, "{notes} notes");
    assert!(failures < lives / 2, "{failures} of {lives} programs failed");
}

/// One library with its own state, and one that uses a global of the program.
#[test]
fn libraries_are_kept() {
    let library = |name: &str, source: &str| (name.to_owned(), source.to_owned());
    let program = Program {
        libraries: vec![
            library(
                "one",
                "local one = { n = 1 } function one.add(k) one.n = one.n + k end return one",
            ),
            library(
                "two",
                "local text = ('x'):rep(2000) return function() return #text, two_global end",
            ),
        ],
        main: "two_global = { 1, 2 } return function() \
               one.add(2) require('one').add(3) return { one.n, { two() } } end"
            .to_owned(),
    };
    let life = compare(&program, 1, 0);
    assert!(life.end.contains("Integer(6)") && life.end.contains("Integer(2000)"), "{}", life.end);
}

#[test]
fn constants_of_all_sizes() {
    let texts: String = [1, 39, 40, 41, 126, 127, 128, 1023, 1024, 20_000]
        .map(|length| format!("'{}', ", "y".repeat(length)))
        .concat();
    let names: String = (0..300).map(|number| format!("name_{number} = {number}.5, ")).collect();
    let numbers = "0x7fffffffffffffff, -1, 1e308, 2^53, 0.1, -0.0, 1/0";
    let main = format!(
        "local all = {{ {texts} {numbers}, {names} }} \
         return function() local sizes = {{}} \
         for i = 1, 10 do sizes[i] = #all[i] end return {{ sizes, all.name_299, all[17] }} end"
    );
    let life = compare(&main_only(&main), 2, 0);
    assert!(life.end.contains("Float(299.5)") && life.end.contains("20000"), "{}", life.end);
}

#[test]
fn a_limit_below_the_image_ends_both() {
    let program = main_only("return function() return 'never' end");
    let free = compare(&program, 3, 0);
    for limit in [1, free.bytes[0] / 4, free.bytes[0] / 2] {
        let life = compare(&program, 3, limit);
        let expected = format!("memory limit exceeded ({limit} bytes)");
        assert!(life.end.contains(&expected), "{}", life.end);
    }
    // Whether a collection frees enough memory depends on the program, not on the way of creation.
    for sixteenths in 9..16 {
        compare(&program, 3, free.bytes[0] * sixteenths / 16);
    }
}

/// Building temporarily takes more memory than remains in use afterwards, which must not count
/// against the process.
#[test]
fn a_limit_counts_from_the_first_instruction_on() {
    let program = main_only("return function() return 'enough' end");
    let free = compare(&program, 4, 0);
    for extra in (0..4096).step_by(16) {
        compare(&program, 4, free.bytes[0] + extra);
    }
}

#[test]
fn a_limit_that_the_program_passes_ends_both() {
    let program =
        main_only("return function() local all = {} for i = 1, 1e6 do all[i] = { i } end end");
    let life = compare(&program, 5, 200_000);
    assert!(life.end.contains("memory limit exceeded (200000 bytes)"), "{}", life.end);
    let program = main_only(
        "return function() local ok, err = pcall(string.rep, 'x', 300000) return err end",
    );
    let life = compare(&program, 5, 200_000);
    assert_eq!(life.end, "not enough memory");
}

#[test]
fn what_fails_fails_the_same() {
    for main in [
        "error('at once')",
        "return 7",
        "local function deep(n) if n == 0 then error({ message = 'deep' }) end deep(n - 1) end \
         return function() deep(5) end",
        "return function() local function loop() return 1 + loop() end return loop() end",
        "return function() process.inbox():receive() end",
        "return function() return nil, errors.new({ message = 'returned', kind = 'CONFLICT' }) end",
    ] {
        compare(&main_only(main), 6, 0);
    }
}
