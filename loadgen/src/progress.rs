//! The progress bar of a command.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Returns a bar over the runs, shown on a terminal only. It redraws by itself, because the work
/// happens elsewhere.
pub(crate) fn bar(is_quiet: bool, runs: u64) -> ProgressBar {
    let target = match is_quiet {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr_with_hz(4),
    };
    let style = ProgressStyle::with_template("{spinner} [{bar:20}] {pos}/{len} {msg} {elapsed}")
        .expect("the template is a constant");
    let progress = ProgressBar::with_draw_target(Some(runs), target).with_style(style);
    // Four times a second: each redraw takes microseconds from the measured cores.
    progress.enable_steady_tick(Duration::from_millis(250));
    progress
}
