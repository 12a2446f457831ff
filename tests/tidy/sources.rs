//! Every Rust file of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 6] =
    ["src", "loadgen/src", "loadgen/tests", "studies/src", "tests", "benches"];

pub(crate) struct File {
    /// From the root of the workspace, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn files() -> Vec<File> {
    let root = root();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("the folder is there");
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 50, "the sources were found");
    files
}

/// The documents for people who work on the code, but for the log of changes, which tells the past.
pub(crate) fn documents() -> Vec<File> {
    let folders = ["", "docs", "loadgen", "studies", "results", "src/scheduler"];
    let mut documents = Vec::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let is_document = path.extension().is_some_and(|extension| extension == "md")
                && !path.ends_with("CHANGELOG.md");
            if is_document {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                documents.push(File { path, text });
            }
        }
    }
    documents
}
