//! Whether the table of modules in `main.rs` is true: each module has its place in it, and imports
//! point downward.

use std::fs;
use std::path::Path;

const MAIN: &str = include_str!("main.rs");

/// The modules of each row, from the top.
fn rows() -> Vec<Vec<&'static str>> {
    let row = |line: &'static str| line.strip_prefix("//! | `")?.split(" | ").next();
    let modules = |row: &'static str| row.split(['`', ' ']).filter(|name| !name.is_empty());
    MAIN.lines().filter_map(row).map(|row| modules(row).collect()).collect()
}

/// The modules that a text imports.
fn imports(text: &str) -> Vec<&str> {
    let is_end = |letter: char| !letter.is_alphanumeric() && letter != '_';
    let names = |path| match str::strip_prefix(path, '{') {
        Some(list) => list.split('}').next().unwrap_or("").split(", ").collect(),
        None => vec![path.split(is_end).next().unwrap_or("")],
    };
    text.split("crate::").skip(1).flat_map(names).collect()
}

/// The text of a module with all its files.
fn text_of(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).unwrap();
    }
    fs::read_dir(path).unwrap().map(|entry| text_of(&entry.unwrap().path())).collect()
}

#[test]
fn imports_point_downward() {
    let (rows, source) = (rows(), Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let floor = |module: &str| rows.iter().position(|row| row.contains(&module));
    let mut modules: Vec<_> = rows.concat();
    modules.sort_unstable();
    let declared = MAIN.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    assert_eq!(modules, declared.filter(|name| *name != "floors").collect::<Vec<_>>());
    for module in modules {
        let file = source.join(format!("{module}.rs"));
        let text = text_of(&if file.exists() { file } else { source.join(module) });
        for import in imports(&text).into_iter().filter(|import| *import != module) {
            assert!(floor(module) < floor(import), "{module} must not import {import}");
        }
    }
}
