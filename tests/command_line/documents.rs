//! What the README, the examples and the page about application files tell people to type works.

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
    code.iter().flat_map(|paragraph| commands_in(paragraph)).collect()
}

fn run_in(folder: &Path, arguments: &[&str]) -> Ended {
    Running::new(moonlet().current_dir(folder).args(arguments)).finish()
}

/// The blocks between fences of this language, in their order.
fn fenced<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

/// What a section of a document says below its heading.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let found = text.split("\n## ").find_map(|section| section.strip_prefix(heading));
    found.unwrap_or_else(|| panic!("there is no section {heading:?}"))
}

fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands of a block for the shell.
fn commands_in(block: &str) -> Vec<Vec<&str>> {
    let commands = block.lines().filter_map(|line| line.strip_prefix(COMMAND));
    commands.map(|command| command.split(' ').collect()).collect()
}

#[test]
fn the_first_thing_in_the_readme_runs_as_it_stands() {
    let readme = document("README.md");
    let hello = section(&readme, "Hello");
    let commands = fenced(&readme, "sh");
    assert_eq!(commands[0], fenced(hello, "sh")[0], "nothing is to be typed before it");
    let [command] = &commands_in(commands[0])[..] else { panic!("not one command") };
    let ended = run_in(Path::new(env!("CARGO_MANIFEST_DIR")), command).with_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (fenced(hello, "text")[0], ""));
}

#[test]
fn the_readme_runs_as_it_stands() {
    let readme = document("README.md");
    let lines = section(&readme, "Ten lines of Lua");
    let ([index], [adder, main]) = (&fenced(lines, "yaml")[..], &fenced(lines, "lua")[..]) else {
        panic!("not an index and two processes: {lines}")
    };
    let folder = Folder::new(&[
        ("app/_index.yaml", index),
        ("app/adder.lua", adder),
        ("app/main.lua", main),
    ]);
    let commands = commands_in(fenced(lines, "sh")[0]);
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
fn links_of_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = ["docs", "docs/lua", "results"].map(|folder| root.join(folder)).to_vec();
    folders.push(root.to_owned());
    let mut count = 0;
    for folder in folders {
        for file in fs::read_dir(&folder).expect("there are documents") {
            let path = file.expect("readable").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("it is text");
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            for target in targets.filter(|target| !target.contains("://")) {
                let file = target.split('#').next().unwrap_or_default();
                let exists = folder.join(file).exists();
                assert!(exists, "{}: {target} does not exist", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 30, "too few links: {count}");
}

const NOTHING: &str = "return function() end\n";

#[test]
fn the_page_about_application_files_has_no_problems() {
    let page = document("docs/application.md");
    let index = fenced(&page, "yaml").join("\n");
    let folder = Folder::new(&[
        ("app/_index.yaml", &index),
        ("app/main.lua", NOTHING),
        ("app/resizer.lua", NOTHING),
    ]);
    let ended = run_in(folder.path(), &["check", "app", "--strict"]).with_status(0);
    assert_eq!(ended.stdout, "app: 12 entries, no problems\n");
}

#[test]
fn the_page_about_application_files_shows_what_is_said_of_mistakes() {
    let page = document("docs/application.md");
    let mistakes = section(&page, "When something is wrong");
    let folder = Folder::new(&[
        ("app/_index.yaml", fenced(mistakes, "yaml faulty")[0]),
        ("app/main.lua", NOTHING),
        ("app/resizer.lua", NOTHING),
    ]);
    let ended = run_in(folder.path(), &["check", "app"]).with_status(1);
    let shown = code_of(mistakes);
    assert_eq!(ended.stdout, shown.last().expect("it shows something").as_str());
}

#[test]
fn the_examples_run_as_their_readmes_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for example in fs::read_dir(root.join("examples")).expect("there are examples") {
        let path = example.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let readme = fs::read_to_string(path.join("README.md")).expect("it has a README");
        let folder = format!("examples/{name}");
        let ended = run_in(root, &["check", &folder]).with_status(0);
        assert!(ended.stdout.ends_with(", no problems\n"), "{name}: {}", ended.stdout);
        // Programs have tests of their own.
        if path.join("main.rs").exists() {
            continue;
        }
        let code = code_of(&readme);
        let commands = commands_of(&code);
        let [command] = &commands[..] else { panic!("{name}: not one command: {commands:?}") };
        assert_eq!(command[..2], ["run", &folder]);
        let ended = run_in(root, command).with_status(0);
        // Of services it is said that they start and stop; nothing is to go wrong.
        let is_news = |line: &str| line.contains(" INFO  moonlet: ");
        assert!(ended.stderr.lines().all(is_news), "{name}: {}", ended.stderr);
        assert!(!ended.stdout.is_empty(), "{name}");
        if readme.contains("It prints\n") {
            assert_eq!(ended.stdout, code[1], "{name}");
        }
        count += 1;
    }
    assert_eq!(count, 6);
}
