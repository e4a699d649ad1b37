//! Our routes.

use axum::extract::State;
use http::{HeaderMap, Method};
use octo_admission_backend::{AdmissionBackend, AdmissionRequest, Once};
use octo_core::{Problem, SettingError, Settings};
use octo_gateway::{Config, Message};
use octo_http::{
    App, Error, Response,
    body::Fields,
    caller,
    extract::{Whole, has_operator_key},
    idempotency::{Fingerprint, IdempotencyKey},
    prefer,
};
use utoipa::ToSchema;

use crate::{
    dispatch::{self, Posted, backend},
    responses::{self, ProcessedBody, QuotaBody},
    stats::{self, StatsBody},
};

/// A message to be processed.
#[derive(ToSchema)]
#[schema(as = NewMessage)]
#[allow(dead_code)]
struct NewMessage {
    /// The text: 1 to 65536 bytes of UTF-8.
    #[schema(min_length = 1, max_length = 65536, example = "abc")]
    message: String,
}

/// Send a message
///
/// It goes to the free provider while that has room, and otherwise to the paid one if you have paid access. With
/// `Prefer: wait=20` it waits up to that many seconds for a free place. With an `Idempotency-Key` it is processed once,
/// however often you send it.
#[utoipa::path(
    post, path = "/messages", tag = "messages", operation_id = "sendMessage",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters of your own: a repeat gets the first response."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (25 at most) for a free place.", example = "wait=5"),
    ),
    request_body = NewMessage,
    responses(
        (status = 200, description = "A provider has processed it.", body = ProcessedBody,
         headers(
            ("RateLimit" = String, description = "What the free tier has left, and until when (IETF draft)."),
            ("RateLimit-Policy" = String, description = "Free calls in a window, and its seconds."),
            ("Preference-Applied" = String, description = "The wait that was granted."),
            ("Idempotency-Replayed" = String, description = "`true` when this is the response to an earlier request."),
         )),
        (status = 401, description = "There is no accepted access token."),
        (status = 409, description = "A request with this key is under way, or nobody knows how it ended."),
        (status = 413, description = "The body is too large."),
        (status = 422, description = "The message breaks a rule, or the providers refused it."),
        (status = 429, description = "No free place is left, and you have no paid access or have used it up. `Retry-After` tells when to come back."),
        (status = 502, description = "A provider failed."),
        (status = 503, description = "The counter or a provider is away."),
        (status = 504, description = "A provider did not respond in time."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn send(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    let wait = prefer::wait(request.headers());
    let posted = Posted {
        token: caller::token(request.method(), request.headers()).map(str::to_owned),
        wait_until: wait.map(|wait| app.clock.now() + wait),
        daily: (config.daily_per_user > 0).then_some(config.daily_per_user),
        message: read_message(request),
    };
    let respond = |id: &str, routed, kept| {
        let mut response = responses::routed(id, routed, kept, &config, app.clock.now())?;
        if let Some(applied) = wait.and_then(prefer::applied) {
            response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    };
    Ok(dispatch::dispatch(&app, &config, posted, respond).await.or_else(responses::refused)?)
}

fn read_message(request: octo_http::Request) -> Result<(Message, Option<Once>), Problem> {
    let key = IdempotencyKey::read(request.headers());
    let mut fields = Fields::read(request)?;
    let message = fields.text("message", Message::new);
    let message = fields.finish(message)?;
    let once = key?.map(|key| Once { key, fingerprint: Fingerprint::of(&[message.as_str().as_bytes()]) });
    Ok((message, once))
}

/// See the free tier
///
/// How many free calls the window has left, and when free use resumes when it is closed.
#[utoipa::path(
    get, path = "/messages/quota", tag = "messages", operation_id = "getQuota",
    responses((status = 200, description = "The free tier now.", body = QuotaBody)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn quota(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    let stores = backend(&app, &config)?;
    if let Err(refusal) = stores.admit(&looking(&method, &headers)).await {
        return Ok(responses::refused(refusal)?);
    }
    let status = stores.status().await?;
    Ok(responses::quota(&status, &config, app.clock.now()))
}

/// See what became of the messages
///
/// Of each of the last windows, and of all since the counting began.
#[utoipa::path(
    get, path = "/messages/stats", tag = "messages", operation_id = "getStats",
    responses((status = 200, description = "The figures.", body = StatsBody)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn stats(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    let stores = backend(&app, &config)?;
    if let Err(refusal) = stores.admit(&looking(&method, &headers)).await {
        return Ok(responses::refused(refusal)?);
    }
    Ok(stats::stats(&stores.figures().await?, config.tier.limits.window))
}

/// Collect the metrics
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token.
#[utoipa::path(
    get, path = "/metrics", tag = "messages", operation_id = "getMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    let stores = backend(&app, &config)?;
    if !has_operator_key(&headers, &app, "metrics_key")?
        && let Err(refusal) = stores.admit(&looking(&method, &headers)).await
    {
        return Ok(responses::refused(refusal)?);
    }
    Ok(stats::metrics(&stores.figures().await?, &stores.status().await?, app.clock.now()))
}

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings).map(drop)
}

/// The request of somebody who only wants to look.
fn looking(method: &Method, headers: &HeaderMap) -> AdmissionRequest {
    AdmissionRequest { token: caller::token(method, headers).map(str::to_owned), message: None }
}
