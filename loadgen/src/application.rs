//! An application of the user, one entry of which is put under load (`--app`): the options, and the
//! checks before anything is measured.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::engine::{Application, Call, Severity, Value};

/// Entries of this kind can be called.
const PROCESS: &str = "process.lua";
const HOST: &str = "process.host";

/// In how many letters an id may differ to be suggested.
const DISTANCE_MAX: usize = 2;

/// The most ids that an error lists.
const LISTED_MAX: usize = 8;

/// Which entry of which application, and how it is called.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "An application of your own, instead of the scenarios")]
pub(crate) struct AppArgs {
    /// Put an entry of the application in this folder under load: each request starts a process of
    /// it and waits for its end
    #[arg(long, value_name = "DIR", requires = "entry", conflicts_with = "chosen")]
    app: Option<PathBuf>,

    /// The entry, a process.lua whose main returns
    #[arg(long, value_name = "ID", requires = "app")]
    entry: Option<String>,

    /// The host of its processes [default: the only one, or app:processes]
    #[arg(long, value_name = "ID", requires = "app")]
    host: Option<String>,

    /// The arguments of main, as a JSON array
    #[arg(long, value_name = "JSON", requires = "app", value_parser = arguments)]
    args: Option<Arguments>,

    /// What each process must return, as JSON [default: anything but a failure]
    #[arg(long, value_name = "JSON", requires = "app", value_parser = value)]
    expect: Option<Value>,
}

/// The arguments of main.
#[derive(Debug, Clone, Default)]
struct Arguments(Vec<Value>);

fn arguments(text: &str) -> Result<Arguments, String> {
    let reason = |error: serde_json::Error| format!("not a JSON array of arguments: {error}");
    serde_json::from_str(text).map(Arguments).map_err(reason)
}

fn value(text: &str) -> Result<Value, String> {
    let reason = |error: serde_json::Error| {
        format!("not JSON: {error}; a text needs quotes inside of those of the shell")
    };
    serde_json::from_str(text).map_err(reason)
}

impl AppArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.app.is_some()
    }

    /// Loads the application, prints its warnings, and returns the call; `None` without `--app`.
    pub(crate) fn call(&self) -> Result<Option<Call>, String> {
        let (Some(folder), Some(entry)) = (&self.app, &self.entry) else { return Ok(None) };
        let application = loaded(folder)?;
        check(&application, folder, entry, PROCESS)?;
        if let Some(host) = &self.host {
            check(&application, folder, host, HOST)?;
        }
        Ok(Some(Call {
            folder: folder.clone(),
            entry: entry.clone(),
            host: self.host.clone(),
            arguments: self.args.clone().unwrap_or_default().0,
            expected: self.expect.clone(),
        }))
    }
}

/// Loads an application that has no errors.
fn loaded(folder: &Path) -> Result<Application, String> {
    let shown = folder.display();
    if !folder.is_dir() {
        let why = if folder.exists() { "is not a folder" } else { "is not there" };
        let hint = "--app takes the folder with the `_index.yaml` files of an application";
        return Err(format!("{shown} {why}; {hint}"));
    }
    let application = Application::load(folder);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        application.problems().iter().partition(|problem| problem.severity == Severity::Error);
    warnings.iter().for_each(|warning| eprintln!("loadgen: {warning}"));
    if errors.is_empty() {
        return Ok(application);
    }
    let errors: Vec<_> = errors.iter().map(|problem| format!("\n  {problem}")).collect();
    Err(format!("the application in {shown} has errors:{}", errors.concat()))
}

/// Refuses an id that is not one of an entry of this kind, and says which ones are.
fn check(application: &Application, folder: &Path, id: &str, kind: &str) -> Result<(), String> {
    let found = application.kinds().find(|(known, _)| known.as_str() == id);
    let of_kind = application.kinds().filter(|(_, found)| *found == kind);
    let ids: Vec<&str> = of_kind.map(|(known, _)| known.as_str()).collect();
    match found {
        Some((_, found)) if found == kind => Ok(()),
        Some((_, found)) => Err(format!("{id} is a {found}, not a {kind}{}", listed(&ids))),
        None => {
            let folder = folder.display();
            let meant = meant(id, &ids).map(|known| format!("; did you mean {known}?"));
            let advice = meant.unwrap_or_else(|| listed(&ids));
            Err(format!("{id} is not an entry of the application in {folder}{advice}"))
        }
    }
}

/// Returns the id that may have been meant, also if its namespace was left out.
fn meant<'a>(id: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| match known.rsplit_once(':') {
        Some((_, name)) if name == id => 0,
        _ => strsim::damerau_levenshtein(id, known),
    };
    let nearest = known.iter().map(|known| (distance(known), *known)).min_by_key(|(far, _)| *far);
    nearest.filter(|(far, _)| *far <= DISTANCE_MAX).map(|(_, known)| known)
}

fn listed(known: &[&str]) -> String {
    let rest = if known.len() > LISTED_MAX { ", ..." } else { "" };
    match known {
        [] => "; there is none".to_owned(),
        _ => format!("; there is {}{rest}", known[..known.len().min(LISTED_MAX)].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_suggested() {
        let known = ["shop:total", "shop:cart"];
        assert_eq!(meant("shop:totl", &known), Some("shop:total"));
        assert_eq!(meant("cart", &known), Some("shop:cart"));
        assert_eq!(meant("shop:list", &known), None);
        assert_eq!(listed(&known), "; there is shop:total, shop:cart");
        assert_eq!(listed(&[]), "; there is none");
    }

    #[test]
    fn arguments_are_an_array() {
        let Arguments(values) = arguments(r#"["sku", 3, 2.5, null, {"a": [1]}]"#).unwrap();
        assert_eq!(values[..3], ["sku".into(), Value::Integer(3), Value::Float(2.5)]);
        assert_eq!(values[3], Value::Nil);
        assert_eq!(values[4].get("a").and_then(|a| a.at(1)), Some(&Value::Integer(1)));
        assert!(arguments("3").unwrap_err().contains("not a JSON array of arguments"));
        assert!(value("paid").unwrap_err().contains("a text needs quotes"));
    }
}
