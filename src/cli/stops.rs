//! Events that end a run early: signals, or output that cannot be written.

use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::node::interrupt::Interrupt;
use crate::sync::signal::{AtomicI32, Ordering};

/// Exit status after a signal, as shells define it: this value plus the signal's number.
const STATUS_SIGNALLED: u8 = 128;

/// The interrupts of a run. The first signal asks everything to stop, the second terminates what
/// was asked to stop, and the third exits the program immediately.
pub(super) struct Stops {
    pub(super) stop: Interrupt,
    pub(super) hurry: Interrupt,
    /// The first signal; 0 for none.
    signal: Arc<AtomicI32>,
}

impl Stops {
    /// Watches for signals from now on.
    pub(super) fn watch() -> io::Result<Stops> {
        let stops =
            Stops { stop: Interrupt::new(), hurry: Interrupt::new(), signal: Arc::default() };
        // A program that was started with `nohup` must outlive its terminal.
        let watched = [SIGINT, SIGTERM, SIGHUP];
        let watched = watched.iter().filter(|signal| **signal != SIGHUP || !is_ignored(SIGHUP));
        let mut signals = Signals::new(watched)?;
        let (stop, hurry, first) = (stops.stop.clone(), stops.hurry.clone(), stops.signal.clone());
        std::thread::Builder::new().name("moonlet-signals".to_owned()).spawn(move || {
            for (signal, count) in signals.forever().zip(1..) {
                match count {
                    1 => {
                        first.store(signal, Ordering::Relaxed);
                        // A run that already stops because its output broke is hurried.
                        if stop.is_raised() {
                            hurry.raise();
                        }
                        stop.raise();
                    }
                    2 => hurry.raise(),
                    _ => std::process::exit(i32::from(STATUS_SIGNALLED) + signal),
                }
            }
        })?;
        Ok(stops)
    }

    /// Returns the exit status of a run that a signal ended; `None` if there was no signal.
    pub(super) fn status(&self) -> Option<u8> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(STATUS_SIGNALLED + u8::try_from(signal).unwrap_or_default()),
        }
    }

    /// Returns the message about how to end a running stop at once.
    pub(super) fn hint(&self) -> &'static str {
        match self.signal.load(Ordering::Relaxed) {
            0 => "Ctrl-C ends it now",
            SIGINT => "Ctrl-C again ends it now",
            _ => "a signal ends it now",
        }
    }
}

/// Returns whether the program was started with a signal ignored, if the system reports it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
