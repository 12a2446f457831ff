//! `Class`: userdata whose values are Rust's.

use std::any::Any;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::marker::PhantomData;

use super::function::{Body, CallError, Done, encoded};
use crate::payload::{FromPayload, IntoPayload};
use crate::value::Failure;

/// A class of objects: Lua code holds them, Rust code has their values.
///
/// [`Module::class`](crate::Module::class) adds it to a module, in whose table it is a table of its
/// constructors. A constructor returns a new object, whose methods are called with a colon. An object
/// belongs to the process that made it and cannot be sent. Its value is dropped when the process no
/// longer refers to it, or ends: then before anybody is told of the end.
///
/// Arguments, results, errors and panics are those of [`Module`](crate::Module). After a panic in a
/// method, the object may still be used. Policies decide about constructors, not about methods: who
/// has an object may use it.
///
/// ```
/// use moonlet::{Application, Builder, Class, Module};
///
/// struct Counter(i64);
///
/// let counter = Class::<Counter>::new("Counter")
///     .constructor("new", |(start,): (i64,)| Ok(Counter(start)))
///     .method("add", |counter, (n,): (i64,)| {
///         counter.0 += n;
///         Ok(counter.0)
///     });
/// let count = Module::new("count").class(counter);
/// let source = "return function() local c = count.Counter.new(40) c:add(1) return c:add(1) end";
/// # let index = format!("{{namespace: app, entries: [{{name: count, kind: module.native}}, {{name: main, \
/// #     kind: process.lua, modules: [count], source: '{source}'}}]}}");
/// # let application = Application::from_files([("app.yaml".into(), index.into())]);
/// # let runtime = Builder::new().workers(1).application(application).module(count).start()?;
/// # assert_eq!(runtime.exec("app:main", ()).block()?.decode::<i64>()?, 42);
/// # Ok::<(), moonlet::Error>(())
/// ```
#[must_use = "a class does nothing before `Module::class` gets it"]
pub struct Class<T> {
    pub(super) name: Box<str>,
    pub(super) functions: Vec<(Box<str>, Body)>,
    pub(super) size: Box<Size>,
    values: PhantomData<fn() -> T>,
}

/// Returns how many bytes a value takes.
pub(super) type Size = dyn Fn(&dyn Any) -> usize + Send + Sync;

impl<T: Send + 'static> Class<T> {
    /// Creates a class without constructors and methods.
    pub fn new(name: &str) -> Class<T> {
        let size = Box::new(|_: &dyn Any| size_of::<T>());
        Class { name: name.into(), functions: Vec::new(), size, values: PhantomData }
    }

    /// Adds a constructor.
    pub fn constructor<A: FromPayload>(
        self,
        name: &str,
        function: impl Fn(A) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Class<T> {
        let make = move |arguments: &_| {
            let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
            let value = function(arguments).map_err(|failure| CallError::Failed(failure.into()))?;
            Ok(Box::new(value) as super::Value)
        };
        self.with(name, Body::Make(Box::new(make)))
    }

    /// Adds an async constructor; [`Module::async_function`](crate::Module::async_function) says how it
    /// runs.
    pub fn async_constructor<A, F>(
        self,
        name: &str,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Class<T>
    where
        A: FromPayload,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let begin = move |arguments: &_, _: &_| {
            let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
            let future = function(arguments);
            Ok(Box::pin(async move {
                match future.await {
                    Ok(value) => Ok(Done::Object(Box::new(value))),
                    Err(failure) => Err(CallError::Failed(failure.into())),
                }
            }) as super::Future)
        };
        self.with(name, Body::Waiting(Box::new(begin)))
    }

    /// Adds a method, which runs on the worker and should take microseconds.
    pub fn method<A: FromPayload, R: IntoPayload>(
        self,
        name: &str,
        function: impl Fn(&mut T, A) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Class<T> {
        let method = move |value: &mut dyn Any, arguments: &_, results: &mut _| {
            let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
            let returned = function(of_class(value), arguments);
            let returned = returned.map_err(|failure| CallError::Failed(failure.into()))?;
            returned.into_results(results).map_err(CallError::Results)
        };
        self.with(name, Body::Method(Box::new(method)))
    }

    /// Adds an async method. It gets the value only to begin, so the future owns what it needs of it, such
    /// as a clone of an `Arc`.
    pub fn async_method<A, F, R>(
        self,
        name: &str,
        function: impl Fn(&mut T, A) -> F + Send + Sync + 'static,
    ) -> Class<T>
    where
        A: FromPayload,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
        R: IntoPayload,
    {
        let begin = move |value: &mut dyn Any, arguments: &_| {
            let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
            let future = function(of_class(value), arguments);
            Ok(Box::pin(async move { encoded(future.await) }) as super::Future)
        };
        self.with(name, Body::WaitingMethod(Box::new(begin)))
    }

    /// Sets how many bytes a value takes, with what it owns; by default the size of `T`. The memory limit
    /// of the process counts them. It is asked when the object is made and after each method.
    pub fn size(mut self, size: impl Fn(&T) -> usize + Send + Sync + 'static) -> Class<T> {
        self.size = Box::new(move |value| value.downcast_ref().map_or(0, &size));
        self
    }

    fn with(mut self, name: &str, body: Body) -> Class<T> {
        self.functions.push((name.into(), body));
        self
    }
}

/// The value of an object, whose class was checked before the method was called.
fn of_class<T: 'static>(value: &mut dyn Any) -> &mut T {
    value.downcast_mut().expect("the value is of the method's class")
}

impl<T> Debug for Class<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let functions: Vec<_> = self.functions.iter().map(|(name, _)| name).collect();
        f.debug_struct("Class").field("name", &self.name).field("functions", &functions).finish()
    }
}
