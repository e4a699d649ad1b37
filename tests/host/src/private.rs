//! Files and folders for their owner only. Who reads the databases reads the signing keys.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What SQLite appends to the name of a database for the files it keeps beside it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Makes a folder, and those above it. One that is there stays as it is: it is not ours.
///
/// # Errors
/// When it can be neither found nor made.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that only its owner may read, in place of one that may be there.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Makes the file of a database, or closes one that is there to others. SQLite gives the files it makes beside it the same
/// mode.
pub(crate) fn database(path: &Path) -> Result<()> {
    close(path)?;
    for companion in COMPANIONS {
        let mut name = path.as_os_str().to_owned();
        name.push(companion);
        close(&PathBuf::from(name))?;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot make {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Takes from others what they may do with a file, if it is there.
fn close(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    let mode = metadata.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o700))
        .with_context(|| format!("others may read {}, and it cannot be closed to them", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("a/b");
        folder(&inner).unwrap();
        folder(&inner).unwrap();
        database(&inner.join("x.db")).unwrap();
        database(&inner.join("x.db")).unwrap();
        assert_eq!((mode(&place.path().join("a")), mode(&inner)), (0o700, 0o700));
        assert_eq!(mode(&inner.join("x.db")), 0o600);
    }

    #[test]
    fn what_was_open_to_others_is_closed() {
        let place = tempfile::tempdir().unwrap();
        let names = ["x.db", "x.db-wal", "x.db-shm"].map(|name| place.path().join(name));
        for path in &names {
            fs::write(path, "kept").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o664)).unwrap();
        }
        database(&names[0]).unwrap();
        for path in &names {
            assert_eq!((mode(path), fs::read_to_string(path).unwrap().as_str()), (0o600, "kept"));
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_folder_that_is_there_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        folder(place.path()).unwrap();
        assert_eq!(mode(place.path()), 0o755);
    }
}
