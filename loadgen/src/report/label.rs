//! Labels of groups where several are shown: the scenario, and what distinguishes the group from
//! others.

use super::pair::Group;

/// Returns a label per group, in their order: the scenario's name, followed by those sizes and
/// workers in which groups of the same scenario differ.
pub(crate) fn labels(groups: &[&Group<'_>]) -> Vec<String> {
    groups.iter().map(|group| label(group, groups)).collect()
}

fn label(group: &Group<'_>, all: &[&Group<'_>]) -> String {
    let same: Vec<_> = all.iter().filter(|other| other.scenario() == group.scenario()).collect();
    let mut details = Vec::new();
    for (name, size) in &group.runs[0].params {
        if same.iter().any(|other| other.runs[0].params.get(name) != Some(size)) {
            details.push(format!("{name} {size}"));
        }
    }
    if same.iter().any(|other| other.workers() != group.workers()) {
        details.push(workers(group.workers()));
    }
    match details.is_empty() {
        true => group.scenario().to_owned(),
        false => format!("{} ({})", group.scenario(), details.join(", ")),
    }
}

/// `1 worker`, `2 workers`.
pub(crate) fn workers(count: usize) -> String {
    match count {
        1 => "1 worker".to_owned(),
        count => format!("{count} workers"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::RunResult;
    use super::*;

    #[test]
    fn only_differences_are_shown() {
        let run = |scenario: &str, workers, size| RunResult {
            scenario: scenario.to_owned(),
            workers,
            params: [("size".to_owned(), size), ("hops".to_owned(), 5)].into(),
            ..RunResult::default()
        };
        let runs = [run("ring", 1, 10), run("ring", 2, 10), run("ring", 2, 20), run("steal", 2, 1)];
        let groups: Vec<_> = runs.iter().map(|run| Group { runs: vec![run] }).collect();
        let groups: Vec<_> = groups.iter().collect();
        assert_eq!(
            labels(&groups),
            [
                "ring (size 10, 1 worker)",
                "ring (size 10, 2 workers)",
                "ring (size 20, 2 workers)",
                "steal"
            ]
        );
        assert_eq!(labels(&groups[..2])[1], "ring (2 workers)");
    }
}
