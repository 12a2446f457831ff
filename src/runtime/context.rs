//! What the main of a native process is given.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use super::{Builder, Error, Event, Handle, Mailbox, Process, Recv};
use crate::payload::{FromPayload, IntoPayload, Payload};
use crate::process::seat::Seat;
use crate::sync::Arc;
use crate::value::{Failure, Kind, Value};

impl Builder {
    /// Sets the main of the entry `id`, which is of kind `process.native`: an async function that
    /// workers poll as slices of a process among others.
    ///
    /// It is given a [`Context`], by which it is a process, and the arguments of the spawn. It ends the
    /// process by what it returns: a value, or a failure. A panic ends the process as a failure. If the
    /// process is killed, the future is dropped, before anybody is told of the end.
    ///
    /// A poll occupies a worker until it returns; one that takes longer than a millisecond is counted
    /// ([`Metrics::long_polls`](crate::Metrics::long_polls)) and the first of a process logged. What
    /// blocks a thread belongs elsewhere. Wakers of any executor wake the process.
    ///
    /// ```
    /// use std::time::Duration;
    /// use moonlet::{Application, Builder, Context, Event};
    ///
    /// let index = r#"
    /// namespace: app
    /// entries:
    ///   - { name: counter, kind: process.native }
    ///   - name: main
    ///     kind: process.lua
    ///     source: |
    ///       return function()
    ///         local counter = assert(process.spawn_monitored("app:counter", "app:processes", 40))
    ///         process.send(counter, "add", 1)
    ///         process.send(counter, "add", 1)
    ///         local sum = assert(process.request(counter, "stop", "1s"))
    ///         assert(process.events():receive().from == counter)
    ///         return sum
    ///       end
    ///   - { name: processes, kind: process.host, lifecycle: { auto_start: true } }
    /// "#;
    /// let counter = |mut context: Context, start: i64| async move {
    ///     let mut sum = start;
    ///     loop {
    ///         match context.recv().await? {
    ///             Event::Message(message) if message.topic() == "add" => sum += message.args::<i64>()?,
    ///             Event::Message(message) => {
    ///                 message.reply(sum)?;
    ///                 return Ok(sum);
    ///             }
    ///             _ => return Ok(sum),
    ///         }
    ///     }
    /// };
    /// let application = Application::from_files([("app.yaml".into(), index.into())]);
    /// let builder = Builder::new().workers(1).application(application);
    /// let runtime = builder.native("app:counter", counter).start()?;
    /// assert_eq!(runtime.exec("app:main", ()).block()?.decode::<i64>()?, 42);
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn native<A, F, R>(
        mut self,
        id: &str,
        main: impl Fn(Context, A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: FromPayload,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
        R: IntoPayload,
    {
        let run = move |seat: Arc<dyn std::any::Any + Send + Sync>, arguments: Payload| {
            let begun = begin(seat, &arguments, &main);
            let future: crate::native::Running = Box::pin(async move {
                let value = begun?.await?;
                value
                    .into_payload()
                    .map_err(|error| Failure::new(Kind::Internal, error.to_string()))
            });
            future
        };
        self.mains.add(id, Arc::new(run));
        self
    }
}

/// Calls main.
fn begin<A: FromPayload, F>(
    seat: Arc<dyn std::any::Any + Send + Sync>,
    arguments: &Payload,
    main: impl Fn(Context, A) -> F,
) -> Result<F, Failure> {
    let seat = seat.downcast::<Seat>();
    let seat = seat.map_err(|_| Failure::new(Kind::Internal, "not the seat of a process"))?;
    let arguments: A = arguments
        .decode()
        .map_err(|error| Failure::new(Kind::Invalid, format!("bad arguments for main: {error}")))?;
    Ok(main(Context { mailbox: Mailbox::new(seat) }, arguments))
}

/// A native process, as its main has it. It derefs to its [`Mailbox`]: it receives, sends, asks,
/// monitors and links as a mailbox of the program does, but security policies decide about that as they
/// do for a process of Lua.
///
/// It may be moved to another thread or task, which then acts for the process. The process still ends
/// when its main returns.
pub struct Context {
    mailbox: Mailbox,
}

impl Context {
    /// Returns a handle to the runtime, with the rights of the program.
    pub fn handle(&self) -> Handle {
        Handle::new(self.mailbox.node().clone())
    }

    /// Prepares to start a process of an entry, which inherits context values, actor and scope of this
    /// one. Policies decide about it as about `process.spawn`.
    pub fn process(&self, id: &str) -> Process {
        Process::inheriting(self.mailbox.seat(), id)
    }

    /// Returns a context value, as `ctx.get(key)` does in Lua.
    pub fn value(&self, key: &str) -> Option<Value> {
        self.mailbox.seat().context().get(key.as_bytes())?.value().ok()
    }

    /// Waits for the next message or event; see [`Mailbox::recv`].
    pub fn recv(&mut self) -> Recv<'_> {
        self.mailbox.recv()
    }

    /// Returns the next message or event if one has arrived; see [`Mailbox::try_recv`].
    ///
    /// # Errors
    /// As there.
    pub fn try_recv(&mut self) -> Result<Option<Event>, Error> {
        self.mailbox.try_recv()
    }

    /// Like [`recv`](Context::recv), for those who write their own futures.
    ///
    /// # Errors
    /// As for [`Mailbox::recv`].
    pub fn poll_recv(&mut self, context: &task::Context<'_>) -> Poll<Result<Event, Error>> {
        self.mailbox.poll_recv(context)
    }

    /// Waits for a while, by a timer of the worker.
    ///
    /// # Cancellation
    /// Dropping the future forgets the timer.
    pub fn sleep(&mut self, duration: Duration) -> Sleep {
        Sleep { seat: self.mailbox.seat().clone(), duration, timer: None }
    }
}

impl Deref for Context {
    type Target = Mailbox;

    fn deref(&self) -> &Mailbox {
        &self.mailbox
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.mailbox.pid().as_str()).finish()
    }
}

/// Waits for a while; made by [`Context::sleep`].
///
/// # Errors
/// The process has ended, or the runtime has stopped.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    seat: Arc<Seat>,
    duration: Duration,
    /// The number of the timer, after the first poll.
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.timer {
            Some(timer) => match self.seat.wait_on(timer, context)? {
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            },
            None => {
                let duration = u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX);
                let due = self.seat.node()?.clock.now().saturating_add(duration);
                self.timer = Some(self.seat.wake_at(due, context)?);
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.seat.forget_wait(timer);
        }
    }
}
