//! The secret that makes the first administrator: made on first start, kept in the state folder.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::arguments::Settings;

/// The variable of `spin.toml` it is for.
pub(crate) const VARIABLE: &str = "bootstrap_secret";
/// The same, in the environment.
pub(crate) const ENVIRONMENT: &str = "SPIN_VARIABLE_BOOTSTRAP_SECRET";
/// Its length in random bytes; the file has two letters for each.
const BYTES: usize = 32;

/// A secret and the file it is kept in.
pub(crate) struct Secret {
    pub(crate) value: String,
    pub(crate) file: PathBuf,
}

/// The secret to run with; none when somebody else has set it, or the application has no use for it.
pub(crate) fn find_or_make(settings: &Settings, declared: bool, state_dir: &Path) -> Result<Option<Secret>> {
    let set = settings.variables.contains_key(VARIABLE) || std::env::var_os(ENVIRONMENT).is_some();
    if set || !declared {
        return Ok(None);
    }
    let file = state_dir.join("bootstrap-secret");
    let value = read_or_make(&file).with_context(|| format!("cannot keep a secret in {}", file.display()))?;
    Ok(Some(Secret { value, file }))
}

fn read_or_make(file: &Path) -> Result<String> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let value = text.trim().to_owned();
            ensure!(!value.is_empty(), "the file is empty: remove it, and a new secret is made");
            Ok(value)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(file),
        Err(error) => Err(error.into()),
    }
}

/// Random letters that nobody can guess.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn make(file: &Path) -> Result<String> {
    let value = random()?;
    octo_host::private::folder(file.parent().unwrap_or(Path::new(".")))?;
    // Readable by its owner only, from the first moment on.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{value}")?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/bootstrap-secret");
        let value = read_or_make(&file).unwrap();
        assert_eq!(value.len(), 2 * BYTES);
        assert_eq!(read_or_make(&file).unwrap(), value);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn an_empty_file_is_not_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bootstrap-secret");
        fs::write(&file, "\n").unwrap();
        assert!(read_or_make(&file).is_err());
    }
}
