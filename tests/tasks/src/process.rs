//! Running a child process so that a failure explains itself: which command, how it ended, what to try.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, bail};

use crate::progress::Progress;

/// Runs `command` to its end. `advice` is what a person can do when it fails.
///
/// Its output is streamed when progress is shown; otherwise it is kept for the error. Standard input is
/// empty, so that nothing ever waits for an answer nobody gives.
///
/// # Errors
/// When the program cannot be started or ends with anything but success.
pub fn run(command: &mut Command, progress: Progress, advice: &str) -> anyhow::Result<()> {
    command.stdin(Stdio::null());
    let line = spell(command);
    match progress {
        Progress::Shown => {
            eprintln!("  $ {line}");
            let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
            if !status.success() {
                bail!("`{line}` {}.\n{advice}", ending(status));
            }
        }
        Progress::Quiet => {
            let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
            if !output.status.success() {
                bail!(
                    "`{line}` {}.\n{}{}\n{advice}",
                    ending(output.status),
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr).trim_end(),
                );
            }
        }
    }
    Ok(())
}

/// What `command` prints on standard output, without the final line break.
///
/// # Errors
/// When the program cannot be started, fails, or prints something that is not text.
pub fn read(command: &mut Command) -> anyhow::Result<String> {
    let line = spell(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` {}.\n{}", ending(output.status), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{line}` printed something that is not UTF-8"))?;
    Ok(text.trim_end().to_owned())
}

/// Where `program` is on the `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Servers live in the directories that Debian leaves out of an ordinary user's PATH.
    let extra = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(extra)
        .chain(postgres_folder())
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
}

/// Where Debian keeps the programs of the newest Postgres server, for there may be several.
fn postgres_folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |entry: &PathBuf| entry.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.flatten().map(|entry| entry.path()).max_by_key(version)?;
    Some(newest.join("bin"))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The command as one could type it.
pub fn spell(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name).chain(command.get_args()).map(quote).collect::<Vec<_>>().join(" ")
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.is_empty() || word.contains([' ', '"', '\'', '$', '*', ';', '&', '|']) {
        format!("'{}'", word.replace('\'', r"'\''"))
    } else {
        word.into_owned()
    }
}

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("was stopped ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_spelt_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/redis-server");
        command.args(["--save", "", "--port", "1"]);
        assert_eq!(spell(&command), "redis-server --save '' --port 1");
    }

    #[test]
    fn a_quiet_failure_shows_the_output_and_the_advice() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = run(&mut command, Progress::Quiet, "Try again.").unwrap_err();
        let text = error.to_string();
        for part in ["failed with exit code 3", "out\n", "err\n", "Try again."] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = read(&mut Command::new("no-such-program-at-all")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-at-all"));
    }
}
