//! `Module`: what a program builds.

use std::fmt::{self, Debug, Formatter};

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
    pub(crate) functions: Vec<Function>,
}

impl Module {
    /// Creates a module without functions.
    pub fn new(name: &str) -> Module {
        Module { name: name.into(), functions: Vec::new() }
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

    fn with(mut self, name: &str, body: Body) -> Module {
        self.functions.push(Function::new(&self.name, name, body));
        self
    }

    /// Checks the names.
    pub(super) fn check(&self) -> Result<(), String> {
        let names = || self.functions.iter().map(|function| &*function.name);
        let module = &self.name;
        for (position, name) in names().enumerate() {
            if name.is_empty() {
                return Err(format!("a function of native module {module:?} has no name"));
            }
            if names().take(position).any(|other| other == name) {
                return Err(format!("native module {module:?} has two functions {name:?}"));
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
