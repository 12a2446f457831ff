//! Determines what a command line asks to run, and whether it exists.

use std::path::Path;

use crate::app::{Application, Entry, EntryId, EntryKind, Severity};

use super::run::RunArguments;
use crate::nearest;

/// Exit status when something that should have started did not, or failed.
pub(super) const STATUS_FAILED: u8 = 1;
/// Exit status when the command line asks for something that does not exist.
pub(super) const STATUS_ABSENT: u8 = 2;
/// The host of an application that defines none.
const IMPLICIT_HOST: &str = "app:processes";

/// The action that a command line asks for.
pub(super) enum Plan {
    /// Run this definition on this host.
    Entry { id: String, host: String },
    /// Run the services until they have ended. `is_whole` is false if the application has errors
    /// outside its entries, such as a file that could not be read.
    Services { is_whole: bool },
}

/// The reason why nothing is run.
pub(super) struct Refusal {
    pub(super) status: u8,
    /// The message; empty if the problems of the application already explain the refusal.
    pub(super) text: String,
}

impl Plan {
    /// Determines the action that the arguments ask for.
    pub(super) fn new(
        application: &Application,
        arguments: &RunArguments,
    ) -> Result<Plan, Refusal> {
        let problems = application.problems();
        if application.defined_count() == 0 && !problems.is_empty() {
            // The listed problems are the reason.
            let status =
                if is_absent(application, &arguments.app) { STATUS_ABSENT } else { STATUS_FAILED };
            return Err(Refusal { status, text: String::new() });
        }
        let warnings =
            problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
        if arguments.strict && warnings > 0 {
            let warnings = match warnings {
                1 => "1 warning".to_owned(),
                count => format!("{count} warnings"),
            };
            let text = format!("moonlet: nothing is run: --strict counts {warnings} as errors");
            return Err(Refusal { status: STATUS_FAILED, text });
        }
        match &arguments.exec {
            Some(id) => entry(application, id, arguments.host.as_deref()),
            None => services(application, &arguments.app),
        }
    }
}

/// Returns whether there is no application at all: the folder is missing, or no file in it belongs
/// to an application.
pub(super) fn is_absent(application: &Application, folder: &Path) -> bool {
    let problems = application.problems();
    application.defined_count() == 0
        && !problems.is_empty()
        && problems.iter().all(|problem| problem.file == folder)
}

fn absent(text: String) -> Refusal {
    Refusal { status: STATUS_ABSENT, text: format!("moonlet: {text}") }
}

fn entry(application: &Application, id: &str, host: Option<&str>) -> Result<Plan, Refusal> {
    let find = |id: &str| application.entries().find(|entry| entry.id.as_str() == id);
    let found = find(id);
    if !found.is_some_and(|entry| matches!(entry.kind, EntryKind::Process(_))) {
        let known = known(application, id, |entry| matches!(entry.kind, EntryKind::Process(_)));
        let why = match found {
            Some(Entry { kind: EntryKind::Other, .. }) => {
                "its kind is unknown here, and -x runs a process.lua".to_owned()
            }
            Some(entry) => format!("is a {}, and -x runs a process.lua", entry.kind.name()),
            None => "process definition not found".to_owned(),
        };
        return Err(absent(format!("{id}: {why}{known}")));
    }
    let is_host = |entry: &Entry| matches!(entry.kind, EntryKind::Host(_));
    let hosts: Vec<&EntryId> =
        application.entries().filter(|entry| is_host(entry)).map(|entry| &entry.id).collect();
    let host = match (host, &hosts[..]) {
        (Some(host), _) => host,
        (None, [only]) => only.as_str(),
        (None, several) if !several.is_empty() && find(IMPLICIT_HOST).is_none() => {
            let hosts = nearest::list(several.iter().map(|id| id.as_str()));
            return Err(absent(format!("{id}: which host? Give one by --host: {hosts}")));
        }
        (None, _) => IMPLICIT_HOST,
    };
    let Some(found) = find(host).filter(|entry| is_host(entry)) else {
        let known = known(application, host, is_host);
        return Err(absent(format!("{id}: host not found: {host}{known}")));
    };
    let why = match &found.problem {
        Some(problem) => Some(format!("is in error: {problem}")),
        None if application.start_order().concat().contains(&found.id) => None,
        None => Some("does not start; give it `lifecycle: { auto_start: true }`".to_owned()),
    };
    if let Some(why) = why {
        let text = format!("moonlet: {id}: its host {host} {why}");
        return Err(Refusal { status: STATUS_FAILED, text });
    }
    Ok(Plan::Entry { id: id.to_owned(), host: host.to_owned() })
}

fn services(application: &Application, folder: &Path) -> Result<Plan, Refusal> {
    let is_whole = !application
        .problems()
        .iter()
        .any(|problem| problem.severity == Severity::Error && problem.entry.is_none());
    // A host alone does nothing, but a host that should have started and cannot must be reported.
    let is_to_run = |entry: &Entry| {
        let starts = entry.lifecycle().is_some_and(|lifecycle| lifecycle.auto_start);
        starts && (entry.problem.is_some() || !matches!(entry.kind, EntryKind::Host(_)))
    };
    if !is_whole || application.entries().any(is_to_run) {
        return Ok(Plan::Services { is_whole });
    }
    let folder = folder.display();
    let mut text = format!("nothing to run in {folder}: no service has `auto_start: true`");
    let definitions = listed(application, |entry| matches!(entry.kind, EntryKind::Process(_)));
    if !definitions.is_empty() {
        text += &format!("; -x runs one of: {definitions}");
    }
    let services = listed(application, |entry| matches!(entry.kind, EntryKind::Service(_)));
    if !services.is_empty() {
        text += &format!("; services without it: {services}");
    }
    Err(absent(text))
}

/// Returns a suggestion of what was meant, if there is one, and the existing ids.
fn known(application: &Application, asked: &str, is_meant: impl Fn(&Entry) -> bool) -> String {
    let ids: Vec<&str> = ids(application, is_meant);
    // An id whose name part is `asked` is a better suggestion than the one nearest by letters.
    let whole = ids.iter().copied().find(|id| {
        !asked.contains(':') && id.rsplit_once(':').is_some_and(|(_, name)| name == asked)
    });
    let hint = match whole {
        Some(id) => format!("; did you mean {id}?"),
        None => nearest::hint(asked, ids.iter().copied()),
    };
    match ids.is_empty() {
        true => "; there is none".to_owned(),
        false => format!("{hint}; known: {}", nearest::list(ids.into_iter())),
    }
}

/// Returns the ids of some entries as a list for people.
fn listed(application: &Application, is_meant: impl Fn(&Entry) -> bool) -> String {
    nearest::list(ids(application, is_meant).into_iter())
}

fn ids(application: &Application, is_meant: impl Fn(&Entry) -> bool) -> Vec<&str> {
    let entries = application.entries().filter(|entry| is_meant(entry));
    entries.map(|entry| entry.id.as_str()).collect()
}
