//! One function of a native module.

use std::any::Any;
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

/// A Rust value behind a userdata.
pub(crate) type Value = Box<dyn Any + Send>;

/// What a call that waits ends with.
pub(crate) enum Done {
    Values(Payload),
    /// The value of a new object.
    Object(Value),
}

/// A call that is under way.
pub(crate) type Future = Pin<Box<dyn std::future::Future<Output = Result<Done, CallError>> + Send>>;

/// Reads arguments from the stack, and begins a call.
pub(crate) type Begin = dyn Fn(&Arguments, &Pool) -> Result<Future, CallError> + Send + Sync;

/// Makes the value of a new object.
pub(crate) type Make = dyn Fn(&Arguments) -> Result<Value, CallError> + Send + Sync;

/// Like [`Plain`], with the value of the object. The class of the object is the method's.
pub(crate) type Method =
    dyn Fn(&mut dyn Any, &Arguments, &mut Results) -> Result<(), CallError> + Send + Sync;

/// Like [`Begin`], with the value of the object.
pub(crate) type BeginMethod =
    dyn Fn(&mut dyn Any, &Arguments) -> Result<Future, CallError> + Send + Sync;

/// How a function does its work.
pub(crate) enum Body {
    /// On the worker, at once.
    Plain {
        call: Box<Plain>,
        is_pure: bool,
    },
    /// The coroutine waits, the worker does not.
    Waiting(Box<Begin>),
    /// A constructor of the function's class.
    Make(Box<Make>),
    Method(Box<Method>),
    /// A method for which the coroutine waits.
    WaitingMethod(Box<BeginMethod>),
}

pub(crate) struct Function {
    pub(crate) name: Box<str>,
    /// With the name of its module: what policies and errors call it.
    pub(crate) full_name: Box<str>,
    /// The number of its class in the module, for constructors and methods.
    pub(crate) class: Option<u16>,
    body: Option<Body>,
}

impl Function {
    pub(crate) fn new(name: &str, full_name: String, class: Option<u16>, body: Body) -> Function {
        Function { name: name.into(), full_name: full_name.into(), class, body: Some(body) }
    }

    pub(crate) fn is_method(&self) -> bool {
        matches!(self.body(), Body::Method(_) | Body::WaitingMethod(_))
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

pub(super) fn encoded<R: IntoPayload>(returned: Result<R, Failure>) -> Result<Done, CallError> {
    let returned = returned.map_err(|failure| CallError::Failed(failure.into()))?;
    returned.into_payload().map(Done::Values).map_err(CallError::Results)
}
