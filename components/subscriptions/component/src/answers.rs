//! Our own answers.

use http::{HeaderValue, StatusCode, header};
use octo_core::Problem;
use octo_http::{
    Response,
    exchange::LogFields,
    idempotency::{self, REPLAYED},
    respond,
};
use octo_subscriptions::{
    CHANGES_PER_DAY, Entry, Notification, Page, Published, Refusal, Reply, Status, Subscription,
};
use serde::Serialize;

/// A subscription as its owner and administrators see it. Times are RFC 3339.
#[derive(Serialize)]
struct SubscriptionBody<'a> {
    id: i64,
    user_id: i64,
    full_name: &'a str,
    status: Status,
    created_at: String,
    updated_at: Option<String>,
}

/// A line of a history.
#[derive(Serialize)]
struct EntryBody<'a> {
    id: i64,
    #[serde(rename = "type")]
    event: &'static str,
    correlation_id: &'a str,
    created_at: String,
}

/// How a notification stands.
#[derive(Serialize)]
struct ReplyBody<'a> {
    correlation_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<SubscriptionBody<'a>>,
}

#[derive(Serialize)]
struct List<'a> {
    subscriptions: Vec<SubscriptionBody<'a>>,
    next: Option<i64>,
}

#[derive(Serialize)]
struct History<'a> {
    history: Vec<EntryBody<'a>>,
    next: Option<i64>,
}

impl<'a> From<&'a Subscription> for SubscriptionBody<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        Self {
            id: subscription.id,
            user_id: subscription.user_id,
            full_name: &subscription.user,
            status: subscription.status,
            created_at: subscription.created_at.to_string(),
            updated_at: subscription.updated_at.map(|at| at.to_string()),
        }
    }
}

impl<'a> From<&'a Entry> for EntryBody<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            id: entry.id,
            event: entry.event.name(),
            correlation_id: &entry.correlation_id,
            created_at: entry.created_at.to_string(),
        }
    }
}

/// One subscription.
pub(crate) fn subscription(status: StatusCode, subscription: &Subscription) -> Response {
    respond::json(status, &SubscriptionBody::from(subscription))
}

/// Several.
pub(crate) fn list(list: &[Subscription], page: Page) -> Response {
    let next = list.last().filter(|_| is_full(list, page)).map(|last| last.id);
    respond::json(StatusCode::OK, &List { subscriptions: list.iter().map(Into::into).collect(), next })
}

/// A history.
pub(crate) fn history(entries: &[Entry], page: Page) -> Response {
    let next = entries.last().filter(|_| is_full(entries, page)).map(|last| last.id);
    respond::json(StatusCode::OK, &History { history: entries.iter().map(Into::into).collect(), next })
}

fn is_full<T>(list: &[T], page: Page) -> bool {
    list.len() as i64 == page.limit
}

/// What became of a notification while its sender waited: done, or to be asked for later.
pub(crate) fn published(notification: Notification, published: &Published) -> Result<Response, Problem> {
    let mut response = match (&published.reply, notification) {
        (Reply::Done(done), Notification::Purchased { .. }) => {
            located(subscription(StatusCode::CREATED, done), &format!("/subscriptions/{}", done.id))
        }
        (Reply::Done(done), _) => subscription(StatusCode::OK, done),
        (Reply::Waiting, _) => {
            let id = &published.correlation_id;
            let response = reply(StatusCode::ACCEPTED, id, &published.reply);
            located(response, &format!("/subscriptions/replies/{id}"))
        }
        (Reply::Discarded(reason), _) => return Err(given_up(&published.correlation_id, reason)),
    };
    if published.repeated {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(logged(response, notification, published))
}

/// The answer, with what the log line says of its notification.
pub(crate) fn logged(mut response: Response, notification: Notification, published: &Published) -> Response {
    let log = LogFields::default()
        .with("notification", notification.event().name())
        .with("correlation_id", published.correlation_id.as_str())
        .with("outcome", outcome(&published.reply));
    response.extensions_mut().insert(log);
    response
}

/// A word for how a notification stands.
fn outcome(reply: &Reply) -> &'static str {
    match reply {
        Reply::Waiting => "waiting",
        Reply::Done(_) => "done",
        Reply::Discarded(_) => "given_up",
    }
}

/// How a notification stands.
pub(crate) fn reply(status: StatusCode, correlation_id: &str, reply: &Reply) -> Response {
    let subscription = match reply {
        Reply::Done(subscription) => Some(subscription.into()),
        Reply::Waiting | Reply::Discarded(_) => None,
    };
    let body = ReplyBody { correlation_id, status: outcome(reply), subscription };
    let mut response = respond::json(status, &body);
    if *reply == Reply::Waiting {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// There is no such subscription, or it is somebody else's: nobody is told which.
pub(crate) fn no_such_subscription() -> Problem {
    refused(Refusal::NoSuchSubscription)
}

/// Why something is refused.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    let not_found =
        |detail| Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here", detail);
    match refusal {
        Refusal::NoSuchUser => not_found("There is no such user."),
        Refusal::NoSuchSubscription => not_found("There is no such subscription."),
        Refusal::NoSuchReply => {
            not_found("There is no such reply, or not any more: they are kept for a day.")
        }
        Refusal::TooManyChanges { seconds } => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-changes",
            "There were too many purchases, cancels and restarts today",
            format!("A user may ask for {CHANGES_PER_DAY} in a day (UTC). Nothing was changed."),
        )
        .retry_after(seconds),
        Refusal::KeyReused => idempotency::Refusal::Mismatch.into(),
        Refusal::Sql(error) => error.into(),
        Refusal::Away(away) => Problem::unavailable().because(away),
        Refusal::Message(error) => Problem::internal().because(error),
    }
}

fn given_up(correlation_id: &str, reason: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "notification-given-up",
        "The notification could not be performed",
        "It failed too often and was put aside. An administrator can have it performed again; do not send it again.",
    )
    .with("correlation_id", correlation_id)
    .because(reason)
}

fn located(mut response: Response, place: &str) -> Response {
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}
