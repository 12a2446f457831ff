//! `Problem`: one finding of the loader, at a line of a file.

use std::fmt;
use std::path::{Path, PathBuf};

use super::EntryId;
use super::scalar::Remark;
use super::source::Loaded;
use crate::escape;
use crate::vm::lua::bytecode::SyntaxError;

/// Says whether a problem makes something unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something cannot be used as it is written.
    Error,
    /// Everything works, but probably not as meant.
    Warning,
}

/// Reports one thing that is wrong with an application and where.
///
/// Its text is `file:line: message`, or `file: message` without a line, with `warning: ` in front of
/// the message of a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Says whether something is unusable because of it.
    pub severity: Severity,
    /// Names the file, beginning with the root as it was given to the loader.
    pub file: PathBuf,
    /// Counts lines from 1; `None` where no line is to blame.
    pub line: Option<u32>,
    /// Describes the problem in one line.
    pub message: String,
    /// Names the entry it belongs to, if it belongs to one that has an id.
    pub entry: Option<EntryId>,
}

impl Problem {
    /// The order in which problems are listed: as a reader of the files meets them.
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
        // In one line, whatever files and entries are called.
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

    /// Reports an error in the entry's Lua code, which may be in another file. The reason carries the
    /// position as Lua gives it. Where the lines of the source are none of the file, `line` is that
    /// of the whole source.
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

    /// Reports what is to be said about how values are written.
    pub(super) fn remark(&mut self, line: u32, remark: Remark) {
        match remark.severity {
            Severity::Error => self.error(line, remark.message),
            Severity::Warning => self.warning(line, remark.message),
        }
    }

    pub(super) fn warning(&mut self, line: u32, message: impl Into<String>) {
        self.push(Severity::Warning, self.file, line, message.into());
    }

    /// Warns of a line of an entry's Lua code, counted from 1.
    pub(super) fn warning_in(&mut self, code: &Loaded, line: u32, message: String) {
        let file = code.file.as_deref().unwrap_or(self.file);
        let line = code.first_line.map_or(code.line, |first| first.saturating_add(line - 1));
        self.push(Severity::Warning, file, line, message);
    }

    /// Tells whether there was an error so far.
    pub(super) fn has_errors(&self) -> bool {
        self.reason.is_some()
    }

    /// Returns the reason of the first error and where it is, if there was one.
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
