//! `Policy`: one rule.

use super::{Condition, Decision, Pattern, Request};

/// The decision of a policy that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// One rule with actions, resources, an effect and conditions.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// The entry id.
    pub(crate) id: Vec<u8>,
    pub(crate) actions: Vec<Pattern>,
    pub(crate) resources: Vec<Pattern>,
    pub(crate) effect: Effect,
    /// The conditions, all of which must hold.
    pub(crate) conditions: Vec<Condition>,
}

impl Policy {
    /// Returns the effect if the policy applies. A condition that cannot be evaluated grants
    /// nothing and denies nothing.
    pub(crate) fn evaluate(&self, request: &Request<'_>) -> Decision {
        let applies = self.actions.iter().any(|pattern| pattern.matches(request.action))
            && self.resources.iter().any(|pattern| pattern.matches(request.resource))
            && self.conditions.iter().all(|condition| condition.holds(request));
        match self.effect {
            _ if !applies => Decision::Undefined,
            Effect::Allow => Decision::Allow,
            Effect::Deny => Decision::Deny,
        }
    }
}
