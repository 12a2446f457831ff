//! The signal that ends a worker's step (`vm/lua/preempt.rs` handles it), and which thread gets it.
//!
//! Threads outside of the runtime send it, too: whoever kills a process, and those of the streams and
//! the supervisor during a stop. So the handle of a worker's thread is used and taken back under one
//! lock: nobody signals a thread that may have been joined.

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

    /// Makes the calling thread the one that is signalled.
    pub(crate) fn announce(&self) {
        #[cfg(target_os = "linux")]
        {
            let_in();
            // SAFETY: the call has no conditions and always succeeds.
            let thread = unsafe { libc::pthread_self() };
            *lock(&self.0) = Some(thread);
        }
    }

    /// Takes [`Target::announce`] back, before the thread ends.
    pub(crate) fn withdraw(&self) {
        lock(&self.0).take();
    }

    /// Interrupts the thread; nothing if there is none, and where there are no signals.
    pub(crate) fn signal(&self) {
        let thread = lock(&self.0);
        #[cfg(target_os = "linux")]
        if let Some(thread) = *thread {
            // SAFETY: the thread has not ended: `worker::run` takes its handle back before
            // (`withdraw`), which it cannot while this function holds the lock. `Builder::start`
            // installs the handler before it starts a worker; without one the system ignores this
            // signal.
            unsafe { libc::pthread_kill(thread, libc::SIGURG) };
        }
        drop(thread);
    }
}

/// Lets the signal interrupt the calling thread.
#[cfg(target_os = "linux")]
pub(super) fn let_in() {
    // SAFETY: a set of signals is bits, for which zeroes are valid.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the calls write to the set of this function, and read it to change this thread's
    // mask.
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

    /// Threads come and go while others signal them all the time: a smoke test, since a signal to a
    /// thread that was joined may do anything. The signal is ignored unless a handler is in place.
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
