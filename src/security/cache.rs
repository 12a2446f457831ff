//! Cache of the policy decisions for one process.

use std::collections::HashMap;

use super::Action;

/// The maximum number of resources in the cache; when it is reached, the cache is cleared.
const RESOURCES_MAX: usize = 1024;

/// The maximum length of a resource that is cached, in bytes. No PID and hardly any id is longer,
/// and texts that a script makes up must not fill memory that its host's limit does not count.
const RESOURCE_BYTES_MAX: usize = 256;

/// Cached decisions by resource, with one bit per action. The policies of a process never change,
/// so an entry is valid for the lifetime of the process.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    answers: HashMap<Box<[u8]>, Answers>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    known: u32,
    allowed: u32,
}

impl Cache {
    /// Returns the decision for an action on a resource; calls `decide` only if it is not cached.
    pub(crate) fn get(
        &mut self,
        action: Action,
        resource: &[u8],
        decide: impl FnOnce() -> bool,
    ) -> bool {
        if resource.len() > RESOURCE_BYTES_MAX {
            return decide();
        }
        let bit = action.bit();
        if let Some(answers) = self.answers.get(resource)
            && answers.known & bit != 0
        {
            return answers.allowed & bit != 0;
        }
        let is_allowed = decide();
        if self.answers.len() >= RESOURCES_MAX {
            self.answers.clear();
        }
        let answers = self.answers.entry(resource.into()).or_default();
        answers.known |= bit;
        if is_allowed {
            answers.allowed |= bit;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_decided_once() {
        let mut cache = Cache::default();
        assert!(cache.get(Action::Send, b"a", || true));
        assert!(cache.get(Action::Send, b"a", || unreachable!("it is known")));
        assert!(!cache.get(Action::Link, b"a", || false), "another action");
        assert!(!cache.get(Action::Link, b"a", || unreachable!("it is known")));
        assert!(!cache.get(Action::Send, b"b", || false), "another resource");
    }

    #[test]
    fn long_resources_are_decided_each_time() {
        let mut cache = Cache::default();
        let longest = [b'x'; RESOURCE_BYTES_MAX];
        assert!(cache.get(Action::Send, &longest, || true));
        assert!(cache.get(Action::Send, &longest, || unreachable!("it is known")));
        let long = [b'x'; RESOURCE_BYTES_MAX + 1];
        assert!(cache.get(Action::Send, &long, || true));
        assert!(!cache.get(Action::Send, &long, || false));
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut cache = Cache::default();
        for number in 0..3 * RESOURCES_MAX {
            cache.get(Action::Send, number.to_string().as_bytes(), || true);
        }
        assert!(cache.answers.len() <= RESOURCES_MAX);
    }
}
