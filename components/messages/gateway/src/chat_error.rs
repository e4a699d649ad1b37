//! What the usual chat APIs say in a body and not by the status: in their errors, and in responses without a result.
//!
//! OpenAI's shape is `{"error": {"message", "type", "code"}}`, Anthropic's `{"error": {"type", "message"}}`, Google's
//! `{"error": {"message", "status", "details"}}`, also as the one item of an array, and Mistral's is the inner object
//! alone. They are read as one: no name in them means two things. This module must not know presets and stores.

use std::time::Duration;

use serde_json::Value;

use crate::response::Failure;

/// How long an overloaded provider that says no time is not called.
const PAUSE: Duration = Duration::from_secs(1);

/// There is no money in the account, or it may not be used: an error of the credential, under whatever status.
const NO_MONEY: [&str; 4] =
    ["insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active"];
/// Errors of the credential with status 400, which otherwise is about the message.
const CREDENTIAL: [&str; 3] = ["API_KEY_INVALID", "FAILED_PRECONDITION", "invalid_api_key"];
/// How Anthropic says, with status 400 and the type of a bad message, that there is no money in the account.
const CREDIT_TOO_LOW: &str = "credit balance is too low";
/// Errors of the model's name, whatever the status.
const MODEL: [&str; 3] = ["model_not_found", "model_decommissioned", "invalid_model"];
/// Reasons of an end that are refusals of what was said, or of what would have been answered.
const REFUSALS: [&str; 8] = [
    "content_filter",
    "refusal",
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "LANGUAGE",
];

/// The error in `body`, the response to a call that failed with `status` and this `Retry-After`, if it says more than these.
pub(crate) fn failure(status: u16, retry_after: Option<Duration>, body: &Value) -> Option<Failure> {
    let error = error(body)?;
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let details = || error.get("details").and_then(Value::as_array).into_iter().flatten();
    let reasons = details().filter_map(|detail| detail.get("reason")?.as_str());
    let names: Vec<&str> = ["type", "code", "status"].into_iter().filter_map(text).chain(reasons).collect();
    let is = |known: &[&str]| names.iter().any(|name| known.contains(name));
    let no_credit = || text("message").is_some_and(|message| message.contains(CREDIT_TOO_LOW));
    let wait = retry_after.filter(|wait| !wait.is_zero());
    match status {
        400..=499 if is(&NO_MONEY) => Some(Failure::Credential(status)),
        400 if is(&CREDENTIAL) || no_credit() => Some(Failure::Credential(status)),
        400..=499 if is(&MODEL) => Some(Failure::CallRefused(status)),
        // The path or the model; no message is looked for under a name of its own.
        404 | 405 => Some(Failure::CallRefused(status)),
        429 => {
            let told = details().filter_map(|detail| seconds(detail.get("retryDelay")?.as_str()?)).max();
            Some(Failure::QuotaRefused { status, retry_after: retry_after.max(told) })
        }
        498 | 503 | 529 => Some(Failure::Overloaded { status, retry_after: wait.unwrap_or(PAUSE) }),
        _ => None,
    }
}

/// Whether `body`, of a response without a result, says that the message was refused for what it says.
pub(crate) fn refuses_content(body: &Value) -> bool {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let ends = ["/choices/0/finish_reason", "/stop_reason", "/candidates/0/finishReason"];
    text("/choices/0/message/refusal").is_some()
        || text("/promptFeedback/blockReason").is_some()
        || ends.into_iter().filter_map(text).any(|end| REFUSALS.contains(&end))
}

fn error(body: &Value) -> Option<&Value> {
    let body = body.get(0).unwrap_or(body);
    let is_error = || body.get("object").and_then(Value::as_str) == Some("error");
    body.get("error").filter(|error| error.is_object()).or_else(|| is_error().then_some(body))
}

/// A duration as Google writes it, such as `21s` or `21.5s`; a fraction is rounded up.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds.ceil()).ok()?;
    Some(wait.min(crate::rate_limit_headers::LONGEST_WAIT))
}
