//! The groups of a result that the page shows, each with the group to which it is compared.

use crate::report::label;
use crate::report::pair::{self, Group};
use crate::report::result::ResultFile;

/// A group as the page shows it.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Unique among all entries.
    pub(super) label: String,
    pub(super) group: Group<'a>,
    /// The corresponding group of the baseline, and what else differs there.
    pub(super) before: Option<(Group<'a>, Vec<String>)>,
}

/// Returns the groups of a result, in the order of the runs.
pub(super) fn entries<'a>(
    result: &'a ResultFile,
    baseline: Option<&'a ResultFile>,
) -> Vec<Entry<'a>> {
    let groups = pair::groups(result);
    let labels = label::labels(&groups.iter().collect::<Vec<_>>());
    let mut pairs = baseline.map_or(Vec::new(), |baseline| pair::pair(baseline, result).pairs);
    let entry = |(group, label): (Group<'a>, String)| {
        let is_own = |pair: &pair::Pair<'_>| std::ptr::eq(pair.after.runs[0], group.runs[0]);
        let pair = pairs.iter().position(is_own).map(|index| pairs.swap_remove(index));
        Entry { label, group, before: pair.map(|pair| (pair.before, pair.differences)) }
    };
    groups.into_iter().zip(labels).map(entry).collect()
}

/// What distinguishes the entry from others of its scenario.
pub(super) fn short_label(entry: &Entry<'_>) -> String {
    let name = entry.label.strip_prefix(entry.group.scenario()).unwrap_or(&entry.label);
    match name.trim_matches([' ', '(', ')']) {
        "" => "this run".to_owned(),
        name => name.to_owned(),
    }
}

/// The same for an entry of the baseline.
pub(super) fn baseline_label(entry: &Entry<'_>) -> String {
    match short_label(entry).as_str() {
        "this run" => "baseline".to_owned(),
        name => format!("{name}, baseline"),
    }
}
