//! The bar over what a command has to do.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the runs, on a terminal only; it moves by itself, since the work happens elsewhere.
pub(crate) fn bar(is_quiet: bool, runs: u64) -> ProgressBar {
    let target = match is_quiet {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr_with_hz(4),
    };
    let style = ProgressStyle::with_template("{spinner} [{bar:20}] {pos}/{len} {msg} {elapsed}")
        .expect("the template is a constant");
    let progress = ProgressBar::with_draw_target(Some(runs), target).with_style(style);
    // Four times a second: a tick costs the measured cores microseconds.
    progress.enable_steady_tick(Duration::from_millis(250));
    progress
}
