//! Our own responses. Times are RFC 3339.

use http::{HeaderValue, StatusCode, header};
use octo_core::Problem;
use octo_http::{
    Response,
    exchange::LogFields,
    idempotency::{self, REPLAYED},
    respond,
};
use octo_subscriptions::{
    CHANGES_PER_DAY, Entry, Event, Notification, Published, Refusal, Reply, Status, Subscription,
};
use serde::Serialize;
use utoipa::ToSchema;

/// For whom a subscription is bought.
#[derive(ToSchema)]
#[schema(as = SubscriptionPurchase)]
#[allow(dead_code)]
pub(crate) struct PurchaseBody {
    /// The number of the user's account, for administrators; without it, it is one's own.
    #[schema(example = 7)]
    user_id: Option<i64>,
}

/// A subscription as its owner and administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct SubscriptionBody {
    id: i64,
    /// The number of the account that it is for.
    #[schema(example = 7)]
    user_id: i64,
    /// The full name of that account's owner when the last subscription was bought; may be empty.
    #[schema(example = "Ada Lovelace")]
    full_name: String,
    status: StatusBody,
    #[schema(format = DateTime)]
    created_at: String,
    /// When its status last changed.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

/// Whether a subscription gives paid access.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = SubscriptionStatus)]
pub(crate) enum StatusBody {
    /// It does.
    Active,
    /// It was canceled, and can be restarted.
    Canceled,
}

/// Something that changed a subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionHistoryEntry)]
pub(crate) struct EntryBody {
    id: i64,
    r#type: EventBody,
    /// The `correlation_id` of the request that led to it.
    correlation_id: String,
    #[schema(format = DateTime)]
    created_at: String,
}

/// What happened to a subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionEvent)]
pub(crate) enum EventBody {
    #[serde(rename = "SUBSCRIPTION_PURCHASED")]
    Purchased,
    #[serde(rename = "SUBSCRIPTION_CANCELED")]
    Canceled,
    #[serde(rename = "SUBSCRIPTION_RESTARTED")]
    Restarted,
}

/// What became of a purchase, cancel or restart.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionReply)]
pub(crate) struct ReplyBody {
    correlation_id: String,
    status: ReplyStatus,
    /// The subscription as it was left, when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subscription: Option<SubscriptionBody>,
}

/// How a purchase, cancel or restart stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubscriptionReplyStatus)]
pub(crate) enum ReplyStatus {
    /// It will be done.
    Waiting,
    /// It is done.
    Done,
    /// It failed too often. An administrator can have it tried again.
    GivenUp,
}

impl From<&Subscription> for SubscriptionBody {
    fn from(of: &Subscription) -> Self {
        Self {
            id: of.id,
            user_id: of.user_id,
            full_name: of.user.clone(),
            status: match of.status {
                Status::Active => StatusBody::Active,
                Status::Canceled => StatusBody::Canceled,
            },
            created_at: of.created_at.to_string(),
            updated_at: of.updated_at.map(|at| at.to_string()),
        }
    }
}

impl From<&Entry> for EntryBody {
    fn from(of: &Entry) -> Self {
        Self {
            id: of.id,
            r#type: match of.event {
                Event::Purchased => EventBody::Purchased,
                Event::Canceled => EventBody::Canceled,
                Event::Restarted => EventBody::Restarted,
            },
            correlation_id: of.correlation_id.clone(),
            created_at: of.created_at.to_string(),
        }
    }
}

impl From<&Reply> for ReplyStatus {
    fn from(of: &Reply) -> Self {
        match of {
            Reply::Waiting => Self::Waiting,
            Reply::Done(_) => Self::Done,
            Reply::Discarded(_) => Self::GivenUp,
        }
    }
}

impl ReplyStatus {
    /// A word for the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::GivenUp => "given_up",
        }
    }
}

/// One subscription.
pub(crate) fn subscription(status: StatusCode, subscription: &Subscription) -> Response {
    respond::json(status, &SubscriptionBody::from(subscription))
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

/// The response, with what the log line says of its notification.
pub(crate) fn logged(mut response: Response, notification: Notification, published: &Published) -> Response {
    let log = LogFields::default()
        .with("notification", notification.event().name())
        .with("correlation_id", published.correlation_id.as_str())
        .with("outcome", ReplyStatus::from(&published.reply).name());
    response.extensions_mut().insert(log);
    response
}

/// How a notification stands.
pub(crate) fn reply(status: StatusCode, correlation_id: &str, reply: &Reply) -> Response {
    let subscription = match reply {
        Reply::Done(subscription) => Some(subscription.into()),
        Reply::Waiting | Reply::Discarded(_) => None,
    };
    let body = ReplyBody { correlation_id: correlation_id.to_owned(), status: reply.into(), subscription };
    let mut response = respond::json(status, &body);
    if *reply == Reply::Waiting {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// There is no such subscription, or it is somebody else's: nobody is told which.
pub(crate) fn no_such_subscription() -> Problem {
    problem(Refusal::NoSuchSubscription)
}

/// Why something is refused.
pub(crate) fn problem(refusal: Refusal) -> Problem {
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
