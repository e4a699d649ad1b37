//! What HTTP makes of the gateway's outcomes.

use http::{HeaderName, HeaderValue, StatusCode};
use octo_admission_backend::Refusal;
use octo_core::{Problem, UnixMillis};
use octo_gateway::{
    Config,
    free_tier::{Closed, ClosedReason, Limits, Status, WindowId, WindowModel},
    response::Failure,
    routing::{PaidFailure, Provider, Reason, Routed, Unprocessed},
};
use octo_http::{Response, exchange::LogFields, respond};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The IETF draft `draft-ietf-httpapi-ratelimit-headers`.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The body of a processed message.
#[derive(Serialize, ToSchema)]
#[schema(as = ProcessedMessage)]
pub(crate) struct ProcessedBody {
    /// The message's id, which is also in the log.
    id: String,
    /// Always true.
    ok: bool,
    /// What the provider made of the message.
    #[schema(example = "cba")]
    response: String,
    /// Which provider it was: `free` or `paid`.
    #[schema(value_type = String, example = "free")]
    provider: Provider,
    /// Why this one.
    #[schema(value_type = String, example = "free_available")]
    reason: Reason,
}

/// The body of `GET /messages/quota`. Times are RFC 3339.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaBody {
    /// Free calls in a window.
    limit: i64,
    /// Those that are taken.
    used: i64,
    /// Those that a message could get now.
    remaining: i64,
    window: WindowBody,
    block: BlockBody,
    /// Whether the free provider takes calls now.
    free_open: bool,
    /// Why it does not.
    #[schema(required, value_type = Option<String>)]
    closed_because: Option<ClosedReason>,
    /// When it does again.
    #[schema(required, format = DateTime)]
    free_reopens_at: Option<String>,
    /// The same in seconds from now.
    #[schema(required)]
    free_reopens_in_seconds: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuotaWindow)]
pub(crate) struct WindowBody {
    /// How windows follow one another.
    #[schema(example = "aligned")]
    model: &'static str,
    seconds: u64,
    #[schema(format = DateTime)]
    starts_at: String,
    #[schema(format = DateTime)]
    ends_at: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuotaBlock)]
pub(crate) struct BlockBody {
    /// How long the provider blocks who exceeds its limit.
    seconds: u64,
    /// Until when it blocks us, if it does.
    #[schema(required, format = DateTime)]
    until: Option<String>,
}

/// The answer to a routed message. `kept`: it is what repeats with the same key get.
pub(crate) fn routed(
    id: &str,
    routed: Routed,
    kept: bool,
    config: &Config,
    now: UnixMillis,
) -> Result<Response, Problem> {
    let limits = &config.tier.limits;
    let mut log = LogFields::default().with("message", id);
    for (provider, failure) in [("free", &routed.free_failure), ("paid", &routed.paid_failure)] {
        let Some(failure) = failure else { continue };
        log = log.with(&format!("{provider}_failure"), failure.to_string());
        let operator_error = match failure {
            Failure::Credential(status) => Some(format!(
                "the {provider} provider refuses our credential with {status}: see `{provider}_provider_key`"
            )),
            Failure::CallRefused(status) => Some(format!(
                "the {provider} provider refuses how it is called with {status}: see `{provider}_provider_model` and \
                 `{provider}_provider_path`"
            )),
            _ => None,
        };
        if let Some(what) = operator_error {
            log = log.with(&format!("{provider}_operator_error"), what);
        }
    }
    if let Some(error) = routed.store_errors.first() {
        log = log.with("store_error", error.to_string());
    }
    if !routed.waited.is_zero() {
        log = log.with("waited_ms", octo_core::time::millis(routed.waited));
    }
    match routed.result {
        Ok(processed) => {
            let body = ProcessedBody {
                id: id.to_owned(),
                ok: true,
                response: processed.response,
                provider: processed.provider,
                reason: processed.reason,
            };
            let mut response = respond::json(StatusCode::OK, &body);
            if let Some(remaining) = processed.remaining {
                let reset = match config.tier.model {
                    WindowModel::Aligned => WindowId::containing(now, limits.window).end(limits.window),
                    // Every slot held now is back by then, if not before.
                    _ => now + limits.window,
                };
                add_rate_limit(&mut response, limits, remaining, reset.seconds_from(now));
            }
            log = log.with("provider", json!(processed.provider)).with("reason", json!(processed.reason));
            response.extensions_mut().insert(log);
            Ok(response)
        }
        Err(unprocessed) => {
            let closed = match &unprocessed {
                Unprocessed::Closed(closed) => Some(*closed),
                _ => None,
            };
            let problem =
                unprocessed_problem(unprocessed, if kept { KEPT } else { SEND_AGAIN }, now).with("id", id);
            log = log.with("problem", problem.slug);
            let mut response = respond::problem(&problem);
            if let Some(closed) = closed {
                add_rate_limit(&mut response, limits, 0, closed.reopens_at.seconds_from(now));
            }
            response.extensions_mut().insert(log);
            Ok(response)
        }
    }
}

