//! One function of a native module.

use std::mem;
use std::pin::Pin;

use super::pool::{Pool, Unavailable};
use super::quietly;
use crate::payload::{
    Arguments, DecodeError, EncodeError, FromPayload, IntoPayload, Payload, Results,
};
use crate::sync::Arc;
use crate::value::Failure;

/// Why a call has no results.
pub(crate) enum CallError {
    /// The arguments are not what the function takes.
    Arguments(DecodeError),
    /// The function returned an error.
    Failed(Box<Failure>),
    /// What the function returned is no value of Lua.
    Results(EncodeError),
    /// No thread takes the call.
    Unavailable(Unavailable),
}

/// Reads arguments from the stack, and pushes results.
pub(crate) type Plain = dyn Fn(&Arguments, &mut Results) -> Result<(), CallError> + Send + Sync;

/// A call that is under way.
pub(crate) type Future =
    Pin<Box<dyn std::future::Future<Output = Result<Payload, CallError>> + Send>>;

/// Reads arguments from the stack, and begins a call.
pub(crate) type Begin = dyn Fn(&Arguments, &Pool) -> Result<Future, CallError> + Send + Sync;

/// How a function does its work.
pub(crate) enum Body {
    /// On the worker, at once.
    Plain { call: Box<Plain>, is_pure: bool },
    /// The coroutine waits, the worker does not.
    Waiting(Box<Begin>),
}

pub(crate) struct Function {
    pub(crate) name: Box<str>,
    /// With the name of its module: what policies and errors call it.
    pub(crate) full_name: Box<str>,
    body: Option<Body>,
}

impl Function {
    pub(crate) fn new(module: &str, name: &str, body: Body) -> Function {
        let full_name = format!("{module}.{name}").into();
        Function { name: name.into(), full_name, body: Some(body) }
    }

    #[inline]
    pub(crate) fn body(&self) -> &Body {
        self.body.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let body = mem::take(&mut self.body);
        quietly(|| drop(body));
    }
}

/// Wraps a Rust function, which takes and returns any values that can be sent.
pub(super) fn plain<A: FromPayload, R: IntoPayload>(
    function: impl Fn(A) -> Result<R, Failure> + Send + Sync + 'static,
) -> Box<Plain> {
    Box::new(move |arguments, results| {
        let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
        let returned = function(arguments).map_err(|failure| CallError::Failed(failure.into()))?;
        returned.into_results(results).map_err(CallError::Results)
    })
}

/// Wraps an async Rust function.
pub(super) fn asynchronous<A: FromPayload, R: IntoPayload, F>(
    function: impl Fn(A) -> F + Send + Sync + 'static,
) -> Box<Begin>
where
    F: std::future::Future<Output = Result<R, Failure>> + Send + 'static,
{
    Box::new(move |arguments, _| {
        let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
        let future = function(arguments);
        Ok(Box::pin(async move { encoded(future.await) }))
    })
}

/// Wraps a Rust function that blocks its thread.
pub(super) fn blocking<A: FromPayload + Send + 'static, R: IntoPayload>(
    function: impl Fn(A) -> Result<R, Failure> + Send + Sync + 'static,
) -> Box<Begin> {
    let function = Arc::new(function);
    Box::new(move |arguments, pool| {
        let arguments = A::from_arguments(arguments).map_err(CallError::Arguments)?;
        let function = function.clone();
        let outcome = pool.run(move || encoded(function(arguments)));
        Ok(Box::pin(outcome.map_err(CallError::Unavailable)?))
    })
}

fn encoded<R: IntoPayload>(returned: Result<R, Failure>) -> Result<Payload, CallError> {
    let returned = returned.map_err(|failure| CallError::Failed(failure.into()))?;
    returned.into_payload().map_err(CallError::Results)
}
