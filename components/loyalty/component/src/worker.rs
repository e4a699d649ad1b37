//! The events of other systems, and what ends.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use octo_core::{
    Clock, Problem, SettingError, Settings, Sql, SqlError,
    settings::{switch, text},
    sql::{Database, Migrated},
};
use octo_http::{App, Error, Response, drained::Drained, extract::Internal};
use octo_loyalty::{Config, Events, Ledger, TABLES, expiry};

use crate::responses::problem;

/// How long one request for it carries out jobs.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// How long a member's own request does, when it comes before the event that makes the account a member.
const CAUGHT_UP_FOR: Duration = Duration::from_secs(1);

/// Times that what has ended is looked for, a hundred at a time.
const SWEEPS: usize = 5;

/// The tables of loyalty.
pub(crate) fn sql(app: &App) -> Migrated<'_, Arc<dyn Sql>> {
    Migrated::new(&app.sql, TABLES)
}

/// The variables of loyalty.
pub(crate) fn config(app: &App) -> Result<Config, Problem> {
    Ok(Config::read(&app.settings)?)
}

/// Carry out the jobs that wait
///
/// It also writes down which points have ended.
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "internal", operation_id = "drainLoyalty",
    responses((status = 200, description = "What was done.", body = Drained))
)]
pub(crate) async fn drain(State(app): State<App>, _: Internal) -> Result<Response, Error> {
    let config = config(&app)?;
    let drained = carry_out(&app, &config, DRAINED_FOR).await?;
    let sql = sql(&app);
    let ledger = Ledger::new(&sql, config.daily_operations);
    for _ in 0..SWEEPS {
        if !expiry::sweep(&ledger, app.clock.now()).await.map_err(problem)? {
            break;
        }
    }
    Ok(drained.into_response())
}

/// Hears of the accounts that were made until now.
pub(crate) async fn catch_up(app: &App, config: &Config) -> Result<(), SqlError> {
    carry_out(app, config, CAUGHT_UP_FOR).await.map(drop)
}

async fn carry_out(app: &App, config: &Config, time: Duration) -> Result<Drained, SqlError> {
    let sql = sql(app);
    let events = Events { sql: &sql, clock: &app.clock, config };
    let jobs = events.jobs();
    let drained = jobs.performer(&sql, &app.clock, &app.entropy).drain(app.clock.now() + time).await?;
    Ok(Drained { performed: drained.performed, failed: drained.failed, more: drained.more })
}

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings)?;
    switch(&settings, "legacy_rules")?;
    text(&settings, "metrics_key")?;
    Database::read(&settings).map(drop)
}
