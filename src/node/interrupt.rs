//! Interrupts: they end the waits of threads outside.

use std::sync::mpsc;

use super::tickets::Notice;
use crate::sync::{Arc, Mutex, lock};

/// Ends the waits of threads that wait for a runtime. Once raised, it stays raised.
///
/// Clones are the same interrupt, so one thread can wait with it and another raise it:
///
/// ```
///     let interrupt = moonlet::Interrupt::new();
///     let other = interrupt.clone();
///     std::thread::spawn(move || other.raise()).join().unwrap();
///     assert!(interrupt.is_raised());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    is_raised: bool,
    last: u64,
    listeners: Vec<(u64, mpsc::Sender<Notice>)>,
}

/// A registered listener of an interrupt; dropping this unregisters it.
pub(crate) struct Listening<'a> {
    interrupt: &'a Interrupt,
    number: u64,
}

impl Interrupt {
    /// Creates an interrupt that is not raised.
    pub fn new() -> Self {
        Interrupt::default()
    }

    /// Raises the interrupt; every thread that waits with it stops waiting.
    pub fn raise(&self) {
        let mut shared = lock(&self.shared);
        shared.is_raised = true;
        for (_, listener) in shared.listeners.drain(..) {
            // A listener that is gone needs no notice.
            let _ = listener.send(Notice::Interrupted);
        }
    }

    /// Tells whether the interrupt was raised.
    pub fn is_raised(&self) -> bool {
        lock(&self.shared).is_raised
    }

    /// Sends [`Notice::Interrupted`] to `listener` when the interrupt is raised, or at once if it
    /// was.
    pub(crate) fn listen(&self, listener: mpsc::Sender<Notice>) -> Listening<'_> {
        let mut shared = lock(&self.shared);
        shared.last += 1;
        let number = shared.last;
        if shared.is_raised {
            let _ = listener.send(Notice::Interrupted);
        } else {
            shared.listeners.push((number, listener));
        }
        Listening { interrupt: self, number }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut shared = lock(&self.interrupt.shared);
        shared.listeners.retain(|(number, _)| *number != self.number);
    }
}
