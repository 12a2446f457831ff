//! The grammar of random programs: templates of expressions and statements, in `grammar.txt`.
//!
//! A section begins with its letter in brackets, a rule in the first column; a rule continues in
//! indented lines. In a rule, `$` and the letter of a section stand for one of the section's rules;
//! `$a` is a number, a text, a table or a boolean. `$N`, `$S`, `$T` and `$F` (a function) stand for
//! a variable in scope, `$i` for a digit, `$l` for a small number of loop rounds, `$B` for a block,
//! `$u` for the number of the statement. A prefix with a colon states the type of the value that
//! the statement stores in the variable `v$u`. The first rule of a section is the simplest: it is
//! taken when the choices are used up or the nesting is deep.
//!
//! The grammar leaves out everything that may differ between two VMs: addresses (`tostring` of a
//! table, the order of keys that are objects), random numbers without a seed, sorting of more than
//! a hundred values, and the time.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The type of a local variable's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Table,
    Function,
}

const KINDS: [(&str, Kind); 4] = [
    ("number: ", Kind::Number),
    ("text: ", Kind::Text),
    ("table: ", Kind::Table),
    ("function: ", Kind::Function),
];

/// One rule of the grammar.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub(super) text: String,
    /// The type of the value that the statement stores in its variable.
    pub(super) leaves: Option<Kind>,
}

/// Returns the rules of a section.
pub(super) fn rules(section: &str) -> &'static [Rule] {
    static RULES: LazyLock<HashMap<String, Vec<Rule>>> =
        LazyLock::new(|| parse(include_str!("grammar.txt")));
    RULES.get(section).unwrap_or_else(|| panic!("the grammar has no section {section:?}"))
}

fn parse(grammar: &str) -> HashMap<String, Vec<Rule>> {
    let mut sections = HashMap::new();
    let mut rules: &mut Vec<Rule> = &mut Vec::new();
    for line in grammar.lines().filter(|line| !line.is_empty()) {
        if let Some((section, _)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            rules = sections.entry(section.to_owned()).or_default();
        } else if let (true, Some(rule)) = (line.starts_with(' '), rules.last_mut()) {
            rule.text += "\n";
            rule.text += line;
        } else {
            let kind = KINDS.iter().find(|(prefix, _)| line.starts_with(prefix));
            let (prefix, leaves) = kind.map_or(("", None), |(prefix, kind)| (*prefix, Some(*kind)));
            rules.push(Rule { text: line[prefix.len()..].to_owned(), leaves });
        }
    }
    sections
}
