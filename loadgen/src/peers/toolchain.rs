//! Finds Erlang and Go on this machine and builds the peer programs in the session's folder.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::session::Session;

const ERLANG_SOURCE: &str = include_str!("../../peers/peers.erl");
const GO_SOURCE: &str = include_str!("../../peers/channels.go");

/// Where packages and installers put Erlang, in case it is not on PATH.
const ERLANG_FOLDERS: [&str; 2] = ["/usr/lib/erlang/bin", "/usr/local/lib/erlang/bin"];

/// The same for Go.
const GO_FOLDERS: [&str; 3] = ["/usr/local/go/bin", "/usr/lib/go/bin", "/snap/bin"];

/// Enough processes for every row; Erlang needs the number at its start.
const ERLANG_PROCESSES_MAX: &str = "5000000";

/// The built programs; `None` for a system that this machine does not have.
pub(super) struct Peers {
    pub(super) erlang: Option<Peer>,
    pub(super) go: Option<Peer>,
}

/// A program that takes a scenario and its sizes.
pub(super) struct Peer {
    program: PathBuf,
    /// The arguments before the scenario.
    arguments: Vec<String>,
    pub(super) version: String,
}

impl Peer {
    /// Runs a scenario once, with a warm-up run before it if asked for, and returns the last line
    /// that was printed.
    pub(super) fn run(
        &self,
        session: &Session,
        scenario: &str,
        sizes: &[u64],
        warms_up: bool,
    ) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(warms_up.then_some("--warmup")).arg(scenario);
        let printed = session.run(command.args(sizes.iter().map(u64::to_string)))?;
        Ok(printed.lines().last().unwrap_or_default().to_owned())
    }
}

/// Builds the available peers and reports the missing ones on stderr. Returns an error if a
/// compiler rejects a program.
pub(super) fn build(session: &Session) -> Result<Peers, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let erlang_folders = ERLANG_FOLDERS.map(PathBuf::from);
    let find_erlang = |name| find(name, &path, &erlang_folders);
    let erlang = match (find_erlang("erl"), find_erlang("erlc")) {
        (Some(erl), Some(erlc)) => Some(build_erlang(session, erl, &erlc)?),
        _ => {
            missing("Erlang", "`erl` and `erlc`", "erlang-base", &erlang_folders);
            None
        }
    };
    let root = env::var_os("GOROOT").map(|root| Path::new(&root).join("bin"));
    let go_folders: Vec<_> = root.into_iter().chain(GO_FOLDERS.map(PathBuf::from)).collect();
    let go = match find("go", &path, &go_folders) {
        Some(go) => Some(build_go(session, &go)?),
        None => {
            missing("Go", "`go`", "golang-go", &go_folders);
            None
        }
    };
    Ok(Peers { erlang, go })
}

fn missing(system: &str, programs: &str, package: &str, folders: &[PathBuf]) {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    eprintln!(
        "loadgen: no {system} to compare with: {programs} must be on PATH or in {}; the Debian \
         package {package} brings that",
        folders.join(", ")
    );
}

/// Returns the first file of that name on PATH, otherwise in the folders.
fn find(name: &str, path: &OsStr, folders: &[PathBuf]) -> Option<PathBuf> {
    let on_path = env::split_paths(path).filter(|folder| folder.is_absolute());
    on_path.chain(folders.iter().cloned()).map(|folder| folder.join(name)).find(|f| f.is_file())
}

fn build_erlang(session: &Session, erl: PathBuf, erlc: &Path) -> Result<Peer, String> {
    let source = write(session, "peers.erl", ERLANG_SOURCE)?;
    session
        .run(Command::new(erlc).arg("-o").arg(session.folder()).arg(source))
        .map_err(|error| format!("peers.erl cannot be built: {error}"))?;
    let release = "io:put_chars(erlang:system_info(otp_release)), halt().";
    let version = session.run(Command::new(&erl).args(["-noshell", "-eval", release]))?;
    let folder = session.folder().display().to_string();
    let arguments = ["+P", ERLANG_PROCESSES_MAX, "-noshell", "-pa", &folder, "-s", "peers", "main"];
    let mut arguments = arguments.map(str::to_owned).to_vec();
    arguments.push("-extra".to_owned());
    Ok(Peer { program: erl, arguments, version: format!("Erlang/OTP {}", version.trim()) })
}

fn build_go(session: &Session, go: &Path) -> Result<Peer, String> {
    let source = write(session, "channels.go", GO_SOURCE)?;
    let program = session.folder().join("channels");
    // Uses only the toolchain that was found, and no modules.
    let go_command = || {
        let mut command = Command::new(go);
        command.env("GOTOOLCHAIN", "local").env("GOFLAGS", "").env("GO111MODULE", "off");
        command
    };
    session
        .run(go_command().arg("build").arg("-o").arg(&program).arg(source))
        .map_err(|error| format!("channels.go cannot be built: {error}"))?;
    let version = session.run(go_command().args(["env", "GOVERSION"]))?;
    let version = version.trim().replace("go", "Go ");
    Ok(Peer { program, arguments: Vec::new(), version })
}

fn write(session: &Session, name: &str, content: &str) -> Result<PathBuf, String> {
    let path = session.folder().join(name);
    fs::write(&path, content)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_comes_before_the_usual_folders() {
        let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let usual = [second.path().to_owned()];
        let path = env::join_paths([Path::new("relative"), first.path()]).unwrap();
        assert_eq!(find("erl", &path, &usual), None);
        fs::write(second.path().join("erl"), "").unwrap();
        assert_eq!(find("erl", &path, &usual), Some(second.path().join("erl")));
        fs::write(first.path().join("erl"), "").unwrap();
        assert_eq!(find("erl", &path, &usual), Some(first.path().join("erl")));
        assert_eq!(find("erl", OsStr::new(""), &[]), None);
    }
}
