//! One function of a native module.

use std::mem;

use super::quietly;
use crate::payload::{Arguments, DecodeError, EncodeError, FromPayload, IntoPayload, Results};
use crate::value::Failure;

/// Why a call has no results.
pub(crate) enum CallError {
    /// The arguments are not what the function takes.
    Arguments(DecodeError),
    /// The function returned an error.
    Failed(Box<Failure>),
    /// What the function returned is no value of Lua.
    Results(EncodeError),
}

/// Reads arguments from the stack, and pushes results.
pub(crate) type Plain = dyn Fn(&Arguments, &mut Results) -> Result<(), CallError> + Send + Sync;

/// How a function does its work.
pub(crate) enum Body {
    /// On the worker, at once.
    Plain { call: Box<Plain>, is_pure: bool },
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
