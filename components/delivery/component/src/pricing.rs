//! The jobs of delivery, and where its rate is from.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use http::{Request, StatusCode};
use octo_core::{
    Clock, SettingError, Settings, Sql, SqlError, async_trait,
    ports::CallLimits,
    settings,
    sql::{Database, Migrated},
};
use octo_delivery::{Config, MoscowDay, Pricing, RateSource, TABLES, quota, rate::Unusable};
use octo_http::{App, Error, Response, drained::Drained, extract::Internal};

/// How long one request for it carries out jobs.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// The bank's JSON has some 20 KiB.
const SOURCE_LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(5), max_answer: 512 * 1024 };

/// The source that the variables name.
pub(crate) struct Bank<'a> {
    pub(crate) app: &'a App,
    pub(crate) config: &'a Config,
}

#[async_trait]
impl RateSource for Bank<'_> {
    /// Redirects are not followed: only the host that the operator named is asked.
    async fn fetch(&self) -> Result<Vec<u8>, Unusable> {
        let unusable = |reason: String| Unusable(reason);
        let request = Request::get(format!("{}{}", self.config.rate_origin, self.config.rate_path))
            .header(http::header::ACCEPT, "application/json, text/javascript, */*;q=0.1")
            .body(Vec::new())
            .map_err(|error| unusable(error.to_string()))?;
        let response = self.app.http.send(request, SOURCE_LIMITS).await;
        let response = response.map_err(|error| unusable(error.to_string()))?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(Unusable(format!("it answered {status}"))),
        }
    }
}

/// The tables of delivery.
pub(crate) fn sql(app: &App) -> Migrated<'_, Arc<dyn Sql>> {
    Migrated::new(&app.sql, TABLES)
}

/// Carry out the jobs that wait
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "internal", operation_id = "drainDelivery",
    responses((status = 200, description = "What was done.", body = Drained))
)]
pub(crate) async fn drain(State(app): State<App>, _: Internal) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    let drained = carry_out(&app, &config).await?;
    quota::sweep(&sql(&app), MoscowDay::containing(app.clock.now())).await?;
    Ok(drained.into_response())
}

/// Carries out what is due, for some seconds.
pub(crate) async fn carry_out(app: &App, config: &Config) -> Result<Drained, SqlError> {
    let sql = sql(app);
    let pricing = Pricing { sql: &sql, source: &Bank { app, config }, clock: &app.clock, config };
    let jobs = pricing.jobs();
    let performer = jobs.performer(&sql, &app.clock, &app.entropy);
    let drained = performer.drain(app.clock.now() + DRAINED_FOR).await?;
    Ok(Drained { performed: drained.performed, failed: drained.failed, more: drained.more })
}

/// Carries out what is due once the client has its response. A failure is noted with the job, and leaves it to the
/// scheduler.
pub(crate) fn carry_out_later(app: &App, config: &Config) {
    let (later, config) = (app.clone(), config.clone());
    app.after.run(async move { drop(carry_out(&later, &config).await) });
}

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings)?;
    settings::text(&settings, "metrics_key")?;
    settings::number::<usize>(&settings, "trusted_proxies", 0..=16)?;
    Database::read(&settings).map(drop)
}
