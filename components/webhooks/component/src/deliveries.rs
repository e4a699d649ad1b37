//! Sending events, and trying that it works.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use http::StatusCode;
use octo_core::{
    Clock, Problem, SettingError, Settings, Sql,
    sql::{Database, Migrated, Schema},
};
use octo_http::{
    App, Error, Response,
    drained::Drained,
    extract::{Admin, Internal},
    respond,
};
use octo_jobs::{Jobs, NewJob, PublicEvent, Written};
use octo_webhooks::{Config, Webhooks, delivery::DeliverEvent, switch};
use serde::Serialize;
use utoipa::ToSchema;

/// How long one request carries out jobs.
const DRAINED_FOR: Duration = Duration::from_secs(5);

const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA];

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings)?;
    Database::read(&settings).map(drop)
}

fn sql(app: &App) -> Migrated<'_, Arc<dyn Sql>> {
    Migrated::new(&app.sql, TABLES)
}

/// An event that was made to try webhooks with.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub(crate) struct TestBody {
    /// What the request's `webhook-id` will be.
    #[schema(example = "webhook.test/1800000000000")]
    id: String,
}

/// Have a test event sent
///
/// Of the type `webhook.test`, to the address in the variables.
#[utoipa::path(
    post, path = "/webhooks/test", tag = "webhooks", operation_id = "testWebhook",
    responses(
        (status = 202, description = "It will be sent.", body = TestBody),
        (status = 409, description = "There is no secret to sign it with: webhooks are off."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn test(State(app): State<App>, _: Admin) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    if config.secret.is_none() {
        let detail = "The operator sets the variables `webhook_origin`, `webhook_path` and `webhook_secret`.";
        return Err(Problem::new(StatusCode::CONFLICT, "webhooks-off", "Webhooks are off", detail).into());
    }
    let now = app.clock.now();
    let event = PublicEvent { r#type: "webhook.test".to_owned(), at: now.0, data: serde_json::Map::new() };
    let id = format!("webhook.test/{}", now.0);
    let job = Written::of(&DeliverEvent(event)).map_err(|error| Problem::internal().because(error))?;
    let sql = sql(&app);
    Jobs::new(&sql).enqueue(&NewJob { correlation_id: Some(&id), ..job.due(now) }, now).await?;
    let later = app.clone();
    app.after.run(async move { drop(carry_out(&later, &config).await) });
    Ok(respond::json(StatusCode::ACCEPTED, &TestBody { id }))
}

/// Send the events that wait
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "internal", operation_id = "drainWebhooks",
    responses((status = 200, description = "What was done.", body = Drained))
)]
pub(crate) async fn drain(State(app): State<App>, _: Internal) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    switch::set(&sql(&app), config.secret.is_some()).await?;
    Ok(carry_out(&app, &config).await?.into_response())
}

async fn carry_out(app: &App, config: &Config) -> Result<Drained, Error> {
    let sql = sql(app);
    let webhooks = Webhooks { http: &app.http, clock: &app.clock, config };
    let jobs = webhooks.jobs();
    let drained = jobs.performer(&sql, &app.clock, &app.entropy).drain(app.clock.now() + DRAINED_FOR).await?;
    Ok(Drained { performed: drained.performed, failed: drained.failed, more: drained.more })
}