/// The answer to a request that was not let in.
pub(crate) fn refused(refusal: Refusal) -> Result<Response, Problem> {
    match refusal {
        Refusal::Problem(problem) => Err(problem),
        Refusal::Answer(answer) => Ok(*answer),
        Refusal::Away(error) | Refusal::Silent(error) => Err(error.into()),
    }
}

/// The answer of `GET /messages/quota`.
pub(crate) fn quota(status: &Status, config: &Config, now: UnixMillis) -> Response {
    let limits = &config.tier.limits;
    let blocked = status.closed.filter(|closed| closed.reason != ClosedReason::FreeExhausted);
    let body = QuotaBody {
        limit: status.limit,
        used: status.used,
        remaining: status.remaining,
        window: WindowBody {
            model: config.tier.model.name(),
            seconds: limits.window.as_secs(),
            starts_at: status.window_starts_at.to_string(),
            ends_at: status.window_ends_at.to_string(),
        },
        block: BlockBody {
            seconds: limits.block.as_secs(),
            until: blocked.map(|closed| closed.reopens_at.to_string()),
        },
        free_open: status.closed.is_none(),
        closed_because: status.closed.map(|closed| closed.reason),
        free_reopens_at: status.closed.map(|closed| closed.reopens_at.to_string()),
        free_reopens_in_seconds: status.closed.map(|closed| closed.reopens_at.seconds_from(now)),
    };
    let mut response = respond::json(StatusCode::OK, &body);
    let reset = status.closed.map_or(status.window_ends_at, |closed| closed.reopens_at);
    add_rate_limit(&mut response, limits, status.remaining, reset.seconds_from(now));
    response
}

fn add_rate_limit(response: &mut Response, limits: &Limits, remaining: i64, reset_seconds: u64) {
    let policy = format!("\"free\";q={};w={}", limits.calls, limits.window.as_secs());
    let left = format!("\"free\";r={remaining};t={reset_seconds}");
    for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
}

const HOW_TO_GET_PAID_ACCESS: &str = "With paid access the message would go to the paid provider: subscribe with POST /subscriptions, or ask an administrator.";
const LEFT_ALONE: &str = "failed or refused before and is left alone for a while";
const NO_CREDENTIAL: &str = "was not asked, for its credential cannot be read";
const SEND_AGAIN: &str = "The message was not processed for you; it is safe to send it again.";
const KEPT: &str = "A provider may have processed the message although its result is lost, so the same Idempotency-Key gets this response again; with a new key it is sent again.";

/// `again` says what is to be expected of sending the message again.
fn unprocessed_problem(unprocessed: Unprocessed, again: &str, now: UnixMillis) -> Problem {
    match unprocessed {
        Unprocessed::Closed(closed) => closed_problem(closed, now),
        Unprocessed::AllowanceUsed(refills_at) => allowance_problem(refills_at, now),
        Unprocessed::PaidAllowanceUsed { refills_at, again_at } => {
            paid_allowance_problem(refills_at, again_at, now)
        }
        Unprocessed::CounterUnavailable => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "counter-unavailable",
            "Free calls cannot be counted right now",
            format!("Nothing is sent to the free provider on a guess. {HOW_TO_GET_PAID_ACCESS} {again}"),
        )
        .retry_after(1),
        Unprocessed::FreeFailed { failure: failure @ Failure::MessageRefused(_), .. } => message_refused(
            format!("The free provider {failure}. {HOW_TO_GET_PAID_ACCESS}"),
            json!([provider_failure("free", &failure)]),
        ),
        Unprocessed::FreeFailed { failure, closed } => {
            let problem = failed(
                "free-provider-failed",
                "The free provider gave no result",
                format!("The free provider {failure}. {HOW_TO_GET_PAID_ACCESS} {again}"),
                json!([provider_failure("free", &failure)]),
                failure.is_away(),
                closed.map_or(1, |closed| closed.reopens_at.seconds_from(now).max(1)),
            );
            match closed {
                Some(closed) => problem.with("free_reopens_at", closed.reopens_at.to_string()),
                None => problem,
            }
        }
        Unprocessed::PaidFailed { paid, reason, free } => paid_problem(paid, reason, free, again, now),
    }
}

