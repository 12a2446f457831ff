//! `Files`: the tree of files that an application is read from, on disk or in memory.
//!
//! Everywhere else in this folder a file is named by its path relative to the root, with no `..` in
//! it. On disk that is not enough to stay inside the root, because a symbolic link can lead
//! anywhere. So every path is made canonical before it is opened, and a path that is not below the
//! canonical root does not exist for the application. Only regular files are opened; a pipe would
//! block the loader.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// The size of the largest file that is read, in bytes. Chosen without measurement: far above any
/// source, far below a machine's memory.
pub(super) const FILE_BYTES_MAX: u64 = 16 << 20;

/// The maximum number of files and folders that are visited, so that a mistaken root such as `/`
/// causes an error instead of a long wait. Chosen without measurement: far above any application.
const VISITED_MAX: usize = 100_000;

/// The location of an application's files.
pub(super) enum Files {
    /// Below a directory. The path is kept as it was passed, for messages.
    Disk { root: PathBuf },
    /// In memory, by relative path.
    Memory(BTreeMap<PathBuf, Vec<u8>>),
}

impl Files {
    /// Takes files from memory. A path that leaves the root is dropped, so it is never found, as
    /// for an unreadable file on disk.
    pub(super) fn from_memory(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Files {
        let normal = |(path, content): (PathBuf, _)| Some((normalize(&path)?, content));
        Files::Memory(files.into_iter().filter_map(normal).collect())
    }

    /// Returns the path of a file for messages.
    pub(super) fn display_path(&self, relative: &Path) -> PathBuf {
        match self {
            // Joining an empty path would append a slash.
            Files::Disk { root } if relative.as_os_str().is_empty() => root.clone(),
            Files::Disk { root } => root.join(relative),
            Files::Memory(_) => relative.to_owned(),
        }
    }

    /// Lists the files that may describe entries, in path order, and the paths that could not be
    /// listed.
    pub(super) fn candidates(&self) -> (Vec<PathBuf>, Vec<(PathBuf, io::Error)>) {
        let root = match self {
            Files::Disk { root } => root,
            Files::Memory(files) => {
                let seen = files.keys().filter(|path| is_candidate(path));
                return (seen.cloned().collect(), Vec::new());
            }
        };
        let mut walk = Walk { may_visit: VISITED_MAX, ..Walk::default() };
        match root.canonicalize() {
            Ok(canonical) => walk.visit_directory(&canonical, &canonical, Path::new("")),
            Err(error) => walk.failed.push((PathBuf::new(), error)),
        }
        walk.found.sort();
        (walk.found, walk.failed)
    }

    /// Lists the names of the files in a folder; `None` if there is no such folder.
    pub(super) fn names_in(&self, folder: &Path) -> Option<Vec<String>> {
        let mut names: Vec<String> = match self {
            Files::Disk { root } => {
                let entries = fs::read_dir(root.join(folder)).ok()?.filter_map(Result::ok);
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
            }
            Files::Memory(files) => {
                let below = files.keys().filter(|path| path.parent() == Some(folder));
                below.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
            }
        };
        names.sort();
        Some(names)
    }

    /// Reads a file.
    pub(super) fn read(&self, relative: &Path) -> io::Result<Vec<u8>> {
        match self {
            Files::Disk { root } => read_below(root, relative),
            Files::Memory(files) => {
                files.get(relative).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }
}

/// Resolves the dots of a path lexically. Returns `None` if the path leaves the folder that it is
/// relative to.
pub(super) fn normalize(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

fn read_below(root: &Path, relative: &Path) -> io::Result<Vec<u8>> {
    let path = root.join(relative).canonicalize()?;
    if !path.starts_with(root.canonicalize()?) {
        return Err(io::Error::other("a symbolic link leads out of the application's root"));
    }
    // Checked before the file is opened, because opening a pipe waits for its other end.
    let known = fs::metadata(&path)?;
    if known.is_dir() {
        return Err(io::Error::other("that is a folder, not a file"));
    }
    if !known.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    fs::File::open(&path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(content)
}

/// Returns whether a path, relative to the root, is that of a possible application file.
fn is_candidate(relative: &Path) -> bool {
    let directories = relative.parent().into_iter().flat_map(Path::components);
    let extension = relative.extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml" | "json"))
        && !directories.map(Component::as_os_str).any(is_skipped_directory)
}

fn is_skipped_directory(name: &OsStr) -> bool {
    name == "node_modules" || name.as_encoded_bytes().starts_with(b".")
}

/// State of a walk through the directories.
#[derive(Default)]
struct Walk {
    found: Vec<PathBuf>,
    failed: Vec<(PathBuf, io::Error)>,
    /// Canonical paths of everything visited. Links inside the root are followed; this set ends
    /// cycles and prevents a file with two names from being loaded twice.
    visited: BTreeSet<PathBuf>,
    /// The number of files and folders that may still be visited.
    may_visit: usize,
    is_full: bool,
}

impl Walk {
    fn visit_directory(&mut self, root: &Path, directory: &Path, relative: &Path) {
        if !self.visited.insert(directory.to_owned()) {
            return;
        }
        let names = fs::read_dir(directory).and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<BTreeSet<_>>>()
        });
        match names {
            Ok(names) => {
                for name in names {
                    if self.is_full(relative) {
                        return;
                    }
                    self.visit(root, &directory.join(&name), &relative.join(&name));
                }
            }
            Err(error) => self.failed.push((relative.to_owned(), error)),
        }
    }

    /// Counts one more file or folder. Reports once if there are too many, with the folder in which
    /// the limit was reached.
    fn is_full(&mut self, relative: &Path) -> bool {
        if self.may_visit == 0 {
            let message = format!("more than {VISITED_MAX} files and folders below the root");
            let is_told = !std::mem::replace(&mut self.is_full, true);
            self.failed.extend(is_told.then(|| (relative.to_owned(), io::Error::other(message))));
        }
        self.may_visit = self.may_visit.saturating_sub(1);
        self.is_full
    }

    fn visit(&mut self, root: &Path, path: &Path, relative: &Path) {
        // A name that cannot be resolved, such as a dangling link, is not a file.
        let Ok(canonical) = path.canonicalize() else {
            return;
        };
        if !canonical.starts_with(root) {
            return;
        }
        if canonical.is_dir() {
            if !path.file_name().is_some_and(is_skipped_directory) {
                self.visit_directory(root, &canonical, relative);
            }
        } else if canonical.is_file() && is_candidate(relative) && self.visited.insert(canonical) {
            self.found.push(relative.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(root: &Path, relative: &str) {
        let path = root.join(relative);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("writable");
        fs::write(path, relative).expect("writable");
    }

    /// A mistaken root such as `/` ends soon.
    #[test]
    fn a_tree_that_is_too_large_is_left() {
        let folder = tempfile::tempdir().expect("temporary directory");
        for file in 0..30 {
            write(folder.path(), &format!("{}/{file}.yaml", file % 3));
        }
        let root = folder.path().canonicalize().expect("it is there");
        for (may_visit, found) in [(33, 30), (32, 29), (5, 4)] {
            let mut walk = Walk { may_visit, ..Walk::default() };
            walk.visit_directory(&root, &root, Path::new(""));
            assert_eq!(walk.found.len(), found);
            assert_eq!(walk.failed.len(), usize::from(may_visit < 33));
        }
    }

    fn found(root: &Path) -> Vec<String> {
        let (found, failed) = Files::Disk { root: root.to_owned() }.candidates();
        assert!(failed.is_empty(), "{failed:?}");
        found.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn walks_in_path_order_and_skips_what_is_hidden() {
        let directory = tempfile::tempdir().expect("temporary directory");
        for path in [
            "b.yml",
            "a/x.yaml",
            "a.json",
            "a/node_modules/y.yaml",
            ".git/z.yaml",
            "a/.b/c/z.yaml",
            "code.lua",
            "UPPER.YAML",
            ".hidden.yaml",
            "noextension",
        ] {
            write(directory.path(), path);
        }
        assert_eq!(found(directory.path()), [".hidden.yaml", "a/x.yaml", "a.json", "b.yml"]);
    }

    #[test]
    fn links_are_followed_inside_the_root_only_and_once() {
        let outside = tempfile::tempdir().expect("temporary directory");
        write(outside.path(), "secret/out.yaml");
        let inside = tempfile::tempdir().expect("temporary directory");
        let root = inside.path();
        write(root, ".data/real.yaml");
        write(root, "plain.yaml");
        symlink(root.join(".data/real.yaml"), root.join("linked.yaml")).expect("link");
        symlink(root.join("plain.yaml"), root.join("zz.yaml")).expect("link");
        symlink(root, root.join("cycle")).expect("link");
        symlink(outside.path().join("secret"), root.join("out")).expect("link");
        symlink(outside.path().join("secret/out.yaml"), root.join("out.yaml")).expect("link");
        symlink(root.join("nothing"), root.join("broken.yaml")).expect("link");
        assert_eq!(found(root), ["linked.yaml", "plain.yaml"]);
        let files = Files::Disk { root: root.to_owned() };
        assert!(files.read(Path::new("linked.yaml")).is_ok());
        assert!(files.read(Path::new("out.yaml")).is_err());
        assert!(files.read(Path::new("out/out.yaml")).is_err());
        assert!(files.read(Path::new("cycle")).is_err());
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let file = fs::File::create(directory.path().join("big.yaml")).expect("writable");
        file.set_len(FILE_BYTES_MAX + 1).expect("sparse file");
        let files = Files::Disk { root: directory.path().to_owned() };
        assert!(files.read(Path::new("big.yaml")).is_err());
    }

    #[test]
    fn memory_follows_the_same_rules() {
        let content = |path: &str| (PathBuf::from(path), path.as_bytes().to_vec());
        let files = Files::from_memory(
            ["./b.yaml", "a/../c.yaml", "../out.yaml", "node_modules/d.yaml", "e.lua"].map(content),
        );
        assert_eq!(files.candidates().0, [Path::new("b.yaml"), Path::new("c.yaml")]);
        assert!(files.read(Path::new("e.lua")).is_ok());
        assert!(files.read(Path::new("out.yaml")).is_err());
    }

    #[test]
    fn normal_paths_stay_inside() {
        let normal = |path| normalize(Path::new(path));
        assert_eq!(normal("a/./b/../c"), Some("a/c".into()));
        assert_eq!(normal("a/../../b"), None);
        assert_eq!(normal("/etc/passwd"), None);
    }
}
