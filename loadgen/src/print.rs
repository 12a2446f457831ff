//! Output for people. A pipe that nobody reads is no failure; a full disk is one.

use std::io::{self, Write};

/// Where the tables go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    /// Used if standard output is for the results.
    Stderr,
    Nowhere,
}

/// Writes texts and remembers the first error.
#[derive(Debug)]
pub(crate) struct Printer {
    target: Target,
    failure: Option<String>,
}

impl Printer {
    pub(crate) fn new(target: Target) -> Printer {
        Printer { target, failure: None }
    }

    /// Writes a text at once.
    pub(crate) fn print(&mut self, text: &str) {
        let written = match self.target {
            Target::Stdout => write(&mut io::stdout().lock(), text),
            Target::Stderr => write(&mut io::stderr().lock(), text),
            Target::Nowhere => Ok(()),
        };
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
    }

    /// Returns the first error, if there was one.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// Prints one text to standard output.
pub(crate) fn print(text: &str) -> Result<(), String> {
    write(&mut io::stdout().lock(), text)
}

fn write(stream: &mut dyn Write, text: &str) -> Result<(), String> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot print the figures: {error}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is() {
        assert_eq!(write(&mut Broken(io::ErrorKind::BrokenPipe), "x"), Ok(()));
        let full = write(&mut Broken(io::ErrorKind::StorageFull), "x").unwrap_err();
        assert!(full.starts_with("cannot print the figures: "), "{full}");
    }
}
