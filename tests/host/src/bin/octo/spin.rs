//! Running on a real Spin, with the same settings.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use octo_host::Manifest;
use xtask::progress::Progress;
use xtask::servers::Spin;
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
    let manifest = Manifest::read(&manifest)?;
    let mut command = command(program, settings);
    let declared = manifest.variables.contains_key(secret::VARIABLE);
    let secret = secret::find_or_make(settings, declared, &state_dir)?;
    if let Some(secret) = &secret {
        command.env(secret::ENVIRONMENT, &secret.value);
        eprintln!("Secret of the first administrator: {}", secret.file.display());
    }
    // Spin would make it as the umask says, and its databases in it.
    octo_host::private::folder(&state_dir)
        .with_context(|| format!("cannot make the folder {}", state_dir.display()))?;
    // Who has a file of their own says there where variables come from.
    if settings.runtime_config_file.is_none() {
        let given = |name: &str| match &secret {
            Some(secret) if name == secret::VARIABLE => Some(secret.value.clone()),
            _ => {
                settings.variables.get(name).cloned().or_else(|| std::env::var(Spin::environment(name)).ok())
            }
        };
        let file = state_dir.join("variables.toml");
        octo_host::private::write(&file, &looked_up_in_memory(&manifest, given)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        command.arg("--runtime-config-file").arg(file);
    }
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
        command.env(Spin::environment(name), value);
    }
    command
}

/// Spin's runtime configuration with the value of every variable. An instance that calls anybody looks all of them up: in
/// memory that takes next to nothing, in the environment microseconds each.
fn looked_up_in_memory(manifest: &Manifest, given: impl Fn(&str) -> Option<String>) -> Result<String> {
    let values = manifest.variables.iter().filter_map(|(name, variable)| {
        let value = given(name).or_else(|| variable.default.clone())?;
        Some((name.clone(), toml::Value::String(value)))
    });
    let provider = toml::Table::from_iter([
        ("type".to_owned(), toml::Value::String("static".to_owned())),
        ("values".to_owned(), toml::Value::Table(values.collect())),
    ]);
    let providers = toml::Value::Array(vec![toml::Value::Table(provider)]);
    Ok(toml::to_string(&toml::Table::from_iter([("variables_provider".to_owned(), providers)]))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments;

    #[test]
    fn every_variable_is_in_the_file_with_what_was_given_or_its_default() {
        let manifest = Manifest::read(&root().join(up::MANIFEST)).unwrap();
        let given = |name: &str| (name == "free_limit").then(|| "3".to_owned());
        let made: toml::Table = looked_up_in_memory(&manifest, given).unwrap().parse().unwrap();
        let provider = &made["variables_provider"][0];
        assert_eq!(provider["type"].as_str(), Some("static"));
        let values = provider["values"].as_table().unwrap();
        assert_eq!((values.len(), values["free_limit"].as_str()), (manifest.variables.len(), Some("3")));
        assert_eq!(values["free_window_seconds"].as_str(), Some("60"));
    }

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
