//! What the README and the examples tell people to type works.

use std::fs;
use std::path::Path;

use crate::command::{Ended, Folder, Running, moonlet};

/// How the documents call the command.
const COMMAND: &str = "cargo run --release -- ";

/// The paragraphs of code, which are indented in these documents, without their indentation.
fn code_of(text: &str) -> Vec<String> {
    let indented = |line: &str| line.strip_prefix("    ").map(|line| format!("{line}\n"));
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.trim_matches('\n'));
    paragraphs.filter_map(|lines| lines.lines().map(indented).collect()).collect()
}

/// The commands among these paragraphs, as arguments.
fn commands_of(code: &[String]) -> Vec<Vec<&str>> {
    let lines = code.iter().flat_map(|paragraph| paragraph.lines());
    lines.filter_map(|line| Some(line.strip_prefix(COMMAND)?.split(' ').collect())).collect()
}

fn run_in(folder: &Path, arguments: &[&str]) -> Ended {
    Running::new(moonlet().current_dir(folder).args(arguments)).finish()
}

#[test]
fn the_readme_runs_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let section = readme.split("\n## ").find(|section| section.starts_with("Ten lines of Lua"));
    let code = code_of(section.expect("it has the section"));
    let [index, adder, main, commands] = &code[..] else { panic!("not four parts: {code:#?}") };
    let folder = Folder::new(&[
        ("app/_index.yaml", index),
        ("app/adder.lua", adder),
        ("app/main.lua", main),
    ]);
    let commands = commands_of(std::slice::from_ref(commands));
    let [run, check] = &commands[..] else { panic!("not two commands: {commands:?}") };
    assert_eq!(run, &["run", "app", "-x", "app:main"]);
    let ended = run_in(folder.path(), run).with_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("2 + 3 = 5\n", ""));
    assert_eq!(check, &["check", "app"]);
    let ended = run_in(folder.path(), check).with_status(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("app: 2 entries, no problems\n", "")
    );
}

#[test]
fn the_examples_run_as_their_readmes_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for example in fs::read_dir(root.join("examples")).expect("there are examples") {
        let path = example.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let readme = fs::read_to_string(path.join("README.md")).expect("it has a README");
        let code = code_of(&readme);
        let commands = commands_of(&code);
        let [command] = &commands[..] else { panic!("{name}: not one command: {commands:?}") };
        let folder = format!("examples/{name}");
        assert_eq!(command[..2], ["run", &folder]);
        let ended = run_in(root, command).with_status(0);
        // Of services it is said that they start; nothing is to go wrong.
        let is_news = |line: &str| line.contains(" INFO  moonlet: service ");
        assert!(ended.stderr.lines().all(is_news), "{name}: {}", ended.stderr);
        assert!(!ended.stdout.is_empty(), "{name}");
        if readme.contains("It prints\n") {
            assert_eq!(ended.stdout, code[1], "{name}");
        }
        let ended = run_in(root, &["check", &folder]).with_status(0);
        assert!(ended.stdout.ends_with(", no problems\n"), "{name}: {}", ended.stdout);
        count += 1;
    }
    assert_eq!(count, 6);
}
