//! `Problem`: one finding of the loader, at a line of a file.

use std::fmt;
use std::path::{Path, PathBuf};

use super::EntryId;
use super::scalar::Remark;
use super::source::Loaded;
use crate::escape;
use crate::vm::lua::bytecode::SyntaxError;

/// The severity of a problem: whether it makes something unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something cannot be used as it is written.
    Error,
    /// Everything works, but probably not as meant.
    Warning,
}

/// One problem of an application, with its place.
///
/// Its text is `file:line: message`, or `file: message` without a line. The message of a warning
/// has the prefix `warning: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the problem makes something unusable.
    pub severity: Severity,
    /// The file, as a path that begins with the root as it was passed to the loader.
    pub file: PathBuf,
    /// The line, counted from 1; `None` if the problem is not at a particular line.
    pub line: Option<u32>,
    /// The problem, described in one line.
    pub message: String,
    /// The entry that has the problem, if it is an entry with an id.
    pub entry: Option<EntryId>,
}

impl Problem {
    /// Returns the sort key of a problem: problems are listed in the order of files and lines.
    pub(super) fn position(&self) -> (&PathBuf, Option<u32>, Severity, &str) {
        (&self.file, self.line, self.severity, &self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        // The text stays on one line, whatever characters the names of files and entries contain.
        write!(f, "{}", escape::one_line(self.file.as_os_str().as_encoded_bytes()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {prefix}{}", escape::one_line(&self.message))
    }
}

/// Collects the problems of one entry while it is read. The first error becomes the reason why the
/// entry cannot be used.
pub(super) struct Report<'a> {
    file: &'a Path,
    id: &'a EntryId,
    problems: &'a mut Vec<Problem>,
    reason: Option<(String, (PathBuf, u32))>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a Path, id: &'a EntryId, problems: &'a mut Vec<Problem>) -> Self {
        Report { file, id, problems, reason: None }
    }

    pub(super) fn error(&mut self, line: u32, message: impl Into<String>) {
        let message = message.into();
        self.reason.get_or_insert_with(|| (message.clone(), (self.file.to_owned(), line)));
        self.push(Severity::Error, self.file, line, message);
    }

    /// Reports an error in the entry's Lua code, which may be in another file. The reason carries
    /// the position in the form that Lua uses. If the lines of the source are not lines of the
    /// file, `line` is the line of the whole source.
    pub(super) fn syntax_error(
        &mut self,
        file: &Path,
        line: Option<u32>,
        shown: &str,
        error: &SyntaxError,
    ) {
        self.reason.get_or_insert_with(|| {
            let reason = format!("{shown}:{}: {}", error.line, error.message);
            (reason, (file.to_owned(), line.unwrap_or(error.line)))
        });
        let message = match line {
            Some(_) => format!("in line {} of the source: {}", error.line, error.message),
            None => error.message.clone(),
        };
        self.push(Severity::Error, file, line.unwrap_or(error.line), message);
    }

    /// Reports a remark about how a value is written.
    pub(super) fn remark(&mut self, line: u32, remark: Remark) {
        match remark.severity {
            Severity::Error => self.error(line, remark.message),
            Severity::Warning => self.warning(line, remark.message),
        }
    }

    pub(super) fn warning(&mut self, line: u32, message: impl Into<String>) {
        self.push(Severity::Warning, self.file, line, message.into());
    }

    /// Reports a warning about a line of an entry's Lua code, counted from 1.
    pub(super) fn warning_in(&mut self, code: &Loaded, line: u32, message: String) {
        let file = code.file.as_deref().unwrap_or(self.file);
        let line = code.first_line.map_or(code.line, |first| first.saturating_add(line - 1));
        self.push(Severity::Warning, file, line, message);
    }

    /// Returns whether an error has been reported.
    pub(super) fn has_errors(&self) -> bool {
        self.reason.is_some()
    }

    /// Returns the reason and the position of the first error, if there was one.
    pub(super) fn into_reason(self) -> Option<(String, (PathBuf, u32))> {
        self.reason
    }

    fn push(&mut self, severity: Severity, file: &Path, line: u32, message: String) {
        let (file, entry) = (file.to_owned(), Some(self.id.clone()));
        self.problems.push(Problem { severity, file, line: Some(line), message, entry });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_errors_and_warnings() {
        let mut problem = Problem {
            severity: Severity::Error,
            file: "app/_index.yaml".into(),
            line: Some(7),
            message: "no such thing".into(),
            entry: None,
        };
        assert_eq!(problem.to_string(), "app/_index.yaml:7: no such thing");
        problem.severity = Severity::Warning;
        assert_eq!(problem.to_string(), "app/_index.yaml:7: warning: no such thing");
        problem.line = None;
        assert_eq!(problem.to_string(), "app/_index.yaml: warning: no such thing");
        problem.file = "app/a\nb\u{1b}[2J.yaml".into();
        problem.message = "\u{202e}of \\ \r".into();
        let expected = "app/a\\nb\\x1b[2J.yaml: warning: \\u{202e}of \\ \\r";
        assert_eq!(problem.to_string(), expected);
    }
}
