//! The command as a child process, and applications in temporary folders for it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use crate::support::PATIENCE;

/// How the command ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails unless this was the exit status.
    #[track_caller]
    pub(crate) fn with_status(self, status: i32) -> Ended {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }
}

/// A folder with an application; gone with this value.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Folder {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in the folder")).expect("writable");
            fs::write(path, text).expect("writable");
        }
        Folder(folder)
    }

    /// An application of processes, given by the names and the bodies of their main functions,
    /// and of further entries in YAML's flow form.
    pub(crate) fn with(processes: &[(&str, &str)], entries: &[&str]) -> Folder {
        let mut index = String::from("namespace: app\nentries:\n");
        let mut files = Vec::new();
        for (name, body) in processes {
            index += &format!(
                "- {{ name: {name}, kind: process.lua, source: 'file://{name}.lua', \
                 modules: [time, io, logger] }}\n"
            );
            files.push((format!("{name}.lua"), format!("return function(...) {body}\nend")));
        }
        for fields in entries {
            index += &format!("- {{ {fields} }}\n");
        }
        files.push(("_index.yaml".to_owned(), index));
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        Folder::new(&files)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `app:main` with more options behind.
    pub(crate) fn run_main(&self, options: &[&str]) -> Ended {
        self.start(&[&["-x", "app:main"], options].concat()).finish()
    }

    /// Starts `moonlet run` on this folder.
    pub(crate) fn start(&self, options: &[&str]) -> Running {
        let mut command = moonlet();
        command.arg("run").arg(self.path()).args(options);
        Running::new(&mut command)
    }
}

/// The command without arguments.
pub(crate) fn moonlet() -> Command {
    Command::new(PathBuf::from(env!("CARGO_BIN_EXE_moonlet")))
}

/// Runs the command with these arguments to its end.
pub(crate) fn ended(arguments: &[&str]) -> Ended {
    Running::new(moonlet().args(arguments)).finish()
}

enum Heard {
    Out(String),
    Err(String),
    Closed,
}

/// The command while it runs. It is killed if it is dropped before its end.
pub(crate) struct Running {
    pub(crate) child: Child,
    heard: Receiver<Heard>,
    open: usize,
    stdout: String,
    stderr: String,
}

impl Running {
    /// Starts a command; what is not redirected already is listened to.
    pub(crate) fn new(command: &mut Command) -> Running {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::redirected(command)
    }

    /// Starts a command as it is redirected, and listens to what is piped.
    pub(crate) fn redirected(command: &mut Command) -> Running {
        let mut child = command.spawn().expect("the command starts");
        let (sender, heard) = mpsc::channel();
        let mut open = 0;
        if let Some(stream) = child.stdout.take() {
            listen(stream, sender.clone(), Heard::Out);
            open += 1;
        }
        if let Some(stream) = child.stderr.take() {
            listen(stream, sender, Heard::Err);
            open += 1;
        }
        Running { child, heard, open, stdout: String::new(), stderr: String::new() }
    }

    /// Waits until the command has written this text, on either stream.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let begin = Instant::now();
        while !self.has_written(text) {
            assert!(self.open > 0, "ended without {text:?}: {}{}", self.stdout, self.stderr);
            self.hear(begin);
        }
    }

    /// Whether the command wrote this text so far, on either stream.
    pub(crate) fn has_written(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends a signal through the shell, whose `kill` is always there.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Ended {
        drop(self.child.stdin.take());
        let begin = Instant::now();
        while self.open > 0 {
            self.hear(begin);
        }
        let status = self.child.wait().expect("a child of ours").code();
        let (stdout, stderr) = (&mut self.stdout, &mut self.stderr);
        Ended { status, stdout: std::mem::take(stdout), stderr: std::mem::take(stderr) }
    }

    #[track_caller]
    fn hear(&mut self, begin: Instant) {
        match self.heard.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
            Ok(Heard::Out(line)) => self.stdout += &line,
            Ok(Heard::Err(line)) => self.stderr += &line,
            Ok(Heard::Closed) => self.open -= 1,
            Err(_) => panic!("silent for {PATIENCE:?} after: {}{}", self.stdout, self.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stream: impl Read + Send + 'static, sender: Sender<Heard>, heard: fn(String) -> Heard) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // The test may have failed and gone, here and below.
            let _ = sender.send(heard(String::from_utf8_lossy(&line).into_owned()));
            line.clear();
        }
        let _ = sender.send(Heard::Closed);
    });
}
