//! Running on a real Spin, with the same settings.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use octo_host::Manifest;
use xtask::progress::Progress;
use xtask::workspace::root;

use crate::arguments::Settings;
use crate::{secret, up};

/// Builds the components and becomes `spin up`.
pub(crate) fn run(program: &OsStr, settings: &Settings) -> Result<()> {
    if !settings.skip_build {
        xtask::build::components(Progress::Shown).context("the components could not be built")?;
    }
    let manifest = root().join(up::MANIFEST);
    let state_dir = up::state_dir(settings);
    let declared = Manifest::read(&manifest)?.variables.contains_key(secret::VARIABLE);
    let mut command = command(program, settings);
    if let Some(secret) = secret::find_or_make(settings, declared, &state_dir)? {
        command.env(secret::ENVIRONMENT, &secret.value);
        eprintln!("Secret of the first administrator: {}", secret.file.display());
    }
    // Spin would make it as the umask says, and its databases in it.
    octo_host::private::folder(&state_dir)
        .with_context(|| format!("cannot make the folder {}", state_dir.display()))?;
    // Ctrl-C and the exit status are Spin's own from here.
    let error = command.exec();
    Err(anyhow!(error)).with_context(|| {
        format!(
            "cannot run {} (install Spin from https://spinframework.dev, or set SPIN_BIN to its program)",
            program.display()
        )
    })
}

fn command(program: &OsStr, settings: &Settings) -> Command {
    let mut command = Command::new(program);
    command
        .arg("up")
        .arg("--from")
        .arg(root().join(up::MANIFEST))
        .arg("--listen")
        .arg(settings.listen.to_string())
        .arg("--state-dir")
        .arg(up::state_dir(settings));
    if let Some(file) = &settings.runtime_config_file {
        command.arg("--runtime-config-file").arg(file);
    }
    // The environment, because every Spin reads it and no value shows in the list of processes.
    for (name, value) in &settings.variables {
        command.env(format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()), value);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments;

    #[test]
    fn the_settings_are_passed_on() {
        let words = ["--listen", "127.0.0.1:4000", "--state-dir", "s", "--variable", "free_limit=3"];
        let parsed = arguments::Command::parse(words.map(Into::into), None).unwrap();
        let arguments::Command::Up(settings) = parsed else { panic!("help") };
        let command = command(OsStr::new("spin"), &settings);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        assert_eq!(words[0], "up");
        assert_eq!(&words[3..7], ["--listen", "127.0.0.1:4000", "--state-dir", "s"]);
        let environment: Vec<_> = command.get_envs().collect();
        let expected = (OsStr::new("SPIN_VARIABLE_FREE_LIMIT"), Some(OsStr::new("3")));
        assert_eq!(environment, [expected]);
    }
}
