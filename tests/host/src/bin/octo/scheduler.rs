//! The scheduler of the run command: has the jobs done that nobody is waiting for.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use octo_host::Host;

use crate::arguments::Settings;
use crate::secret;

/// The component that has them done.
const COMPONENT: &str = "jobs";
/// The variable with the key it asks for.
const VARIABLE: &str = "jobs_key";
/// The same, in the environment.
pub(crate) const ENVIRONMENT: &str = "SPIN_VARIABLE_JOBS_KEY";
/// From one call to the next, when there is nothing more to do.
const EVERY: Duration = Duration::from_secs(5);

/// Calls every few seconds.
pub(crate) struct Scheduler {
    key: String,
}

impl Scheduler {
    /// With the key that is set, or one that is made for this run.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let set = settings.variables.get(VARIABLE).cloned().or_else(|| std::env::var(ENVIRONMENT).ok());
        let key = match set.filter(|key| !key.is_empty()) {
            Some(key) => key,
            None => secret::random()?,
        };
        Ok(Self { key })
    }

    /// The variable that the application must run with.
    pub(crate) fn variable(&self) -> (String, String) {
        (ENVIRONMENT.to_owned(), self.key.clone())
    }

    /// Calls until the program ends. What goes wrong is said when it begins and when it is over: it is tried again.
    pub(crate) async fn run(&self, host: &Host) {
        if !host.app().manifest().components.contains_key(COMPONENT) {
            return std::future::pending().await;
        }
        let mut failing = false;
        loop {
            match self.drain(host).await {
                Ok(true) => continue,
                Ok(false) if failing => {
                    eprintln!("The jobs are being done again.");
                    failing = false;
                }
                Err(error) if !failing => {
                    eprintln!("The jobs cannot be done now, and will be later: {error:#}");
                    failing = true;
                }
                _ => {}
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Has them done for some seconds; whether there may be more to do.
    async fn drain(&self, host: &Host) -> Result<bool> {
        let request = Request::post("/internal/jobs/drain")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Bytes::new())?;
        let answer = host.call(COMPONENT, request).await?;
        if answer.status() != StatusCode::OK {
            bail!("the component `{COMPONENT}` answers {}; its log says why", answer.status());
        }
        let body: serde_json::Value = serde_json::from_slice(answer.body())?;
        Ok(body.get("more").and_then(serde_json::Value::as_bool).unwrap_or(false))
    }
}
