//! What a provider's response means: the table of `docs/FREE-TIER.md` as one function.
//!
//! It knows nothing of stores, slots and routes.

use std::{borrow::Cow, io::Read, time::Duration};

use flate2::read::MultiGzDecoder;
use http::{HeaderMap, Response};
use octo_core::UnixMillis;
use serde_json::Value;

use crate::{
    chat_error,
    free_tier::{Outcome, RateLimitHints},
    rate_limit_headers,
};

/// Largest body read from a provider, in bytes, compressed or not: a message of the largest size with every byte
/// escaped six-fold in JSON, and some room for what else a provider says.
pub const MAX_BODY_BYTES: usize = 512 * 1024;

/// Why a provider gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not be reached; it never saw the message.
    #[error("could not be reached")]
    Unreachable,
    /// It did not respond within the time allowed.
    #[error("did not answer in time")]
    TimedOut,
    /// It broke the connection before its response was complete.
    #[error("broke the connection")]
    Broken,
    /// It does not take this message. That says nothing of any other.
    #[error("does not take this message (status {0})")]
    MessageRefused(u16),
    /// It does not take our credential, or its account has no money: the operator's fault.
    #[error("does not accept our credential (status {0})")]
    Credential(u16),
    /// It does not know the model or the path, whatever the message is: the operator's fault.
    #[error("does not accept how it is called (status {0})")]
    CallRefused(u16),
    /// A quota is used up.
    #[error("takes no calls for now")]
    QuotaRefused {
        /// The response's status.
        status: u16,
        /// Its `Retry-After`, as a time from now.
        retry_after: Option<Duration>,
    },
    /// It is overloaded or being maintained, and says for how long.
    #[error("asks to be left alone for a while (status {status})")]
    Overloaded {
        /// The response's status.
        status: u16,
        /// Its `Retry-After`, as a time from now.
        retry_after: Duration,
    },
    /// It responded with a status that promises nothing.
    #[error("answered with status {0}")]
    Status(u16),
    /// It responded with success and something that holds no result.
    #[error("answered with something that is no result")]
    Garbage,
}

impl Failure {
    /// The name clients and logs see.
    pub fn name(&self) -> &'static str {
        match self {
            Failure::Unreachable => "unreachable",
            Failure::TimedOut => "timed_out",
            Failure::Broken => "connection_broken",
            Failure::MessageRefused(_) => "message_refused",
            Failure::Credential(_) => "credential_refused",
            Failure::CallRefused(_) => "call_refused",
            Failure::QuotaRefused { .. } => "refused",
            Failure::Overloaded { .. } => "overloaded",
            Failure::Status(_) => "bad_status",
            Failure::Garbage => "bad_answer",
        }
    }

    /// The status of the response, where that is the failure.
    pub fn status(&self) -> Option<u16> {
        match self {
            Failure::MessageRefused(status)
            | Failure::Credential(status)
            | Failure::CallRefused(status)
            | Failure::QuotaRefused { status, .. }
            | Failure::Overloaded { status, .. }
            | Failure::Status(status) => Some(*status),
            Failure::Unreachable | Failure::TimedOut | Failure::Broken | Failure::Garbage => None,
        }
    }

    /// Whether another message would fare no better now: the provider was not to be had.
    pub fn is_away(&self) -> bool {
        matches!(self, Failure::Unreachable | Failure::QuotaRefused { .. } | Failure::Overloaded { .. })
    }

    /// Whether the provider may have processed the message all the same. Not when it never saw it, nor when it says
    /// that it takes no call, or not this one (4xx; but 409 may tell of a call under way with the same id).
    pub fn may_have_been_processed(&self) -> bool {
        match self {
            Failure::Unreachable
            | Failure::Credential(_)
            | Failure::CallRefused(_)
            | Failure::QuotaRefused { .. } => false,
            Failure::Overloaded { status, .. } => !matches!(status, 498 | 503 | 529),
            Failure::MessageRefused(status) | Failure::Status(status) => {
                !(400..500).contains(status) || *status == 409
            }
            Failure::TimedOut | Failure::Broken | Failure::Garbage => true,
        }
    }

    /// What the counters must know about the call.
    pub fn outcome(&self) -> Outcome {
        match self {
            // It counted the call, whatever it made of it.
            Failure::Garbage | Failure::MessageRefused(200..=299) => Outcome::Answered,
            Failure::QuotaRefused { retry_after, .. } => Outcome::Refused { retry_after: *retry_after },
            Failure::Overloaded { retry_after, .. } => Outcome::Overloaded { wait: *retry_after },
            // A firewall says 403 to what a message says, so that alone must close nothing for others.
            Failure::MessageRefused(_) | Failure::Credential(403) => Outcome::Rejected,
            Failure::Unreachable => Outcome::NotSent,
            // An error may come from a proxy on the way: no proof that the provider counted the call, nor that
            // the call will not reach it still.
            Failure::Credential(_)
            | Failure::CallRefused(_)
            | Failure::Status(_)
            | Failure::TimedOut
            | Failure::Broken => Outcome::Unknown,
        }
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The provider's result.
    pub result: Result<String, Failure>,
    /// What the response tells about its limit.
    pub told: RateLimitHints,
}

