//! Permissions: actors, scopes of policies, and cached decisions.
//!
//! This folder does not depend on Lua or on processes. `policy.rs` defines one rule, `pattern.rs`
//! and `condition.rs` its parts, `catalog.rs` holds all rules of a node, and `cache.rs` the
//! decisions for one process. Everything except the cache is immutable once created, and shared by
//! reference. A process never changes its own identity, so a decision is valid for the lifetime of
//! the process.

mod action;
mod cache;
mod catalog;
mod condition;
mod pattern;
mod policy;

pub(crate) use action::Action;
pub(crate) use cache::Cache;
pub(crate) use catalog::Catalog;
pub(crate) use condition::{Condition, ConditionError};
pub(crate) use pattern::Pattern;
pub(crate) use policy::{Effect, Policy};

use crate::sync::Arc;
use crate::value::Value;

/// The actor of a request: the identity on whose behalf a process acts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Actor {
    pub(crate) id: Vec<u8>,
    /// A table of plain data.
    pub(crate) meta: Value,
}

/// An immutable set of policies. The order carries no meaning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    policies: Vec<Arc<Policy>>,
}

/// The result of evaluating a policy, a scope, or a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    Deny,
    /// No policy applies.
    Undefined,
}

impl Decision {
    /// Returns the name of the decision in scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::Undefined => "undefined",
        }
    }
}

/// One request: whether `actor` may perform `action` on `resource`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) action: &'a [u8],
    pub(crate) resource: &'a [u8],
    /// A table of plain data.
    pub(crate) attributes: &'a Value,
}

impl Scope {
    /// Returns the size of the set in bytes, without the policies, which scopes share.
    pub(crate) fn size(&self) -> usize {
        size_of_val(self.policies.as_slice())
    }

    pub(crate) fn new(policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        let mut scope = Scope::default();
        for policy in policies {
            scope.add(policy);
        }
        scope
    }

    /// Adds a policy unless the scope has one with the same id.
    fn add(&mut self, policy: Arc<Policy>) {
        if !self.contains(&policy.id) {
            self.policies.push(policy);
        }
    }

    /// Returns a scope with one more policy.
    pub(crate) fn with(&self, policy: Arc<Policy>) -> Self {
        let mut scope = self.clone();
        scope.add(policy);
        scope
    }

    /// Returns a scope without the policy of this id.
    pub(crate) fn without(&self, id: &[u8]) -> Self {
        let stays = |policy: &&Arc<Policy>| policy.id != id;
        Scope { policies: self.policies.iter().filter(stays).cloned().collect() }
    }

    pub(crate) fn contains(&self, id: &[u8]) -> bool {
        self.policies.iter().any(|policy| policy.id == id)
    }

    pub(crate) fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    /// Evaluates all policies: any *deny* denies; otherwise any *allow* allows.
    pub(crate) fn evaluate(&self, request: &Request<'_>) -> Decision {
        let mut result = Decision::Undefined;
        for policy in &self.policies {
            match policy.evaluate(request) {
                Decision::Deny => return Decision::Deny,
                Decision::Allow => result = Decision::Allow,
                Decision::Undefined => {}
            }
        }
        result
    }
}

/// The actor and the scope of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) actor: Option<Arc<Actor>>,
    pub(crate) scope: Option<Arc<Scope>>,
}

impl Identity {
    /// Evaluates the policies of a complete identity: only an explicit permission allows.
    pub(crate) fn allows(
        &self,
        action: Action,
        resource: &[u8],
        attributes: Vec<(Value, Value)>,
    ) -> bool {
        let Some((actor, scope)) = self.complete() else { return false };
        let attributes = &Value::table(attributes);
        let request = Request { actor, action: action.name().as_bytes(), resource, attributes };
        scope.evaluate(&request) == Decision::Allow
    }

    /// Returns the actor and the scope, if the identity has both.
    pub(crate) fn complete(&self) -> Option<(&Actor, &Scope)> {
        Some((self.actor.as_deref()?, self.scope.as_deref()?))
    }
}
