//! A worker's own alarm: it interrupts a step of spent work when a timer of the worker is due.
//!
//! The monitor would do so too, but it is an ordinary thread: when every core computes, the system
//! may delay it by milliseconds. The alarm is a kernel timer that sends the monitor's signal to the
//! thread that set it, whatever runs on other cores.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Clock;

/// The alarm of the thread that created it.
pub(super) struct Alarm {
    /// `None` where the system has no such timers; the monitor then ends the step alone.
    timer: Option<Timer>,
    /// The time for which the alarm was last set.
    time: Cell<u64>,
}

impl Alarm {
    pub(super) fn new() -> Alarm {
        Alarm { timer: Timer::new(), time: Cell::new(0) }
    }

    /// Returns an alarm that never fires.
    pub(super) fn none() -> Alarm {
        Alarm { timer: None, time: Cell::new(0) }
    }

    /// Re-arms the alarm for `time`, replacing any earlier setting. It may fire in a later step
    /// than the one it was set for, which then ends a little early.
    pub(super) fn set(&self, time: u64, clock: &Clock) {
        if self.time.replace(time) != time
            && let Some(timer) = &self.timer
        {
            // A zero duration would disarm the timer.
            timer.set(clock.until(time).max(Duration::from_nanos(1)));
        }
    }
}

#[cfg(target_os = "linux")]
struct Timer(libc::timer_t);

#[cfg(target_os = "linux")]
impl Timer {
    /// `None` if the system cannot create another timer.
    fn new() -> Option<Timer> {
        // SAFETY: a `sigevent` holds numbers and pointers that are not followed, for which zeroes
        // are valid.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGURG;
        // SAFETY: the call has no preconditions.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: the call reads the event, whose relevant fields are set, and writes `timer`. The
        // signal goes to this thread, which drops the timer before it ends: a `Timer` is not Send,
        // and a worker's timer is in the frame of `worker::run`.
        let result =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        (result == 0).then_some(Timer(timer))
    }

    fn set(&self, pause: Duration) {
        // SAFETY: an `itimerspec` holds numbers, for which zeroes are valid.
        let mut time: libc::itimerspec = unsafe { std::mem::zeroed() };
        time.it_value.tv_sec = pause.as_secs() as libc::time_t;
        time.it_value.tv_nsec = pause.subsec_nanos().into();
        // SAFETY: `new` created the timer, which exists until this value is dropped; the call reads
        // `time`. It cannot fail: the duration is in range, and a wrong one would leave the work to
        // the monitor.
        unsafe { libc::timer_settime(self.0, 0, &raw const time, std::ptr::null_mut()) };
    }
}

#[cfg(target_os = "linux")]
impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: `new` created the timer, which belongs to this value alone, and the value ends.
        unsafe {
            libc::timer_delete(self.0);
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    fn new() -> Option<Timer> {
        None
    }

    fn set(&self, _: Duration) {}
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::vm::lua::preempt;

    /// Whether the running step is asked to end within `limit`.
    fn is_asked_within(limit: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < limit {
            if preempt::is_requested() {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    #[test]
    fn it_asks_the_running_step_to_end_when_it_was_set_to_last() {
        preempt::install_handler().unwrap();
        crate::scheduler::signal::let_in();
        let (alarm, clock) = (Alarm::new(), Clock::new());
        let later = |millis: u64| clock.now() + millis * 1_000_000;
        preempt::begin_step(1);
        alarm.set(later(1), &clock);
        assert!(is_asked_within(Duration::from_secs(60)));
        preempt::begin_step(2);
        alarm.set(later(30), &clock);
        alarm.set(later(3_600_000), &clock);
        assert!(!is_asked_within(Duration::from_millis(60)));
    }
}
