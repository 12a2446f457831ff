//! The context that a process inherits from its spawner: context values, actor and scope.

use std::ops::Deref;

use crate::payload::Payload;
use crate::security::Identity;
use crate::sync::Arc;

/// A context as a process holds it. `None` stands for the empty context, which most processes have:
/// all workers would contend for one shared reference count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited(Option<Arc<Context>>);

static EMPTY: Context =
    Context { values: Vec::new(), identity: Identity { actor: None, scope: None } };

impl From<Context> for Inherited {
    fn from(context: Context) -> Self {
        Inherited(Some(Arc::new(context)))
    }
}

impl Deref for Inherited {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

/// Context values by key, sorted, and the identity. Immutable: child processes share it, and the
/// spawn builder makes a changed copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    values: Vec<(Box<[u8]>, Payload)>,
    pub(crate) identity: Identity,
}

impl Context {
    /// A context with an identity and no values.
    pub(crate) fn acting_as(identity: Identity) -> Self {
        Context { values: Vec::new(), identity }
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Payload> {
        let place = self.values.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(&self.values[place].1)
    }

    /// Sets a value.
    pub(crate) fn set(&mut self, key: &[u8], value: Payload) {
        match self.values.binary_search_by(|(other, _)| (**other).cmp(key)) {
            Ok(place) => self.values[place].1 = value,
            Err(place) => self.values.insert(place, (key.into(), value)),
        }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&[u8], &Payload)> {
        self.values.iter().map(|(key, value)| (&**key, value))
    }

    /// Returns this context with the values, the actor and the scope of `other` in place of its own
    /// where `other` has them.
    pub(crate) fn overlaid(&self, other: &Context) -> Context {
        let mut result = self.clone();
        for (key, value) in other.values() {
            result.set(key, value.clone());
        }
        let Identity { actor, scope } = &other.identity;
        if actor.is_some() {
            result.identity.actor.clone_from(actor);
        }
        if scope.is_some() {
            result.identity.scope.clone_from(scope);
        }
        result
    }
}
