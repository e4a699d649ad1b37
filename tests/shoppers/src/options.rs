//! The command line.

use std::path::PathBuf;

use anyhow::Context;
use lexopt::prelude::*;

use crate::profile::Profile;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Virtual customers and administrators of Octo's shop.

  --host URL               where Octo is (default http://127.0.0.1:3000)
  --users N                virtual users (default 20); a tenth of them are administrators
  --products N             how many products the shop has at least; what is missing is imported (default 1000)
  --page PORT              where the page is, on which you start, stop and change the rate (default 3100)
  --headless PROFILE       without a page: smoke, load, stress or spike
  --token TOKEN            an access token of an administrator
  --bootstrap-secret FILE  makes the first administrator, when there is none (default .octo/bootstrap-secret)
  --metrics-key KEY        Octo's `metrics_key`: the rate is compared with what Octo has counted. Start Octo with
                           SPIN_VARIABLE_REQUEST_METRICS_SAMPLE=1 then
  --help                   this text
";

/// What to do.
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) users: usize,
    pub(crate) products: usize,
    pub(crate) page: u16,
    pub(crate) profile: Option<Profile>,
    pub(crate) token: Option<String>,
    pub(crate) bootstrap_secret: PathBuf,
    pub(crate) metrics_key: Option<String>,
}

impl Options {
    /// What the command line says; `None` when it asks for help.
    pub(crate) fn from_env() -> anyhow::Result<Option<Self>> {
        let mut options = Self {
            host: "http://127.0.0.1:3000".to_owned(),
            users: 20,
            products: 1000,
            page: 3100,
            profile: None,
            token: None,
            bootstrap_secret: ".octo/bootstrap-secret".into(),
            metrics_key: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("host") => options.host = parser.value()?.string()?.trim_end_matches('/').to_owned(),
                Long("users") => options.users = parser.value()?.parse::<usize>()?.clamp(1, 500),
                Long("products") => options.products = parser.value()?.parse::<usize>()?.clamp(1, 50_000),
                Long("page") => options.page = parser.value()?.parse()?,
                Long("headless") => {
                    let name = parser.value()?.string()?;
                    options.profile =
                        Some(Profile::named(&name).with_context(|| format!("there is no profile `{name}`"))?);
                }
                Long("token") => options.token = Some(parser.value()?.string()?),
                Long("bootstrap-secret") => options.bootstrap_secret = parser.value()?.into(),
                Long("metrics-key") => options.metrics_key = Some(parser.value()?.string()?),
                Short('h') | Long("help") => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(options))
    }
}
