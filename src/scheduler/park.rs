//! Parking: a worker's thread sleeps until it is unparked.

use std::time::Duration;

use crate::sync::{Condvar, Mutex, lock};

/// A sleep with a permit: an unpark before the park is not lost.
pub(crate) struct Parker {
    has_permit: Mutex<bool>,
    wanted: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker { has_permit: Mutex::new(false), wanted: Condvar::new() }
    }

    /// Sleeps until there is a permit, or for `limit`, and takes the permit. May return spuriously.
    pub(crate) fn park(&self, limit: Option<Duration>) {
        let mut permit = lock(&self.has_permit);
        if !*permit {
            permit = match limit {
                None => self.wanted.wait(permit).unwrap_or_else(|poison| poison.into_inner()),
                Some(limit) => match self.wanted.wait_timeout(permit, limit) {
                    Ok((permit, _)) => permit,
                    Err(poison) => poison.into_inner().0,
                },
            };
        }
        *permit = false;
    }

    /// Stores the permit and wakes the thread.
    pub(crate) fn unpark(&self) {
        *lock(&self.has_permit) = true;
        self.wanted.notify_one();
    }
}
