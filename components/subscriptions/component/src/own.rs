//! Our own routes.

use std::time::Duration;

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use octo_core::{Problem, SettingError, Settings, sql::Database};
use octo_http::{
    App, Error, Items, Page, Response,
    body::Fields,
    drained::Drained,
    extract::{Internal, Whole},
    idempotency::{IdempotencyKey, Scope},
    page::PageParams,
    path, prefer,
    query::Query,
    respond,
};
use octo_subscriptions::{Authority, Config, Event, Notification, Request};

use crate::{
    accounts::AccountsInAuth,
    guards::Authorized,
    notifications::{self, subscriptions},
    responses::{self, EntryBody, PurchaseBody, ReplyBody, SubscriptionBody, problem},
};

/// Buy a subscription
///
/// For oneself, or as an administrator for the user whom the body names. The user has paid access from the next message
/// on.
#[utoipa::path(
    post, path = "/subscriptions", tag = "subscriptions", operation_id = "purchaseSubscription",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 25 at most."),
    ),
    request_body(content = Option<PurchaseBody>, description = "No body is an empty object."),
    responses(
        (status = 201, description = "The subscription.", body = SubscriptionBody,
            headers(("Location" = String, description = "Where the subscription is."))),
        (status = 202, description = "The result is not ready in time.", body = ReplyBody,
            headers(("Location" = String, description = "Where the reply will be."))),
        (status = 404, description = "There is no such user, or it is somebody else."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
        (status = 429, description = "The user asked for too many changes today."),
        (status = 503, description = "The accounts or the database are away, or the purchase failed too often."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn purchase(
    State(app): State<App>,
    Authorized { caller, authority }: Authorized,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let sender = Sender::of(request.headers(), &caller.claims.sub, authority, "POST /subscriptions")?;
    let mut fields = Fields::read_optional(request)?;
    let user_id = fields.maybe_whole_number("user_id");
    let user_id = fields.finish(user_id)?.or(caller.claims.user_id());
    let user_id = user_id.ok_or_else(|| Problem::invalid("/user_id", "is required"))?;
    sender.publish(&app, Notification::Purchased { user_id }).await
}

/// Cancel a subscription
///
/// Paid access that it gave ends with the next message. To cancel it twice changes nothing.
#[utoipa::path(
    post, path = "/subscriptions/{id}/cancel", tag = "subscriptions", operation_id = "cancelSubscription",
    params(
        ("id" = i64, Path, description = "The subscription's number.", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 25 at most."),
    ),
    responses(
        (status = 200, description = "The subscription.", body = SubscriptionBody),
        (status = 202, description = "The result is not ready in time.", body = ReplyBody,
            headers(("Location" = String, description = "Where the reply will be."))),
        (status = 404, description = "There is no such subscription, or it is somebody else's."),
        (status = 422, description = "The key belongs to another request."),
        (status = 429, description = "The user asked for too many changes today."),
        (status = 503, description = "The accounts or the database are away, or the change failed too often."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Authorized { caller, authority }: Authorized,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let sender = Sender::of(&headers, &caller.claims.sub, authority, Event::Canceled.name())?;
    let subscription_id = number(&id)?;
    sender.publish(&app, Notification::Canceled { subscription_id }).await
}

/// Restart a canceled subscription
///
/// It gives paid access again, from the next message on. To restart it twice changes nothing.
#[utoipa::path(
    post, path = "/subscriptions/{id}/restart", tag = "subscriptions", operation_id = "restartSubscription",
    params(
        ("id" = i64, Path, description = "The subscription's number.", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 25 at most."),
    ),
    responses(
        (status = 200, description = "The subscription.", body = SubscriptionBody),
        (status = 202, description = "The result is not ready in time.", body = ReplyBody,
            headers(("Location" = String, description = "Where the reply will be."))),
        (status = 404, description = "There is no such subscription, or it is somebody else's, or its account is deleted."),
        (status = 422, description = "The key belongs to another request."),
        (status = 429, description = "The user asked for too many changes today."),
        (status = 503, description = "The accounts or the database are away, or the change failed too often."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn restart(
    State(app): State<App>,
    Authorized { caller, authority }: Authorized,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let sender = Sender::of(&headers, &caller.claims.sub, authority, Event::Restarted.name())?;
    let subscription_id = number(&id)?;
    sender.publish(&app, Notification::Restarted { subscription_id }).await
}

/// See what became of a purchase, cancel or restart
///
/// For requests that were answered with 202. Replies are kept for a day.
#[utoipa::path(
    get, path = "/subscriptions/replies/{correlation_id}", tag = "subscriptions",
    operation_id = "getSubscriptionReply",
    params(("correlation_id" = String, Path, description = "The `correlation_id` of the 202 response.")),
    responses(
        (status = 200, description = "How it stands.", body = ReplyBody),
        (status = 404, description = "There is no such reply, or not any more."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn reply(
    State(app): State<App>,
    Authorized { authority, .. }: Authorized,
    Path(correlation_id): Path<String>,
) -> Result<Response, Error> {
    let (accounts, config) = (AccountsInAuth(&app), Config::read(&app.settings)?);
    let subscriptions = subscriptions(&app, &accounts, &config);
    let reply = subscriptions.reply(authority, &correlation_id).await.map_err(problem)?;
    Ok(responses::reply(StatusCode::OK, &correlation_id, &reply))
}

/// See a subscription
#[utoipa::path(
    get, path = "/subscriptions/{id}", tag = "subscriptions", operation_id = "getSubscription",
    params(("id" = i64, Path, description = "The subscription's number.", minimum = 1)),
    responses(
        (status = 200, description = "The subscription.", body = SubscriptionBody),
        (status = 404, description = "There is no such subscription, or it is somebody else's."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn subscription(
    State(app): State<App>,
    Authorized { authority, .. }: Authorized,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let (id, accounts, config) = (number(&id)?, AccountsInAuth(&app), Config::read(&app.settings)?);
    let subscription = subscriptions(&app, &accounts, &config).subscription(authority, id).await;
    Ok(responses::subscription(StatusCode::OK, &subscription.map_err(problem)?))
}

/// See the subscriptions
///
/// One's own, by number. Administrators see everybody's, or those of one user.
#[utoipa::path(
    get, path = "/subscriptions", tag = "subscriptions", operation_id = "listSubscriptions",
    params(PageParams, ("user_id" = Option<i64>, Query, description = "Only those of this user.")),
    responses(
        (status = 200, description = "A page of them.", body = Items<SubscriptionBody>),
        (status = 404, description = "There is no such user, or it is somebody else."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Authorized { authority, .. }: Authorized,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let (user_id, part) = (query.number("user_id")?, part(&page)?);
    let (accounts, config) = (AccountsInAuth(&app), Config::read(&app.settings)?);
    let list = subscriptions(&app, &accounts, &config).list(authority, user_id, part).await;
    let list = list.map_err(problem)?;
    Ok(respond::json(StatusCode::OK, &page.items(&list, SubscriptionBody::from, |each| each.id)))
}

/// See what changed a subscription
///
/// Oldest first.
#[utoipa::path(
    get, path = "/subscriptions/{id}/history", tag = "subscriptions", operation_id = "getSubscriptionHistory",
    params(("id" = i64, Path, description = "The subscription's number.", minimum = 1), PageParams),
    responses(
        (status = 200, description = "A page of its history.", body = Items<EntryBody>),
        (status = 404, description = "There is no such subscription, or it is somebody else's."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn history(
    State(app): State<App>,
    Authorized { authority, .. }: Authorized,
    Path(id): Path<String>,
    page: Page,
) -> Result<Response, Error> {
    let (id, part) = (number(&id)?, part(&page)?);
    let (accounts, config) = (AccountsInAuth(&app), Config::read(&app.settings)?);
    let history = subscriptions(&app, &accounts, &config).history(authority, id, part).await;
    let history = history.map_err(problem)?;
    Ok(respond::json(StatusCode::OK, &page.items(&history, EntryBody::from, |entry| entry.id)))
}

/// Perform the notifications that wait
///
/// The component `jobs` sends this request when the scheduler calls it.
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "internal", operation_id = "drainSubscriptions",
    responses((status = 200, description = "What was done.", body = Drained))
)]
pub(crate) async fn drain(State(app): State<App>, _: Internal) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    Ok(notifications::drain(&app, &config).await?.into_response())
}

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings)?;
    Database::read(&settings).map(drop)
}

/// What a request says of its notification, whichever that is.
struct Sender {
    authority: Authority,
    key: Option<String>,
    wait: Option<Duration>,
}

impl Sender {
    fn of(headers: &HeaderMap, caller: &str, authority: Authority, route: &str) -> Result<Self, Problem> {
        let key = IdempotencyKey::read(headers)?.map(|key| key.scoped(Scope { caller, route }));
        Ok(Self { authority, key, wait: prefer::wait(headers) })
    }

    async fn publish(self, app: &App, notification: Notification) -> Result<Response, Error> {
        let Self { authority, key, wait: preferred } = self;
        let config = Config::read(&app.settings)?;
        let wait = preferred.unwrap_or(config.reply_wait);
        let request = Request { authority, notification, key: key.as_deref(), wait };
        let published = notifications::publish(app, &config, &request).await.map_err(problem)?;
        let mut response = responses::published(notification, &published)?;
        if let Some(applied) = preferred.and_then(prefer::applied) {
            response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    }
}

/// The number of a subscription, as its path has it.
fn number(text: &str) -> Result<i64, Problem> {
    path::id(text).ok_or_else(responses::no_such_subscription)
}

/// The page as the domain has it.
fn part(page: &Page) -> Result<octo_subscriptions::Page, Problem> {
    Ok(octo_subscriptions::Page { after: page.after_number()?, limit: page.limit })
}
