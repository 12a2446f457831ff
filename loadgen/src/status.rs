//! The exit statuses of loadgen that are neither success nor a plain failure.

/// Arguments or files that make no sense; also clap's own.
pub(crate) const EXIT_USAGE: u8 = 2;

/// What a shell reports for a program ended by Ctrl-C.
pub(crate) const EXIT_INTERRUPTED: i32 = 130;
