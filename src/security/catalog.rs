//! `Catalog`: the policies of a node and the scopes of their groups, fixed from the start.

use std::collections::HashMap;

use super::{Policy, Scope};
use crate::sync::Arc;

/// Policies by id, and scopes by group.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    policies: HashMap<String, Arc<Policy>>,
    groups: HashMap<String, Arc<Scope>>,
}

impl Catalog {
    /// Creates a catalog from policies, each with its id and its groups.
    pub(crate) fn new<'a, G>(policies: impl IntoIterator<Item = (&'a str, Arc<Policy>, G)>) -> Self
    where
        G: IntoIterator<Item = &'a str>,
    {
        let mut catalog = Catalog::default();
        let mut members: HashMap<&str, Vec<Arc<Policy>>> = HashMap::new();
        for (id, policy, groups) in policies {
            for group in groups {
                members.entry(group).or_default().push(policy.clone());
            }
            catalog.policies.insert(id.to_owned(), policy);
        }
        let scope =
            |(group, members): (&str, Vec<_>)| (group.to_owned(), Arc::new(Scope::new(members)));
        catalog.groups = members.into_iter().map(scope).collect();
        catalog
    }

    pub(crate) fn policy(&self, id: &str) -> Option<&Arc<Policy>> {
        self.policies.get(id)
    }

    /// Returns the scope with all policies of a group.
    pub(crate) fn group(&self, id: &str) -> Option<&Arc<Scope>> {
        self.groups.get(id)
    }

    /// Returns the scope of a service that lists these groups and policies; `None` if it lists
    /// none. A group or policy that does not exist contributes no policy, but counts as listed.
    pub(crate) fn scope<'a>(
        &self,
        groups: impl IntoIterator<Item = &'a str>,
        policies: impl IntoIterator<Item = &'a str>,
    ) -> Option<Scope> {
        let mut is_listed = false;
        let mut members = Vec::new();
        for group in groups {
            is_listed = true;
            members.extend(self.group(group).into_iter().flat_map(|scope| scope.policies()));
        }
        for policy in policies {
            is_listed = true;
            members.extend(self.policy(policy));
        }
        is_listed.then(|| Scope::new(members.into_iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{Effect, Pattern};

    fn catalog() -> Catalog {
        let policy = |id: &str| {
            Arc::new(Policy {
                id: id.into(),
                actions: vec![Pattern::new("*")],
                resources: vec![Pattern::new("*")],
                effect: Effect::Allow,
                conditions: Vec::new(),
            })
        };
        Catalog::new([
            ("app:a", policy("app:a"), vec!["app:one", "app:two"]),
            ("app:b", policy("app:b"), vec!["app:one"]),
            ("app:c", policy("app:c"), vec![]),
        ])
    }

    fn ids(scope: &Scope) -> Vec<&[u8]> {
        let mut ids: Vec<&[u8]> = scope.policies().iter().map(|policy| &policy.id[..]).collect();
        ids.sort();
        ids
    }

    #[test]
    fn groups_collect_their_policies() {
        let catalog = catalog();
        assert_eq!(
            catalog.group("app:one").map(|scope| ids(scope)),
            Some(vec![&b"app:a"[..], b"app:b"])
        );
        assert_eq!(catalog.group("app:two").map(|scope| ids(scope)), Some(vec![&b"app:a"[..]]));
        assert!(catalog.group("app:three").is_none() && catalog.policy("app:d").is_none());
    }

    #[test]
    fn a_scope_is_the_union_of_what_is_listed() {
        let catalog = catalog();
        let scope = catalog.scope(["app:one"], ["app:a", "app:c"]).expect("something is listed");
        assert_eq!(ids(&scope), [b"app:a", b"app:b", b"app:c"], "each once");
        let scope = catalog.scope(["app:gone"], []).expect("listed, although it does not exist");
        assert!(scope.policies().is_empty());
        let scope = catalog.scope([], ["app:gone"]).expect("listed, although it does not exist");
        assert!(scope.policies().is_empty());
        assert!(catalog.scope([], []).is_none());
    }
}
