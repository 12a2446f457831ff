//! The machine on which figures are measured, and the memory of this process.

use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

/// The machine and the build, as far as they are known; unknown texts are empty. No field may
/// contain a path or a name of the machine, because results are published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: String,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) arch: String,
    pub(crate) profile: String,
    /// The version of Moonlet.
    pub(crate) version: String,
    /// Abbreviated, with `-dirty` appended if the sources had been changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    /// How Moonlet was built, in the lines of [`moonlet::BuildInfo`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) build: Vec<String>,
}

impl Machine {
    /// Reads the machine's properties from the operating system.
    pub(crate) fn detect() -> Machine {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cores: thread::available_parallelism().map_or(1, usize::from),
            model: field("/proc/cpuinfo", "model name").unwrap_or_default(),
            memory_bytes: kilobytes("/proc/meminfo", "MemTotal").unwrap_or(0) * 1024,
            kernel: kernel.trim().to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            profile: match cfg!(debug_assertions) {
                true => "debug".to_owned(),
                false => "release".to_owned(),
            },
            version: moonlet::VERSION.to_owned(),
            commit: option_env!("LOADGEN_COMMIT").map(str::to_owned),
            build: crate::engine::build().lines().map(str::to_owned).collect(),
        }
    }
}

/// Returns the resident memory of this process in bytes.
///
/// `/proc/self/status` has the figure of `statm` in kilobytes, so the page size need not be known.
pub(crate) fn resident_bytes() -> Option<u64> {
    Some(kilobytes("/proc/self/status", "VmRSS")? * 1024)
}

/// Returns the memory that is available to programs, in bytes.
pub(crate) fn available_bytes() -> Option<u64> {
    Some(kilobytes("/proc/meminfo", "MemAvailable")? * 1024)
}

fn kilobytes(path: &str, key: &str) -> Option<u64> {
    field(path, key)?.strip_suffix("kB")?.trim().parse().ok()
}

/// Returns the value of the first line `key: value` of a file.
fn field(path: &str, key: &str) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    let mut fields = content.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_found_out() {
        let machine = Machine::detect();
        assert!(machine.cores > 0);
        assert!(machine.memory_bytes > 0);
        assert!(!machine.kernel.is_empty());
        assert!(machine.version.starts_with(|first: char| first.is_ascii_digit()));
        assert!(machine.build.iter().any(|line| line.starts_with("Lua ")));
    }

    #[test]
    fn resident_memory_grows_with_use() {
        let before = resident_bytes().unwrap();
        let memory = vec![1_u8; 64 << 20];
        assert!(resident_bytes().unwrap() >= before + (memory.len() as u64) / 2);
    }
}
