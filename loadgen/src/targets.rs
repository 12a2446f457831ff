//! The files and folders for results. They are checked before anything is measured, and replaced as
//! a whole, so that an interrupted run leaves the last complete result.

use std::fs;
use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

/// Creates a folder and checks that files can be created in it.
pub(crate) fn check_folder(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make the folder {shown}: {error}"))?;
    NamedTempFile::new_in(folder)
        .map(drop)
        .map_err(|error| format!("cannot write to the folder {shown}: {error}"))
}

/// Checks that a file can be written, whether it exists or not. Does not change it.
pub(crate) fn check_file(path: &Path) -> Result<(), String> {
    let refused = |why: String| Err(format!("cannot write {}: {why}", path.display()));
    if path.is_dir() {
        return refused("that is a folder; give the name of a file in it".to_owned());
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return refused(format!("there is no folder {}; make it first", folder.display()));
    }
    if is_special(path) {
        return Ok(());
    }
    match NamedTempFile::new_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => refused(error.to_string()),
    }
}

/// Writes a file, replacing an existing one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = match is_special(path) {
        true => fs::write(path, text),
        false => replace(path, text),
    };
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A symbolic link stays; its target is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut builder = tempfile::Builder::new();
    // The permissions of a new file, as the umask leaves them.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// A device or a pipe is written to, never replaced.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|known| !known.is_file() && !known.is_dir())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        assert_eq!(check_file(&path), Ok(()));
        assert!(!path.exists(), "a check makes nothing");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let error = check_file(folder.path()).unwrap_err();
        assert!(error.contains("that is a folder"), "{error}");
        let error = check_file(&folder.path().join("none/a.json")).unwrap_err();
        assert!(error.contains("there is no folder"), "{error}");
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(check_folder(&file.join("below")).unwrap_err().starts_with("cannot make"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let full = Path::new("/dev/full");
        assert_eq!(check_file(full), Ok(()));
        assert!(write(full, "x").unwrap_err().contains("/dev/full"));
    }
}
