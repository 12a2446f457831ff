//! Where the owner of a process outside of the workers meets those who wake or end the process.
//!
//! - **S1** An owner that finds nothing leaves its waker, under the lock under which it has looked. A
//!   sender pushes first and then looks for a waker under that lock. So one of the two sees what the
//!   other did.
//! - **S2** Whoever takes what is inside ends the process. Only one thread does.
//! - **S3** No waker is called, cloned or dropped under the lock: it is code of the program.

use std::mem;
use std::task::{Context, Poll, Waker};

use crate::native;
use crate::sync::{Mutex, lock};

/// Holds a `C` until the process ends, then an `E`: how it has ended.
pub(crate) struct Station<C, E>(Mutex<Inside<C, E>>);

struct Inside<C, E> {
    core: Result<C, E>,
    waker: Option<Waker>,
}

impl<C, E: Copy> Station<C, E> {
    pub(crate) fn new(core: C) -> Station<C, E> {
        Station(Mutex::new(Inside { core: Ok(core), waker: None }))
    }

    /// Calls `act`, which calls no code of the program.
    ///
    /// # Errors
    /// How the process has ended.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut C) -> T) -> Result<T, E> {
        match &mut lock(&self.0).core {
            Ok(core) => Ok(act(core)),
            Err(end) => Err(*end),
        }
    }

    /// Returns what `look` finds, or has the task woken when it should look again.
    ///
    /// # Errors
    /// How the process has ended.
    pub(crate) fn poll<T>(
        &self,
        context: &Context<'_>,
        mut look: impl FnMut(&mut C) -> Option<T>,
    ) -> Poll<Result<T, E>> {
        let mut waker = None;
        loop {
            let mut inside = lock(&self.0);
            match &mut inside.core {
                Err(end) => return Poll::Ready(Err(*end)),
                Ok(core) => {
                    if let Some(found) = look(core) {
                        return Poll::Ready(Ok(found));
                    }
                }
            }
            if inside.waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                return Poll::Pending;
            }
            if waker.is_some() {
                let before = mem::replace(&mut inside.waker, waker);
                drop(inside);
                drop(before);
                return Poll::Pending;
            }
            drop(inside);
            waker = Some(context.waker().clone());
        }
    }

    /// Wakes the owner, if it waits.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.take_waker() {
            call(waker);
        }
    }

    /// Takes the waker of the owner, if it waits.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        lock(&self.0).waker.take()
    }

    /// Takes what is inside, which the caller then ends; `None` if another thread did.
    pub(crate) fn take(&self, end: E) -> Option<C> {
        let mut inside = lock(&self.0);
        match mem::replace(&mut inside.core, Err(end)) {
            Ok(core) => Some(core),
            Err(first) => {
                inside.core = Err(first);
                None
            }
        }
    }
}

/// Wakes a task, which is code of the program. A panic in it was told by the panic hook and is nobody
/// else's.
pub(crate) fn call(waker: Waker) {
    native::quietly(|| waker.wake());
}
