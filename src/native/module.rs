//! `Module`: what a program builds.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;

use super::class::{self, Class};
use super::function::{self, Body, Function};
use crate::payload::{FromPayload, IntoPayload};
use crate::value::Failure;

/// A module of Rust functions for Lua code.
///
/// An entry names it in its `modules`, as it names the runtime's own, and then has it as a global and
/// by `require`. [`Builder::module`](crate::Builder::module) gives it to a runtime.
///
/// A function takes the arguments of the call as a tuple, or its only argument, and returns one value,
/// or several as a tuple; [`FromPayload`] and [`IntoPayload`] have the mapping. An `Err` is returned to
/// Lua as `nil, err`, as the functions of the runtime do, and so are arguments of other types. A panic
/// becomes an error of kind `INTERNAL` that is raised in Lua. Functions are called by several workers at
/// once; state goes into what they capture.
///
/// ```
/// use moonlet::{Application, Builder, Failure, Kind, Module};
///
/// let text = Module::new("text")
///     .function("repeat", |(text, times): (String, usize)| Ok(text.repeat(times)))
///     .function("first", |(text,): (String,)| {
///         text.chars().next().ok_or_else(|| Failure::new(Kind::Invalid, "the text is empty"))
///     });
///
/// let index = r#"
/// namespace: app
/// entries:
///   - name: main
///     kind: process.lua
///     modules: [text]
///     source: |
///       return function(word)
///         local first, err = text.first(word)
///         if err then return nil, err end
///         return text["repeat"](first, 3)
///       end
///   - { name: text, kind: module.native }
/// "#;
/// let application = Application::from_files([("app.yaml".into(), index.into())]);
/// let runtime = Builder::new().workers(1).application(application).module(text).start()?;
/// assert_eq!(runtime.exec("app:main", "moon").block()?.decode::<String>()?, "mmm");
/// # Ok::<(), moonlet::Error>(())
/// ```
#[must_use = "a module does nothing before `Builder::module` gets it"]
pub struct Module {
    pub(crate) name: Box<str>,
    /// Those of the module itself, and constructors and methods of its classes.
    pub(crate) functions: Vec<Function>,
    pub(crate) classes: Vec<ClassInfo>,
}

/// What calls need to know of a class.
pub(crate) struct ClassInfo {
    pub(crate) name: Box<str>,
    pub(crate) size: Box<class::Size>,
}

impl Module {
    /// Creates a module without functions.
    pub fn new(name: &str) -> Module {
        Module { name: name.into(), functions: Vec::new(), classes: Vec::new() }
    }

    /// Adds a function, which runs on the worker of the process that calls it. It should take
    /// microseconds: no other process runs on that worker meanwhile.
    pub fn function<A, R>(
        self,
        name: &str,
        function: impl Fn(A) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Module
    where
        A: FromPayload,
        R: IntoPayload,
    {
        self.with(name, Body::Plain { call: function::plain(function), is_pure: false })
    }

    /// Adds a function whose results depend on its arguments alone, and that has no effects.
    ///
    /// A chunk may call it and still run once for all processes of its definition, where a call of any
    /// other function makes it run in each of them. Policies do not decide about it: it can do nothing
    /// that Lua code could not do itself.
    pub fn pure_function<A, R>(
        self,
        name: &str,
        function: impl Fn(A) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Module
    where
        A: FromPayload,
        R: IntoPayload,
    {
        self.with(name, Body::Plain { call: function::plain(function), is_pure: true })
    }

    /// Adds an async function. The coroutine that calls it waits; its worker runs other processes
    /// meanwhile.
    ///
    /// The future is polled on the worker that runs the process, in the call itself and whenever it was
    /// woken, by any thread: `moonlet` brings no reactor, so futures of another runtime need that one's
    /// context ([`Builder::around_worker`](crate::Builder::around_worker) enters it) and its threads. A
    /// future that wakes itself is polled again behind other processes. A panic in a poll is raised in Lua
    /// as an error of kind `INTERNAL`. If the process ends before the future, the future is dropped, on its
    /// worker, before anybody is told of the end.
    ///
    /// Where Lua code cannot wait, the call returns `nil, INVALID` and the function is not called. It is
    /// not available to chunks, which cannot wait.
    ///
    /// ```
    /// # use moonlet::{Application, Builder, Module};
    /// use std::time::Duration;
    /// # async fn fetch(key: &str) -> String { format!("<{key}>") }
    /// let db = Module::new("db").async_function("get", |(key,): (String,)| async move {
    ///     Ok(fetch(&key).await)
    /// });
    /// # let index = "{namespace: app, entries: [{name: db, kind: module.native}, {name: main, \
    /// #     kind: process.lua, modules: [db], source: 'return function() return db.get(\"x\") end'}]}";
    /// # let application = Application::from_files([("app.yaml".into(), index.into())]);
    /// # let runtime = Builder::new().workers(1).application(application).module(db).start()?;
    /// # assert_eq!(runtime.exec("app:main", ()).block()?.decode::<String>()?, "<x>");
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn async_function<A, F, R>(
        self,
        name: &str,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Module
    where
        A: FromPayload,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
        R: IntoPayload,
    {
        self.with(name, Body::Waiting(function::asynchronous(function)))
    }

    /// Adds a function that blocks its thread. It runs on a thread of its own pool
    /// ([`Builder::blocking_threads`](crate::Builder::blocking_threads)); the coroutine that calls it waits.
    ///
    /// If all threads are busy and the queue is full, the call returns `nil, RATE_LIMITED`. A call whose
    /// process has ended runs on, and its result is dropped. Otherwise it is like
    /// [`async_function`](Module::async_function).
    pub fn blocking_function<A, R>(
        self,
        name: &str,
        function: impl Fn(A) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Module
    where
        A: FromPayload + Send + 'static,
        R: IntoPayload,
    {
        self.with(name, Body::Waiting(function::blocking(function)))
    }

    fn with(mut self, name: &str, body: Body) -> Module {
        let full_name = format!("{}.{name}", self.name);
        self.functions.push(Function::new(name, full_name, None, body));
        self
    }

    /// Adds a class of objects.
    pub fn class<T: Send + 'static>(mut self, class: Class<T>) -> Module {
        let number = u16::try_from(self.classes.len()).expect("a module has few classes");
        for (name, body) in class.functions {
            let mark = match body {
                Body::Method(_) | Body::WaitingMethod(_) => ':',
                _ => '.',
            };
            let full_name = format!("{}.{}{mark}{name}", self.name, class.name);
            self.functions.push(Function::new(&name, full_name, Some(number), body));
        }
        self.classes.push(ClassInfo { name: class.name, size: class.size });
        self
    }

    /// Checks the names.
    pub(super) fn check(&self) -> Result<(), String> {
        let functions = self.functions.iter().map(|function| {
            let place = (function.class, function.is_method());
            (place, &*function.name, &*function.full_name)
        });
        let classes = self.classes.iter().map(|class| ((None, false), &*class.name, &*class.name));
        let names: Vec<_> = functions.chain(classes).collect();
        let module = &self.name;
        for (position, (place, name, full_name)) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(format!("a function or class of native module {module:?} has no name"));
            }
            let is_same = |other: &&(_, &str, _)| (other.0, other.1) == (*place, *name);
            if names[..position].iter().any(|other| is_same(&other)) {
                return Err(format!("native module {module:?} has two functions {full_name:?}"));
            }
        }
        Ok(())
    }
}

impl Debug for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let functions: Vec<_> = self.functions.iter().map(|function| &*function.name).collect();
        f.debug_struct("Module").field("name", &self.name).field("functions", &functions).finish()
    }
}