fn paid_problem(
    paid: PaidFailure,
    reason: Reason,
    free: Option<Failure>,
    again: &str,
    now: UnixMillis,
) -> Problem {
    let mut failures: Vec<Value> = free.iter().map(|failure| provider_failure("free", failure)).collect();
    let free_part = match &free {
        Some(failure) => format!("The free provider {failure}, and the"),
        None => "The free provider was not used, and the".to_owned(),
    };
    let refuses = |failure: &Failure| matches!(failure, Failure::MessageRefused(_));
    let all_refuse = free.as_ref().is_none_or(refuses);
    let (paid_part, away, seconds) = match paid {
        PaidFailure::Called(failure) if all_refuse && refuses(&failure) => {
            failures.push(provider_failure("paid", &failure));
            let detail = format!("{free_part} paid provider {failure}.");
            return message_refused(detail, json!(failures)).with("reason", json!(reason));
        }
        PaidFailure::Called(failure) => {
            failures.push(provider_failure("paid", &failure));
            let wait = match &failure {
                Failure::QuotaRefused { retry_after, .. } => *retry_after,
                Failure::Overloaded { retry_after, .. } => Some(*retry_after),
                _ => None,
            };
            let seconds = (now + wait.unwrap_or_default()).seconds_from(now).max(1);
            (failure.to_string(), failure.is_away(), seconds)
        }
        PaidFailure::LeftAlone(until) => {
            failures.push(json!({ "provider": "paid", "failure": "left_alone", "detail": LEFT_ALONE }));
            (LEFT_ALONE.to_owned(), true, until.seconds_from(now).max(1))
        }
        PaidFailure::NoCredential => {
            failures.push(json!({ "provider": "paid", "failure": "no_credential", "detail": NO_CREDENTIAL }));
            (NO_CREDENTIAL.to_owned(), true, 1)
        }
    };
    let detail = format!("{free_part} paid provider {paid_part}. {again}");
    let problem =
        failed("providers-failed", "No provider gave a result", detail, json!(failures), away, seconds);
    problem.with("reason", json!(reason))
}

fn allowance_problem(refills_at: UnixMillis, now: UnixMillis) -> Problem {
    let seconds = refills_at.seconds_from(now).max(1);
    let detail = format!(
        "Your free messages of the day are used up; there are new ones in {seconds} s. {HOW_TO_GET_PAID_ACCESS}"
    );
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "free-allowance-used",
        "Your free messages of the day are used up",
        detail,
    )
    .with("reason", json!(Reason::AllowanceUsed))
    .with("refills_at", refills_at.to_string())
    .retry_after(seconds)
}

fn paid_allowance_problem(refills_at: UnixMillis, again_at: UnixMillis, now: UnixMillis) -> Problem {
    let seconds = again_at.seconds_from(now).max(1);
    let day = refills_at.seconds_from(now).max(1);
    let detail = format!(
        "No free call is possible now, and your messages of the day that are paid for are used up; there are new ones \
         in {day} s. Try again in {seconds} s."
    );
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "paid-allowance-used",
        "Your paid messages of the day are used up",
        detail,
    )
    .with("refills_at", refills_at.to_string())
    .retry_after(seconds)
}

fn closed_problem(closed: Closed, now: UnixMillis) -> Problem {
    let seconds = closed.reopens_at.seconds_from(now).max(1);
    let (slug, title, what) = match closed.reason {
        ClosedReason::FreeExhausted => {
            ("free-quota-exhausted", "The free quota is used up", "Every free call of this window is taken")
        }
        ClosedReason::FreeBlocked => (
            "free-provider-blocked",
            "The free provider takes no calls",
            "The free provider is closed for now",
        ),
        ClosedReason::FreeFailing => (
            "free-provider-failing",
            "The free provider gives no results",
            "The free provider failed several times in a row and is left alone for a while",
        ),
    };
    let detail = format!("{what}; try again in {seconds} s. {HOW_TO_GET_PAID_ACCESS}");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, slug, title, detail)
        .with("reason", json!(closed.reason))
        .with("free_reopens_at", closed.reopens_at.to_string())
        .retry_after(seconds)
}

/// 503 when the providers could not be asked, 502 when one was and gave nothing useful.
fn failed(
    slug: &'static str,
    title: &'static str,
    detail: String,
    failures: Value,
    away: bool,
    seconds: u64,
) -> Problem {
    let status = if away { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
    Problem::new(status, slug, title, detail).with("providers", failures).retry_after(seconds)
}

/// Nobody takes the message as it is: to send it again would be in vain.
fn message_refused(detail: String, failures: Value) -> Problem {
    let (slug, title) = ("message-refused", "No provider takes this message");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, slug, title, detail).with("providers", failures)
}

fn provider_failure(provider: &str, failure: &Failure) -> Value {
    let mut value = json!({ "provider": provider, "failure": failure.name(), "detail": failure.to_string() });
    if let (Some(status), Some(members)) = (failure.status(), value.as_object_mut()) {
        members.insert("status".to_owned(), status.into());
    }
    value
}
