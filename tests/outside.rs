//! A program that depends on this package, outside of the checkout, gets the Lua that the checkout
//! itself gets: nothing of what decides that lies in the checkout's `.cargo/config.toml`. And what
//! the library says of its Lua holds.

#![allow(unsafe_code)]

use std::env;
use std::ffi::c_void;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mlua::ffi;

/// Prints what is compared. The allocator and the flags of Rust code are the program's own affair.
const PROGRAM: &str = r#"
fn main() {
    let build = moonlet::build();
    println!("{}\n{}", build.c_compiler, build.c_flags);
    println!("Lua {}: {}", build.lua_version, build.lua_definitions);
    let files = [(
        "app.yaml".into(),
        b"namespace: app\nentries:\n  - { name: two, kind: process.lua, source: return function() \
          return 2 end }\n"
            .to_vec(),
    )];
    let application = moonlet::Application::from_files(files);
    let runtime = moonlet::Builder::new().workers(1).application(application).start().unwrap();
    let two: i64 = runtime.exec("app:two", ()).block().unwrap().decode().unwrap();
    println!("{two}");
}
"#;

/// A package of its own, which is compiled quickly.
const MANIFEST: &str = r#"
[package]
name = "outside"
version = "0.0.0"
edition = "2024"

[dependencies]
moonlet = { path = 'CHECKOUT', default-features = false }

[profile.dev]
debug = false
incremental = false

[workspace]
"#;

/// Runs the program and returns what it prints. The library is compiled once and kept below the
/// folder of build results of the checkout.
fn print_outside() -> String {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(!folder.path().starts_with(checkout), "outside of the checkout");
    let manifest = MANIFEST.replace("CHECKOUT", checkout.to_str().expect("a path of text"));
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/main.rs"), PROGRAM).unwrap();
    // With the versions of the checkout, all of which are there already.
    fs::copy(checkout.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline", "--target-dir"]).arg(target_folder());
    if moonlet::build().profile == "release" {
        cargo.arg("--release");
    }
    // Cargo has put the checkout's configuration into the environment of this test.
    let config = fs::read_to_string(checkout.join(".cargo/config.toml")).unwrap_or_default();
    for (name, _) in env::vars_os() {
        let is_set = |line: &str| line.split('=').next().map(str::trim) == name.to_str();
        if config.lines().any(is_set) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.current_dir(folder.path()).output().expect("cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo run: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Beside the profile that this test was built with: `target/debug/deps/outside-…` is this program.
fn target_folder() -> PathBuf {
    let program = env::current_exe().unwrap();
    program.ancestors().nth(3).expect("cargo's folders").join("outside")
}

#[test]
fn a_program_elsewhere_gets_the_same_lua() {
    let build = moonlet::build();
    let ours = format!(
        "{}\n{}\nLua {}: {}\n2\n",
        build.c_compiler, build.c_flags, build.lua_version, build.lua_definitions
    );
    assert_eq!(print_outside(), ours);
}

/// Serves a state of Lua, and notes the largest request in what `largest` points to.
///
/// # Safety
/// As Lua asks of its allocators; `largest` points to a `usize` that nobody else uses meanwhile.
unsafe extern "C" fn allocate(
    largest: *mut c_void,
    block: *mut c_void,
    _: usize,
    bytes: usize,
) -> *mut c_void {
    // SAFETY: the caller vouches for both; a block is null or comes from here.
    unsafe {
        let largest = largest.cast::<usize>();
        *largest = bytes.max(*largest);
        if bytes == 0 {
            libc::free(block);
            return std::ptr::null_mut();
        }
        libc::realloc(block, bytes)
    }
}

#[test]
fn the_tables_of_strings_are_small() {
    let definitions = moonlet::build().lua_definitions;
    for small in ["STRCACHE_N=7", "STRCACHE_M=1", "MINSTRTABSIZE=32"] {
        assert!(definitions.split(' ').any(|other| other == small), "{small} in {definitions}");
    }
    let mut largest = 0_usize;
    // SAFETY: the state is this function's own, and is gone before `largest` is.
    unsafe {
        let lua = ffi::lua_newstate(allocate, (&raw mut largest).cast(), 0);
        assert!(!lua.is_null(), "no memory for a Lua state");
        ffi::lua_close(lua);
    }
    // Stock Lua asks for 1624 bytes, of which 848 are the cache, and for 1024, the first table.
    assert!((500..1000).contains(&largest), "{largest} bytes");
}
