//! Builds Lua, and records for `build_info` which compilers and flags were used.
//!
//! Lua's definitions and its optimisation level are set here and not in `.cargo/config.toml` or in
//! a profile, because these have no effect on a program that depends on this package. mlua declares
//! Lua's functions; with its feature `external`, mlua-sys leaves it to this script to provide them.
//!
//! Deliberately absent: anything that changes how Rust code is compiled. A package cannot decide
//! that for the program that it is built into.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The optimisation level of Lua, independent of the profile for Rust code. With -O2, a hundred
/// pairs of processes exchanged 6 % fewer messages, and stolen work took 5 % longer.
const OPT_LEVEL: &str = "3";

/// Small string caches and string tables: every process has its own. Few strings come from C, and a
/// lean VM has few strings.
const TABLES: [&str; 3] = ["STRCACHE_N=7", "STRCACHE_M=1", "MINSTRTABSIZE=32"];

/// Makes protected calls use the compiler's built-in jumps instead of those of the C library, which
/// save and check more than a call between two functions of Lua needs. Lua makes such a jump
/// whenever a process waits.
const JUMPS: [&str; 2] = [
    "LUAI_THROW(L,c)=__builtin_longjmp((void**)(c)->b,1)",
    "LUAI_TRY(L,c,f,ud)=if(__builtin_setjmp((void**)(c)->b)==0)((f)(L,ud))",
];

/// Makes Lua check how its API is used; for the profile in which Rust code has assertions, too.
const CHECKS: &str = "LUA_USE_APICHECK";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // With debug information, cc would keep frame pointers, and the interpreter would run short of
    // registers.
    set("DEBUG", "false");
    let compiler = compiler(&[]);
    let definitions = definitions(&compiler);
    note_compiler(&definitions);
    note_rust();
    // Allows checking the Rust code on a system that lacks the C compiler. Linking fails in this
    // case.
    println!("cargo::rerun-if-env-changed=MOONLET_WITHOUT_LUA");
    if env::var_os("MOONLET_WITHOUT_LUA").is_some() {
        note("LUA_VERSION", "none");
        return;
    }
    build_lua(&definitions);
}

/// Returns the C compiler with the flags that lua-src passes to it, and these definitions.
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

/// Compiles Lua and links it. lua-src takes definitions only from the environment.
fn build_lua(definitions: &[&str]) {
    let name = format!("CFLAGS_{}", variable("TARGET").replace('-', "_"));
    let mut flags: Vec<String> = definitions.iter().map(|name| format!("-D{name}")).collect();
    // Flags from the environment come last, so they take precedence.
    flags.push(variable(&name));
    set(&name, flags.join(" ").trim_end());
    let lua = lua_src::Build::new().opt_level(OPT_LEVEL).debug(false).build(lua_src::Lua55);
    note("LUA_VERSION", &lua_version(lua.include_dir()));
    println!("cargo::rustc-link-search=native={}", lua.lib_dir().display());
    for library in lua.libs() {
        // The whole archive, because mlua-sys, which needs it, follows this package on the linker's
        // command line, and not every linker searches an earlier archive again. Unused functions
        // are still left out.
        println!("cargo::rustc-link-lib=static:+whole-archive={library}");
    }
}

/// Returns Lua's version as its header states it, for example "5.5.1".
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
    // MSVC's compiler does not know this flag; in this case its file name is used.
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

/// Joins flags with spaces, without those that name paths: the recorded values become part of
/// results, which are published.
fn published<'a>(flags: impl IntoIterator<Item = &'a str>) -> String {
    let flags = flags.into_iter().filter(|flag| !flag.is_empty() && !flag.contains(['/', '\\']));
    flags.collect::<Vec<_>>().join(" ")
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(|line| line.trim().to_owned())
}

/// Sets a constant for the library: `env!("MOONLET_BUILD_<name>")`.
fn note(name: &str, value: &str) {
    println!("cargo::rustc-env=MOONLET_BUILD_{name}={value}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

#[allow(unsafe_code)]
fn set(name: &str, value: &str) {
    // SAFETY: this program has one thread, which reads and writes the environment; cc starts
    // threads only to compile.
    unsafe { env::set_var(name, value) }
}
