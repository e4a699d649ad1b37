//! The command line, read once into checked values.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
Builds Octo's components and runs them.

Usage: cargo run --release [-- OPTIONS]

Options:
  --listen ADDRESS:PORT         where to listen (default 127.0.0.1:3000)
  --state-dir FOLDER            where the databases are kept (default .octo in the project)
  --runtime-config-file FILE    stores and variables in the format of Spin's runtime config
  --variable NAME=VALUE         sets a variable of spin.toml; may be repeated
  --skip-build                  runs the components as they were built last
  --spin                        runs them on a real Spin: the program named by SPIN_BIN, or `spin`
  --help                        shows this text

Environment:
  SPIN_VARIABLE_NAME=VALUE      sets the variable NAME, as for Spin
  SPIN_BIN=FILE                 a Spin to run instead of the project's own small host
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Show [`HELP`].
    Help,
    /// Run the application.
    Up(Settings),
}

/// How to run the application.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    /// None: the default folder in the project.
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) runtime_config_file: Option<PathBuf>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) skip_build: bool,
    /// The program of a real Spin to run on; none: the small host.
    pub(crate) spin: Option<OsString>,
}

impl Command {
    /// Reads the arguments after the program's name; `spin_bin` is the variable `SPIN_BIN`.
    pub(crate) fn parse(
        words: impl IntoIterator<Item = OsString>,
        spin_bin: Option<OsString>,
    ) -> Result<Self> {
        Self::read(words, spin_bin).map_err(|error| anyhow!("{error:#} (see --help)"))
    }

    fn read(words: impl IntoIterator<Item = OsString>, spin_bin: Option<OsString>) -> Result<Self> {
        let mut settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            state_dir: None,
            runtime_config_file: None,
            variables: BTreeMap::new(),
            skip_build: false,
            spin: spin_bin.filter(|program| !program.is_empty()),
        };
        let mut parser = Parser::from_args(words);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("help") | Arg::Short('h') => return Ok(Self::Help),
                Arg::Long("listen") => {
                    let text = parser.value()?.string()?;
                    settings.listen = text.parse().map_err(|_| {
                        anyhow!("--listen takes an address and a port, such as 127.0.0.1:3001, not {text:?}")
                    })?;
                }
                Arg::Long("state-dir") => settings.state_dir = Some(parser.value()?.into()),
                Arg::Long("runtime-config-file") => {
                    settings.runtime_config_file = Some(parser.value()?.into());
                }
                Arg::Long("variable") => {
                    let text = parser.value()?.string()?;
                    let (name, value) = text.split_once('=').ok_or_else(|| {
                        anyhow!("--variable takes a name and a value, such as free_limit=50, not {text:?}")
                    })?;
                    settings.variables.insert(name.to_owned(), value.to_owned());
                }
                Arg::Long("skip-build") => settings.skip_build = true,
                Arg::Long("spin") => {
                    settings.spin.get_or_insert_with(|| OsStr::new("spin").to_owned());
                }
                // `cargo run --release up` is what a user of Spin may type.
                Arg::Value(word) if word == "up" => {}
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Self::Up(settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str], spin_bin: Option<&str>) -> Result<Settings> {
        let command = Command::parse(words.iter().map(OsString::from), spin_bin.map(OsString::from))?;
        match command {
            Command::Up(settings) => Ok(settings),
            Command::Help => panic!("help"),
        }
    }

    #[test]
    fn nothing_means_the_defaults() {
        let settings = parse(&[], None).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:3000");
        assert_eq!((settings.skip_build, settings.spin), (false, None));
    }

    #[test]
    fn every_option_is_read() {
        let words = "--listen 0.0.0.0:80 --state-dir s --runtime-config-file r --skip-build \
                     --variable a=b=c --variable d=";
        let settings = parse(&words.split_whitespace().collect::<Vec<_>>(), None).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:80");
        assert_eq!(settings.state_dir, Some("s".into()));
        assert_eq!(settings.runtime_config_file, Some("r".into()));
        assert_eq!(settings.variables, BTreeMap::from([("a".into(), "b=c".into()), ("d".into(), "".into())]));
        assert!(settings.skip_build);
    }

    #[test]
    fn a_real_spin_is_asked_for_by_flag_or_environment() {
        assert_eq!(parse(&["--spin"], None).unwrap().spin, Some("spin".into()));
        assert_eq!(parse(&[], Some("/x/spin")).unwrap().spin, Some("/x/spin".into()));
        assert_eq!(parse(&["--spin"], Some("/x/spin")).unwrap().spin, Some("/x/spin".into()));
        assert_eq!(parse(&[], Some("")).unwrap().spin, None);
    }

    #[test]
    fn a_mistake_is_explained() {
        for (words, explanation) in [
            (vec!["--listen", "3001"], "127.0.0.1:3001"),
            (vec!["--variable", "x"], "free_limit=50"),
            (vec!["--nonsense"], "--nonsense"),
            (vec!["nonsense"], "nonsense"),
        ] {
            let refusal = format!("{:#}", parse(&words, None).unwrap_err());
            assert!(refusal.contains(explanation) && refusal.contains("--help"), "{refusal}");
        }
    }
}
