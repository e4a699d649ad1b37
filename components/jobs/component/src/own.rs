//! The routes.

use std::{sync::Arc, time::Duration};

use axum::extract::{Path, State};
use http::{StatusCode, request::Parts};
use octo_core::{
    SettingError, Settings, Sql, settings,
    sql::{Database, Migrated, Schema},
};
use octo_http::{
    App, Error, Items, Page, Response, audit,
    drained::Drained,
    extract::{self, Admin},
    idempotency::KeyValueIdempotency,
    page::PageParams,
    path,
    query::Query,
    respond,
};
use octo_jobs::{Jobs, SCHEMA};

use crate::{
    responses::{self, DeadLetterBody, QueueBody},
    workers,
};

/// How long one call for a drain removes old idempotency keys.
const SWEPT_FOR: Duration = Duration::from_secs(1);
/// Of these so many before the time is looked at.
const KEYS_AT_ONCE: usize = 16;

/// Rounds of removing what is done, in one call of the scheduler: some tenths of a second together.
const SWEEPS: usize = 20;

const TABLES: &[&Schema] = &[&SCHEMA];

/// Carry out the jobs that wait
///
/// Background jobs need a scheduler: any program that sends this request every few seconds. The run command does. One
/// request works for some seconds at most.
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "jobs", operation_id = "drainJobs",
    responses((status = 200, description = "What was done.", body = Drained)),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn drain(State(app): State<App>, mut parts: Parts) -> Result<Response, Error> {
    if !extract::has_operator_key(&parts.headers, &app, "jobs_key")? {
        extract::service_account(&mut parts, &app, "A scheduler is needed").await?;
    }
    let sql = migrated(&app);
    // What no statement would miss, such as a new index, is made here.
    sql.apply().await?;
    // What thousands of callers left behind in a day goes within minutes, however rarely the scheduler calls.
    for _ in 0..SWEEPS {
        if !Jobs::new(&sql).sweep(app.clock.now()).await? {
            break;
        }
    }
    forget_old_keys(&app).await;
    Ok(workers::drain(&app).await?)
}

/// Removes old idempotency keys, whether new ones come or not. A store that is away has them removed another time,
/// and must not keep the jobs waiting.
async fn forget_old_keys(app: &App) {
    let until = app.clock.now() + SWEPT_FOR;
    let keys = KeyValueIdempotency::new(&app.store);
    while app.clock.now() < until {
        if !keys.forget_old(app.clock.now(), KEYS_AT_ONCE).await.unwrap_or(false) {
            return;
        }
    }
}

/// See the queues
///
/// How many jobs wait in each queue, since when, and how many have failed for good.
#[utoipa::path(
    get, path = "/internal/jobs", tag = "jobs", operation_id = "listQueues",
    responses((status = 200, description = "The queues that have jobs.", body = Items<QueueBody>)),
    security(("access_token" = []))
)]
pub(crate) async fn queues(State(app): State<App>, _: Admin) -> Result<Response, Error> {
    let backlog = Jobs::new(&migrated(&app)).backlog().await?;
    let items = Items { items: backlog.iter().map(QueueBody::from).collect(), next: None };
    Ok(respond::json(StatusCode::OK, &items))
}

/// See the dead letters
///
/// The jobs that have failed for good, oldest first.
#[utoipa::path(
    get, path = "/internal/jobs/dead", tag = "jobs", operation_id = "listDeadLetters",
    params(PageParams, ("queue" = Option<String>, Query, description = "Only those of this queue.")),
    responses((status = 200, description = "A page of them.", body = Items<DeadLetterBody>)),
    security(("access_token" = []))
)]
pub(crate) async fn dead_letters(
    State(app): State<App>,
    _: Admin,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let (sql, after) = (migrated(&app), page.after_number()?);
    let dead = Jobs::new(&sql).dead_letters(query.get("queue"), after, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&dead, DeadLetterBody::from, |letter| letter.id)))
}

/// Try a dead letter once more
///
/// It goes to the end of its queue with all its attempts before it.
#[utoipa::path(
    post, path = "/internal/jobs/dead/{id}/replay", tag = "jobs", operation_id = "replayDeadLetter",
    params(("id" = i64, Path, description = "The dead letter's number.", minimum = 0)),
    responses(
        (status = 202, description = "It waits to be carried out."),
        (status = 404, description = "There is no such dead letter."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn replay(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = number(&id)?;
    audit::note(&app, actor, "replay-dead-letter", &[("dead_letter", id.into())]).await?;
    let replayed = Jobs::new(&migrated(&app)).replay(id, app.clock.now()).await?;
    if replayed {
        Ok(respond::empty(StatusCode::ACCEPTED))
    } else {
        Err(responses::no_such_dead_letter().into())
    }
}

/// Remove a dead letter
#[utoipa::path(
    delete, path = "/internal/jobs/dead/{id}", tag = "jobs", operation_id = "removeDeadLetter",
    params(("id" = i64, Path, description = "The dead letter's number.", minimum = 0)),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such dead letter."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = number(&id)?;
    audit::note(&app, actor, "remove-dead-letter", &[("dead_letter", id.into())]).await?;
    let removed = Jobs::new(&migrated(&app)).remove_dead_letter(id).await?;
    if removed {
        Ok(respond::empty(StatusCode::NO_CONTENT))
    } else {
        Err(responses::no_such_dead_letter().into())
    }
}

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    settings::text(&settings, "jobs_key")?;
    Database::read(&settings).map(drop)
}

fn migrated(app: &App) -> Migrated<'_, Arc<dyn Sql>> {
    Migrated::new(&app.sql, TABLES)
}

/// The number of a dead letter, as its path has it.
fn number(text: &str) -> Result<i64, Error> {
    path::id(text).ok_or_else(|| responses::no_such_dead_letter().into())
}
