//! Suggestions for names that do not exist.

/// The maximum number of differing letters between a text and the suggested name.
const DISTANCE_MAX: usize = 2;
/// The number of letters of the text per allowed difference: short names are all similar to each
/// other.
const LETTERS_PER_MISTAKE: usize = 3;

/// Returns the known name that is nearest to a text, if one is near enough. The distance counts
/// letters omitted, added, replaced or exchanged with their neighbours (Damerau-Levenshtein). Of
/// several equally near names, the first is returned.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = DISTANCE_MAX.min(text.chars().count() / LETTERS_PER_MISTAKE);
    let distance = |name: &str| match name.eq_ignore_ascii_case(text) {
        true => 0,
        // Only names of similar length are compared letter by letter, because the text may be as
        // long as a file.
        false if name.len().abs_diff(text.len()) > 4 * DISTANCE_MAX => usize::MAX,
        false => strsim::damerau_levenshtein(text, name),
    };
    let known = known.into_iter().filter(|name| *name != text);
    let (distance, name) = known.map(|name| (distance(name), name)).min_by_key(|(d, _)| *d)?;
    (distance <= allowed).then_some(name)
}

/// Returns a text such as `; did you mean auto_start?`, or an empty one.
pub(crate) fn hint<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, known).map_or(String::new(), |name| format!("; did you mean {name}?"))
}

/// Returns a list such as `a, b and 7 more` with the first of many names.
pub(crate) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    /// The maximum number of names in the list; a longer list is hard to read in one line.
    const SHOWN_MAX: usize = 12;
    let more = names.len().saturating_sub(SHOWN_MAX);
    let shown: Vec<_> = names.take(SHOWN_MAX).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["auto_start", "max_processes", "time", "io", "entries"];

    #[test]
    fn slips_are_understood() {
        for (text, meant) in [
            ("autostart", "auto_start"),
            ("max_proceses", "max_processes"),
            ("entreis", "entries"),
            ("tiem", "time"),
            ("Time", "time"),
            ("IO", "io"),
        ] {
            assert_eq!(nearest(text, KNOWN), Some(meant), "{text}");
        }
    }

    #[test]
    fn other_words_are_left_alone() {
        for text in ["", "x", "on", "ir", "tome_zone", "started", &"a".repeat(100_000)] {
            assert_eq!(nearest(text, KNOWN), None, "{text}");
        }
        assert_eq!(nearest("time", KNOWN), None, "it is there");
        assert_eq!(hint("tiem", KNOWN), "; did you mean time?");
        assert_eq!(hint("zzz", KNOWN), "");
    }

    #[test]
    fn long_lists_end() {
        assert_eq!(list(["a", "b"].into_iter()), "a, b");
        let many = ["a"; 20];
        assert!(list(many.into_iter()).ends_with("a and 8 more"));
    }
}
