//! `Lifecycle`: how an entry is started, stopped and restarted.

use std::time::Duration;

use super::EntryId;
use super::problem::Report;
use super::section::Section;
use super::security::SecurityConfig;

/// When and how the supervisor runs an entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lifecycle {
    /// Whether the entry starts with the application.
    pub(crate) auto_start: bool,
    /// Whether a service runs only when its process has said that it is ready.
    pub(crate) ready: bool,
    /// The time limit for a start.
    pub(crate) start_timeout: Duration,
    /// The time allowed for an orderly stop.
    pub(crate) stop_timeout: Duration,
    /// The duration after which a run counts as healthy.
    pub(crate) stable_threshold: Duration,
    /// The entries that must run before this one starts.
    pub(crate) requires: Vec<EntryId>,
    pub(crate) restart: Restart,
    /// The identity of a service's process.
    pub(crate) security: SecurityConfig,
}

/// How long to wait before a restart, and how many starts to try.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Restart {
    pub(crate) initial_delay: Duration,
    pub(crate) max_delay: Duration,
    pub(crate) backoff_factor: f64,
    /// The random part of the delay, as a fraction of it.
    pub(crate) jitter: f64,
    /// The maximum number of starts in a row without a healthy run; zero means no limit.
    pub(crate) max_attempts: usize,
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle {
            auto_start: false,
            ready: false,
            start_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
            stable_threshold: Duration::from_secs(5),
            requires: Vec::new(),
            restart: Restart::default(),
            security: SecurityConfig::default(),
        }
    }
}

impl Default for Restart {
    fn default() -> Restart {
        Restart {
            initial_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(90),
            backoff_factor: 2.0,
            jitter: 0.1,
            max_attempts: 0,
        }
    }
}

impl Lifecycle {
    /// Reads the block `lifecycle` of an entry; appends the entries that it refers to, with their
    /// lines, to `references`.
    pub(super) fn read(
        entry: &Section<'_>,
        report: &mut Report<'_>,
        references: &mut Vec<(EntryId, u32)>,
    ) -> Lifecycle {
        let section = entry.section("lifecycle", report);
        let default = Lifecycle::default();
        let mut length = |key, default| section.duration(key, default, report);
        let start_timeout = length("start_timeout", default.start_timeout);
        let stop_timeout = length("stop_timeout", default.stop_timeout);
        let stable_threshold = length("stable_threshold", default.stable_threshold);
        // A value that is not a boolean was hardly meant as `false`, so it counts as `true`; the
        // entry is in error anyway.
        let if_wrong = section.get("auto_start").map_or(default.auto_start, |_| true);
        Lifecycle {
            auto_start: section.flag("auto_start", if_wrong, report),
            ready: section.flag("ready", default.ready, report),
            start_timeout,
            stop_timeout,
            stable_threshold,
            requires: read_requires(&section, report, references),
            restart: Restart::read(&section.section("restart", report), report),
            security: SecurityConfig::read(&section, report, references),
        }
    }
}

impl Restart {
    fn read(section: &Section<'_>, report: &mut Report<'_>) -> Restart {
        let default = Restart::default();
        Restart {
            initial_delay: section.duration("initial_delay", default.initial_delay, report),
            max_delay: section.duration("max_delay", default.max_delay, report),
            backoff_factor: section
                .number("backoff_factor", 1.0..=f64::MAX, report)
                .unwrap_or(default.backoff_factor),
            jitter: section.number("jitter", 0.0..=1.0, report).unwrap_or(default.jitter),
            max_attempts: section.count("max_attempts", 0, report).unwrap_or(default.max_attempts),
        }
    }
}

/// Merges the lists under both spellings of the key, each entry once.
fn read_requires(
    section: &Section<'_>,
    report: &mut Report<'_>,
    references: &mut Vec<(EntryId, u32)>,
) -> Vec<EntryId> {
    let mut requires = Vec::new();
    for key in ["requires", "depends_on"] {
        for item in section.list(key, report) {
            match section.read_reference(item) {
                Some(id) if requires.contains(&id) => {}
                Some(id) => {
                    references.push((id.clone(), item.line));
                    requires.push(id);
                }
                None => {
                    let given = item.shown();
                    let message = format!("lifecycle.{key} must list ids of entries, not {given}");
                    report.error(item.line, message);
                }
            }
        }
    }
    requires
}
