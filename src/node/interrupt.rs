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

#[derive(Default)]
struct Shared {
    is_raised: bool,
    last: u64,
    listeners: Vec<(u64, Box<dyn FnOnce() + Send>)>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("is_raised", &self.is_raised).finish_non_exhaustive()
    }
}

/// A registered listener of an interrupt; dropping this unregisters it.
pub(crate) struct Listening {
    interrupt: Interrupt,
    number: u64,
}

impl Interrupt {
    /// Creates an interrupt that is not raised.
    pub fn new() -> Self {
        Interrupt::default()
    }

    /// Raises the interrupt; every thread that waits with it stops waiting.
    pub fn raise(&self) {
        let listeners = {
            let mut shared = lock(&self.shared);
            shared.is_raised = true;
            std::mem::take(&mut shared.listeners)
        };
        listeners.into_iter().for_each(|(_, listener)| listener());
    }

    /// Tells whether the interrupt was raised.
    pub fn is_raised(&self) -> bool {
        lock(&self.shared).is_raised
    }

    /// Calls `listener` when the interrupt is raised, or at once if it was.
    pub(crate) fn listen(&self, listener: impl FnOnce() + Send + 'static) -> Listening {
        let mut shared = lock(&self.shared);
        shared.last += 1;
        let number = shared.last;
        if shared.is_raised {
            drop(shared);
            listener();
        } else {
            shared.listeners.push((number, Box::new(listener)));
        }
        Listening { interrupt: self.clone(), number }
    }

    /// Sends [`Notice::Interrupted`] to `receiver` when the interrupt is raised, or at once if it
    /// was.
    pub(crate) fn notify(&self, receiver: mpsc::Sender<Notice>) -> Listening {
        // A receiver that is gone needs no notice.
        self.listen(move || drop(receiver.send(Notice::Interrupted)))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut shared = lock(&self.interrupt.shared);
        shared.listeners.retain(|(number, _)| *number != self.number);
    }
}
