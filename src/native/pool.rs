//! Threads for blocking functions: begun on demand, ended when idle, and as many as the program allows.
//!
//! A job that has begun runs to its end, whatever happens to its caller. A stop drops the jobs that have
//! not begun, and waits for running ones for a limited time.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::quietly;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, lock};

/// How long an idle thread waits for a job before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// How many threads there may be, and how many jobs may wait for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) threads: usize,
    pub(crate) queued: usize,
}

impl Default for PoolLimits {
    /// Picked, unmeasured: enough for file systems and drivers, few enough for any machine.
    fn default() -> PoolLimits {
        PoolLimits { threads: 32, queued: 1024 }
    }
}

/// Why a job was not taken.
#[derive(Debug)]
pub(crate) enum Unavailable {
    Full(PoolLimits),
    /// The runtime stops, or the system gives no thread.
    NoThread,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    limits: PoolLimits,
    state: Mutex<State>,
    /// A job was queued, or the pool was closed.
    changed: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: Vec<ThreadId>,
    /// Threads that have no job: they wait for one, have just been begun, or were told of a job and have
    /// not taken it.
    idle: usize,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new(limits: PoolLimits) -> Pool {
        let limits = PoolLimits { threads: limits.threads.max(1), ..limits };
        Pool(Arc::new(Shared { limits, ..Shared::default() }))
    }

    /// Has a thread do some work. The future is ready when it is done; a panic in the work panics in the
    /// poll.
    ///
    /// # Errors
    /// All threads are busy and the queue is full, or there can be no thread.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Outcome<T>, Unavailable> {
        let slot = Arc::new(Mutex::new(Slot { result: None, waker: None }));
        let outcome = Outcome(slot.clone());
        self.submit(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            let mut place = lock(&slot);
            place.result = Some(result);
            let waker = place.waker.take();
            drop(place);
            if let Some(waker) = waker {
                quietly(|| waker.wake());
            }
            // If nobody waits any more, this drops the result, which belongs to the program.
            quietly(|| drop(slot));
        }))?;
        Ok(outcome)
    }

    fn submit(&self, job: Job) -> Result<(), Unavailable> {
        let limits = self.0.limits;
        let mut state = lock(&self.0.state);
        if state.is_closed {
            return Err(refused(state, job, Unavailable::NoThread));
        }
        // Each idle thread takes one of the queued jobs; the others wait for a busy one.
        let has_idle = state.queue.len() < state.idle;
        let waiting = state.queue.len() - state.idle.min(state.queue.len());
        let may_begin = state.threads.len() < limits.threads;
        let has_begun = !has_idle && may_begin && begin_thread(&self.0, &mut state);
        if !has_idle && !has_begun {
            if state.threads.is_empty() {
                return Err(refused(state, job, Unavailable::NoThread));
            }
            if waiting >= limits.queued {
                return Err(refused(state, job, Unavailable::Full(limits)));
            }
        }
        state.queue.push_back(job);
        drop(state);
        if has_idle {
            self.0.changed.notify_one();
        }
        Ok(())
    }

    /// Whether the calling thread is one of the pool's.
    pub(crate) fn is_own_thread(&self) -> bool {
        let own = thread::current().id();
        lock(&self.0.state).threads.contains(&own)
    }

    /// Drops the jobs that have not begun, and refuses others. Idle threads end.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.0.state);
        state.is_closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.0.changed.notify_all();
        for job in queue {
            quietly(|| drop(job));
        }
    }

    /// Waits until all threads have ended, until `deadline` at the latest. The calling thread must be
    /// none of them.
    pub(crate) fn wait(&self, deadline: Instant) {
        let mut state = lock(&self.0.state);
        while !state.threads.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = wait_for(&self.0.ended, state, left);
        }
    }
}

/// Drops a job without the lock, and returns the reason why it was not taken.
fn refused(state: MutexGuard<'_, State>, job: Job, reason: Unavailable) -> Unavailable {
    drop(state);
    quietly(|| drop(job));
    reason
}

/// Begins a thread, which takes a job when the caller has released the lock; false if the system refuses.
fn begin_thread(shared: &Arc<Shared>, state: &mut State) -> bool {
    let own = shared.clone();
    let builder = thread::Builder::new().name("moonlet-blocking".to_owned());
    match builder.spawn(move || own.work()) {
        Ok(thread) => {
            state.threads.push(thread.thread().id());
            state.idle += 1;
            true
        }
        Err(_) => false,
    }
}

fn wait_for<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    limit: Duration,
) -> MutexGuard<'a, State> {
    condition.wait_timeout(state, limit).unwrap_or_else(|poison| poison.into_inner()).0
}

impl Shared {
    /// The life of a thread.
    fn work(&self) {
        let mut state = lock(&self.state);
        // It counted as idle since it was begun.
        state.idle -= 1;
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                job();
                state = lock(&self.state);
                continue;
            }
            state = self.rest(state);
            if state.queue.is_empty() {
                break;
            }
        }
        let own = thread::current().id();
        state.threads.retain(|thread| *thread != own);
        drop(state);
        self.ended.notify_all();
    }

    /// Waits until there is a job. Returns without one if the thread has been idle for long.
    fn rest<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let end = Instant::now() + IDLE;
        state.idle += 1;
        while state.queue.is_empty() && !state.is_closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = wait_for(&self.changed, state, left);
        }
        state.idle -= 1;
        state
    }
}

/// The place of a result.
struct Slot<T> {
    result: Option<thread::Result<T>>,
    waker: Option<Waker>,
}

/// The future of a job. Dropping it changes nothing: the job runs on, and its result is dropped.
pub(crate) struct Outcome<T>(Arc<Mutex<Slot<T>>>);

impl<T> Future for Outcome<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut place = lock(&self.0);
        let result: Option<Result<T, Box<dyn Any + Send>>> = place.result.take();
        if result.is_none() {
            place.waker = Some(context.waker().clone());
        }
        drop(place);
        match result {
            None => Poll::Pending,
            Some(Ok(value)) => Poll::Ready(value),
            Some(Err(panic)) => resume_unwind(panic),
        }
    }
}
