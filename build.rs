//! Builds Lua, and notes for `build_info` what was built with which flags.
//!
//! Lua's definitions and its optimisation are decided here and not in `.cargo/config.toml` or in a
//! profile, because those do not reach a program that depends on this package. mlua declares Lua's
//! functions; the feature `external` of mlua-sys leaves it to this script to provide them.
//!
//! Deliberately absent: anything that changes how Rust code is compiled. A package cannot decide
//! that for the program it is built into.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Lua's own optimisation, whatever the profile says about Rust code. With -O2 a hundred pairs of
/// processes made 6 % fewer messages, and work that is stolen took 5 % longer.
const OPT_LEVEL: &str = "3";

/// Small tables: every process has its own, and few strings come from C or from a lean VM.
const TABLES: [&str; 3] = ["STRCACHE_N=7", "STRCACHE_M=1", "MINSTRTABSIZE=32"];

/// Protected calls by the compiler's own jumps instead of the C library's, which save and check
/// more than a call between two functions of Lua needs. Each wait of a process leaves by such a
/// jump.
const JUMPS: [&str; 2] = [
    "LUAI_THROW(L,c)=__builtin_longjmp((void**)(c)->b,1)",
    "LUAI_TRY(L,c,f,ud)=if(__builtin_setjmp((void**)(c)->b)==0)((f)(L,ud))",
];

/// Lua checks how its API is used, as Rust code checks itself in this profile.
const CHECKS: &str = "LUA_USE_APICHECK";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // With debug information cc would keep frame pointers, which the interpreter lacks registers
    // for.
    set("DEBUG", "false");
    let compiler = compiler(&[]);
    let definitions = definitions(&compiler);
    note_compiler(&definitions);
    note_rust();
    // For a look at the Rust code on a system whose C compiler is not at hand. Nothing links then.
    println!("cargo::rerun-if-env-changed=MOONLET_WITHOUT_LUA");
    if env::var_os("MOONLET_WITHOUT_LUA").is_some() {
        note("LUA_VERSION", "none");
        return;
    }
    build_lua(&definitions);
}

/// The C compiler with the flags that lua-src gives it, and these definitions.
fn compiler(definitions: &[&str]) -> cc::Tool {
    let mut build = cc::Build::new();
    build.warnings(false).opt_level_str(OPT_LEVEL).flag_if_supported("-fno-common");
    for definition in definitions {
        build.flag(format!("-D{definition}"));
    }
    build.get_compiler()
}

fn definitions(compiler: &cc::Tool) -> Vec<&'static str> {
    let mut definitions = TABLES.to_vec();
    let has_jumps = compiler.is_like_gnu() || compiler.is_like_clang();
    if variable("CARGO_CFG_TARGET_ARCH") == "x86_64"
        && variable("CARGO_CFG_TARGET_OS") == "linux"
        && has_jumps
    {
        definitions.extend(JUMPS);
    }
    if variable("PROFILE") == "debug" {
        definitions.push(CHECKS);
    }
    definitions
}

/// Compiles Lua and has it linked. lua-src takes definitions from the environment only.
fn build_lua(definitions: &[&str]) {
    let name = format!("CFLAGS_{}", variable("TARGET").replace('-', "_"));
    let mut flags: Vec<String> = definitions.iter().map(|name| format!("-D{name}")).collect();
    // What was asked for from outside stays the last word.
    flags.push(variable(&name));
    set(&name, flags.join(" ").trim_end());
    let lua = lua_src::Build::new().opt_level(OPT_LEVEL).debug(false).build(lua_src::Lua55);
    note("LUA_VERSION", &lua_version(lua.include_dir()));
    println!("cargo::rustc-link-search=native={}", lua.lib_dir().display());
    for library in lua.libs() {
        // Whole, because mlua-sys, which needs it, comes behind this package on the linker's
        // command line, and not every linker looks back. What nobody calls is left out all the
        // same.
        println!("cargo::rustc-link-lib=static:+whole-archive={library}");
    }
}

/// "5.5.1", as its header says.
fn lua_version(include: &Path) -> String {
    let header = fs::read_to_string(include.join("lua.h")).expect("lua-src copies the header");
    let number = |name: &str| {
        let mut words = header.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = words.find(|words| words.get(1) == Some(&name));
        found.and_then(|words| words.get(2).map(|number| (*number).to_owned()))
    };
    let names = ["LUA_VERSION_MAJOR_N", "LUA_VERSION_MINOR_N", "LUA_VERSION_RELEASE_N"];
    let numbers: Option<Vec<String>> = names.into_iter().map(number).collect();
    numbers.expect("the header has the version").join(".")
}

fn note_compiler(definitions: &[&str]) {
    let compiler = compiler(definitions);
    let flags: Vec<_> = compiler.args().iter().map(|flag| flag.to_string_lossy()).collect();
    let (definitions, flags): (Vec<&str>, Vec<&str>) =
        flags.iter().map(|flag| &**flag).partition(|flag| flag.starts_with("-D"));
    let definitions = definitions.iter().filter_map(|flag| flag.strip_prefix("-D"));
    note("LUA_DEFINITIONS", &published(definitions));
    note("C_FLAGS", &published(flags));
    // MSVC's compiler knows no such flag; its name has to do.
    let said = first_line(compiler.to_command().arg("--version"));
    let name = compiler.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
    note("C_COMPILER", &said.unwrap_or(name));
}

fn note_rust() {
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    note("RUST_FLAGS", &published(flags.split('\u{1f}')));
    let compiler = first_line(Command::new(variable("RUSTC")).arg("--version"));
    note("RUST_COMPILER", &compiler.unwrap_or_default());
    for name in ["TARGET", "PROFILE", "OPT_LEVEL"] {
        note(name, &variable(name));
    }
}

/// Joins flags with blanks, without those that name paths: what is noted gets into results, which
/// are published.
fn published<'a>(flags: impl IntoIterator<Item = &'a str>) -> String {
    let flags = flags.into_iter().filter(|flag| !flag.is_empty() && !flag.contains(['/', '\\']));
    flags.collect::<Vec<_>>().join(" ")
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(|line| line.trim().to_owned())
}

/// Gives the library a constant: `env!("MOONLET_BUILD_<name>")`.
fn note(name: &str, value: &str) {
    println!("cargo::rustc-env=MOONLET_BUILD_{name}={value}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

#[allow(unsafe_code)]
fn set(name: &str, value: &str) {
    // SAFETY: this program has one thread, which reads and writes its environment in turn; cc
    // starts threads only to compile.
    unsafe { env::set_var(name, value) }
}
