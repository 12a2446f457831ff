//! Tells the program which commit it was built from, so that a result file says what it measured.

use std::path::Path;
use std::process::Command;

fn main() {
    // Whether the tree is clean changes with any of these.
    for path in ["build.rs", "src", "lua", "../src", "../Cargo.toml", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=LOADGEN_VERSION={version}");
    // Without git, or in a copy of the files inside of somebody else's repository: unknown.
    let is_ours = git(&["rev-parse", "--show-prefix"]).is_some_and(|path| path == "loadgen/");
    if !is_ours {
        return;
    }
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let describe = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    if let Some(commit) = git(&describe) {
        println!("cargo::rustc-env=LOADGEN_COMMIT={commit}");
        println!("cargo::rustc-env=LOADGEN_VERSION={version} ({commit})");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