impl From<Failure> for Meaning {
    fn from(failure: Failure) -> Self {
        Self { result: Err(failure), told: RateLimitHints::default() }
    }
}

impl Meaning {
    /// What the counters must know about the call.
    pub fn outcome(&self) -> Outcome {
        self.result.as_ref().map_or_else(Failure::outcome, |_| Outcome::Answered)
    }
}

/// How a provider's response is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The statuses of success.
    pub success: Success,
    /// Where the result is.
    pub result: ResultPlace,
    /// Whether errors and refusals are told in the body as the usual [chat APIs](chat_error) do.
    pub is_chat: bool,
    /// What the provider is said to count its calls over.
    pub window: Duration,
}

/// The statuses of a provider's success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Success {
    /// 200 to 299.
    Any,
    /// These; other 2xx say that there is no result.
    Only(Vec<u16>),
}

/// Where the result is in the body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultPlace {
    /// A text at this place (RFC 6901) of JSON.
    Pointer(String),
    /// The body itself, in UTF-8.
    WholeText,
}

impl Success {
    fn has(&self, status: u16) -> bool {
        match self {
            Success::Any => (200..300).contains(&status),
            Success::Only(statuses) => statuses.contains(&status),
        }
    }
}

/// What a response means that came at `now`.
pub fn meaning(response: &Response<Vec<u8>>, reading: &Reading, now: UnixMillis) -> Meaning {
    let (status, headers) = (response.status().as_u16(), response.headers());
    let body = plain(response.body());
    let body = body.as_deref().map(without_mark);
    let result = if reading.success.has(status) {
        result(status, body, reading)
    } else {
        let retry_after = rate_limit_headers::retry_after(headers, now);
        let in_body = || chat_error::failure(status, retry_after, &json(body?)?);
        let said = if reading.is_chat { in_body() } else { None };
        Err(said.unwrap_or_else(|| failure(status, retry_after, headers, now)))
    };
    let told = match &result {
        Ok(_) | Err(Failure::Garbage | Failure::MessageRefused(200..=299) | Failure::QuotaRefused { .. }) => {
            rate_limit_headers::hints(headers, reading.window, now)
        }
        // What an error says of a limit may be another's word.
        Err(_) => RateLimitHints::default(),
    };
    Meaning { result, told }
}

fn failure(status: u16, retry_after: Option<Duration>, headers: &HeaderMap, now: UnixMillis) -> Failure {
    match status {
        429 => Failure::QuotaRefused { status, retry_after },
        // A firewall says 403, too, and its fields may stand on every response: only what must be waited for counts.
        403 if retry_after.is_some_and(|wait| !wait.is_zero())
            || rate_limit_headers::used_up(headers, now) =>
        {
            Failure::QuotaRefused { status, retry_after }
        }
        401 | 402 | 403 | 407 => Failure::Credential(status),
        // About the exchange, not the message: too slow, the wrong server, too early.
        408 | 421 | 425 => Failure::Status(status),
        400..=499 => Failure::MessageRefused(status),
        500..=599 => match retry_after.filter(|wait| !wait.is_zero()) {
            Some(retry_after) => Failure::Overloaded { status, retry_after },
            None => Failure::Status(status),
        },
        _ => Failure::Status(status),
    }
}

/// The result in the `body` of a success. It may be empty, as a message's result may.
fn result(status: u16, body: Option<&[u8]>, reading: &Reading) -> Result<String, Failure> {
    let body = body.ok_or(Failure::Garbage)?;
    let pointer = match &reading.result {
        ResultPlace::Pointer(pointer) => pointer,
        ResultPlace::WholeText => {
            return String::from_utf8(body.to_vec()).map_err(|_| Failure::Garbage);
        }
    };
    let json = json(body).ok_or(Failure::Garbage)?;
    let text = json.pointer(pointer).and_then(Value::as_str);
    match text {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ if reading.is_chat && chat_error::refuses_content(&json) => Err(Failure::MessageRefused(status)),
        _ => text.map(str::to_owned).ok_or(Failure::Garbage),
    }
}

fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// A UTF-8 byte order mark says nothing.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

/// The body without its compression. We ask for none; what begins as gzip does is no JSON, so it is gzip whether
/// `Content-Encoding` says so or not.
fn plain(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !body.starts_with(b"\x1F\x8B") {
        return Some(Cow::Borrowed(body));
    }
    let mut plain = Vec::new();
    let limit = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain).ok()?;
    (plain.len() <= MAX_BODY_BYTES).then_some(Cow::Owned(plain))
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
