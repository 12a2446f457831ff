//! Permission checks: whether the calling process may do something.
//!
//! Without an actor and a scope, the usual case, a check costs two loads. With them, a repeated
//! check is answered from the process's cache, without evaluating its policies.

use crate::api::caller::{Caller, Destination};
use crate::error::{ApiError, kind};
use crate::process::Process;
use crate::security::Action;
use crate::value::Value;

impl Caller<'_> {
    /// Whether the caller may do `action` on `resource`.
    pub(crate) fn may(&mut self, action: Action, resource: &[u8]) -> bool {
        let Process { context, permissions, node, id, .. } = &mut *self.process;
        if context.identity.complete().is_none() {
            return !node.is_strict;
        }
        permissions.get_or_insert_default().get(action, resource, || {
            let own = Value::from(node.pid_text(*id).as_bytes());
            context.identity.allows(action, resource, vec![(Value::from("pid"), own)])
        })
    }

    /// Like [`Caller::may`], with one more attribute; the answer is not cached.
    pub(crate) fn may_with(
        &self,
        action: Action,
        resource: &[u8],
        attribute: (&str, &[u8]),
    ) -> bool {
        let Process { context, node, id, .. } = &*self.process;
        if context.identity.complete().is_none() {
            return !node.is_strict;
        }
        let own = Value::from(node.pid_text(*id).as_bytes());
        let more = (Value::from(attribute.0), Value::from(attribute.1));
        context.identity.allows(action, resource, vec![(Value::from("pid"), own), more])
    }

    /// Fails with `not allowed to <what>: <resource>` if the caller may not do it.
    pub(crate) fn require(
        &mut self,
        action: Action,
        resource: &[u8],
        what: &str,
    ) -> Result<(), ApiError> {
        if self.may(action, resource) { Ok(()) } else { Err(denied(what, resource)) }
    }

    /// Like [`Caller::require`], for the PID of a destination that was given as `text`. For a PID
    /// that names no process, the check uses the text as it was given.
    pub(crate) fn require_on(
        &mut self,
        action: Action,
        destination: &Destination,
        text: &[u8],
        what: &str,
    ) -> Result<(), ApiError> {
        let is_allowed = match destination {
            Destination::Alive(process) => {
                let pid = self.process.node.pid_text(*process);
                self.may(action, pid.as_bytes())
            }
            Destination::Gone { .. } => self.may(action, text),
        };
        if is_allowed { Ok(()) } else { Err(denied(what, text)) }
    }
}

/// Returns the error for an action that the policies do not allow.
pub(crate) fn denied(what: &str, resource: &[u8]) -> ApiError {
    let resource = String::from_utf8_lossy(resource);
    ApiError::new(kind::PERMISSION_DENIED, format!("not allowed to {what}: {resource}"))
}
