//! The exit statuses of loadgen besides success and plain failure.

/// Arguments or files that make no sense; clap uses the same status.
pub(crate) const EXIT_USAGE: u8 = 2;

/// The status that a shell reports for a program that Ctrl-C ended.
pub(crate) const EXIT_INTERRUPTED: i32 = 130;
