//! The properties of this build of the library, as `build.rs` determined them.

use std::fmt;

/// The version of this library, as in its `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The properties of a build of this library that, besides the machine, determine its speed.
///
/// This package builds Lua itself, so Lua's definitions, compiler and flags are the same in every
/// program that uses the same C compiler. The program decides how Rust code is compiled;
/// `docs/embedding.md` in the repository says which settings are worthwhile.
///
/// Lists are separated by spaces. Flags that name paths are left out, so that a `BuildInfo` can be
/// published. Its [`Display`](fmt::Display) output takes a few lines.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version of this library, which is [`VERSION`].
    pub version: &'static str,
    /// The target triple, such as `x86_64-unknown-linux-gnu`.
    pub target: &'static str,
    /// The build profile: `release` or `debug`, or the one of these two that it inherits from.
    pub profile: &'static str,
    /// The optimisation level of this library's Rust code, as in the profile's `opt-level`.
    pub opt_level: &'static str,
    /// Whether this library's debug assertions are enabled.
    pub debug_assertions: bool,
    /// The Rust compiler, as its `--version` reports it.
    pub rust_compiler: &'static str,
    /// The flags for that compiler, from `RUSTFLAGS` or `.cargo/config.toml`.
    pub rust_flags: &'static str,
    /// The alignment of Rust functions in bytes, if `rust_flags` set it.
    pub function_alignment: Option<u64>,
    /// The version of Lua, such as `5.5.1`.
    pub lua_version: &'static str,
    /// Lua's definitions, except for the one that names the platform.
    pub lua_definitions: &'static str,
    /// The C compiler that built Lua, as its `--version` reports it.
    pub c_compiler: &'static str,
    /// The flags for the C compiler, without the definitions.
    pub c_flags: &'static str,
}

/// Returns the properties of this build of the library.
///
/// ```
/// let build = moonlet::build();
/// assert_eq!(build.version, moonlet::VERSION);
/// println!("{build}");
/// ```
pub fn build() -> BuildInfo {
    let rust_flags = env!("MOONLET_BUILD_RUST_FLAGS");
    BuildInfo {
        version: VERSION,
        target: env!("MOONLET_BUILD_TARGET"),
        profile: env!("MOONLET_BUILD_PROFILE"),
        opt_level: env!("MOONLET_BUILD_OPT_LEVEL"),
        debug_assertions: cfg!(debug_assertions),
        rust_compiler: env!("MOONLET_BUILD_RUST_COMPILER"),
        rust_flags,
        function_alignment: function_alignment(rust_flags),
        lua_version: env!("MOONLET_BUILD_LUA_VERSION"),
        lua_definitions: env!("MOONLET_BUILD_LUA_DEFINITIONS"),
        c_compiler: env!("MOONLET_BUILD_C_COMPILER"),
        c_flags: env!("MOONLET_BUILD_C_FLAGS"),
    }
}

/// Returns the alignment of functions in bytes. The flag holds the exponent of a power of two.
fn function_alignment(rust_flags: &str) -> Option<u64> {
    let (_, value) = rust_flags.rsplit_once("-align-all-functions=")?;
    let digits = value.split(|letter: char| !letter.is_ascii_digit()).next()?;
    1_u64.checked_shl(digits.parse().ok()?)
}

impl fmt::Display for BuildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = if self.debug_assertions { "with" } else { "without" };
        writeln!(
            f,
            "moonlet {} for {}, {} profile at level {}, {checks} assertions",
            self.version, self.target, self.profile, self.opt_level
        )?;
        let flags = |flags: &'static str| if flags.is_empty() { "no flags" } else { flags };
        let alignment = match self.function_alignment {
            Some(bytes) => format!("functions aligned to {bytes} bytes"),
            None => "functions not aligned".to_owned(),
        };
        writeln!(f, "Rust: {}, {}; {alignment}", self.rust_compiler, flags(self.rust_flags))?;
        writeln!(f, "C: {}, {}", self.c_compiler, flags(self.c_flags))?;
        write!(f, "Lua {}: {}", self.lua_version, self.lua_definitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alignment_is_that_of_the_flags() {
        assert_eq!(function_alignment(""), None);
        assert_eq!(function_alignment("-Copt-level=3"), None);
        assert_eq!(function_alignment("-Cllvm-args=-align-all-functions=6"), Some(64));
        let more = "-C llvm-args=-align-all-functions=5 -Ctarget-cpu=native";
        assert_eq!(function_alignment(more), Some(32));
        assert_eq!(function_alignment("-Cllvm-args=-align-all-functions=64"), None);
    }

    #[test]
    fn everything_is_known() {
        let text = build().to_string();
        assert_eq!(text.lines().count(), 4, "{text}");
        for part in ["moonlet 0.", "Rust: rustc 1.", "C: ", "-O3", "Lua 5.5.", "STRCACHE_N=7"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains(['/', '\\']), "a path in\n{text}");
    }
}
