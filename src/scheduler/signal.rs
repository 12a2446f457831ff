//! The signal that ends a worker's step (`vm/lua/preempt.rs` handles it), and the thread that gets
//! it.
//!
//! Threads outside of the runtime send it too: threads that kill a process, and those of the
//! streams and of the supervisor during a stop. The handle of a worker's thread is used and
//! withdrawn under one lock, so that no thread signals a thread that may have been joined.

#![allow(unsafe_code)]

use crate::sync::{Mutex, lock};

#[cfg(target_os = "linux")]
type Thread = libc::pthread_t;
#[cfg(not(target_os = "linux"))]
type Thread = std::convert::Infallible;

/// The thread of a worker, while it runs.
pub(crate) struct Target(Mutex<Option<Thread>>);

impl Target {
    pub(super) fn new() -> Target {
        Target(Mutex::new(None))
    }

    /// Makes the calling thread the target of signals.
    pub(crate) fn announce(&self) {
        #[cfg(target_os = "linux")]
        {
            let_in();
            // SAFETY: the call has no preconditions and always succeeds.
            let thread = unsafe { libc::pthread_self() };
            *lock(&self.0) = Some(thread);
        }
    }

    /// Reverses [`Target::announce`]. The thread calls this before it ends.
    pub(crate) fn withdraw(&self) {
        lock(&self.0).take();
    }

    /// Interrupts the thread. Does nothing if there is none, or where there are no signals.
    pub(crate) fn signal(&self) {
        let thread = lock(&self.0);
        #[cfg(target_os = "linux")]
        if let Some(thread) = *thread {
            // SAFETY: the thread has not ended: `worker::run` withdraws the handle before
            // (`withdraw`), which waits for the lock that this function holds. `Builder::start`
            // installs the handler before it starts a worker; without a handler the system ignores
            // this signal.
            unsafe { libc::pthread_kill(thread, libc::SIGURG) };
        }
        drop(thread);
    }
}

/// Lets the signal interrupt the calling thread.
#[cfg(target_os = "linux")]
pub(super) fn let_in() {
    // SAFETY: a `sigset_t` is bits, for which zeroes are valid.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the calls write the set of this function, and read it to change this thread's mask.
    unsafe {
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGURG);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
    }
}

#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    /// Threads start and end while others signal them all the time. A smoke test, because a signal
    /// to a joined thread may do anything. The signal is ignored unless a handler is installed.
    #[test]
    fn threads_may_end_while_they_are_signalled() {
        let target = Arc::new(Target::new());
        let signal_often = |target: Arc<Target>| move || (0..100_000).for_each(|_| target.signal());
        let killers = [0, 1].map(|_| thread::spawn(signal_often(target.clone())));
        while killers.iter().any(|killer| !killer.is_finished()) {
            let target = target.clone();
            let worker = thread::spawn(move || {
                target.announce();
                thread::yield_now();
                target.withdraw();
            });
            worker.join().expect("it ends");
        }
        for killer in killers {
            killer.join().expect("it ends");
        }
        target.signal();
        assert!(lock(&target.0).is_none());
    }
}
