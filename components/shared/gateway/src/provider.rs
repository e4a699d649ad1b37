//! One call to a provider, and what its answer means.
//!
//! A call is sent once: whatever happens, it is never repeated to the same provider for the same message.

use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use octo_core::{Clock, HttpOut, SendError, UnixMillis, ports::CallLimits};
use serde_json::{Value, json};

use crate::{
    Message,
    config::Endpoint,
    free_tier::{Outcome, Told},
    told,
};

/// Largest answer read from a provider, in bytes: a message of the largest size with every byte escaped
/// six-fold in JSON, and some room for what else a provider says.
pub const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// Why a provider gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not be reached; it never saw the message.
    #[error("could not be reached")]
    Unreachable,
    /// It did not answer within the time allowed.
    #[error("did not answer in time")]
    TimedOut,
    /// It broke the connection before its answer was complete.
    #[error("broke the connection")]
    Broken,
    /// It takes no calls for now (429, or 503 with `Retry-After`).
    #[error("takes no calls for now")]
    Refused {
        /// Its `Retry-After`, as a time from now.
        retry_after: Option<Duration>,
    },
    /// It answered with another status than 200.
    #[error("answered with status {0}")]
    Status(u16),
    /// It answered 200 with something that holds no result.
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
            Failure::Refused { .. } => "refused",
            Failure::Status(_) => "bad_status",
            Failure::Garbage => "bad_answer",
        }
    }

    /// Whether the provider may have processed the message all the same. Not when it never saw it, nor when it says
    /// that it takes no call, or not this one (4xx; but 409 may tell of a call under way with the same id).
    pub fn may_have_been_processed(&self) -> bool {
        match self {
            Failure::Unreachable | Failure::Refused { .. } => false,
            Failure::Status(status) => !(400..500).contains(status) || *status == 409,
            _ => true,
        }
    }
}

/// What the free tier's counter must know about a call.
pub fn outcome(result: &Result<String, Failure>) -> Outcome {
    match result {
        Ok(_) | Err(Failure::Garbage) => Outcome::Answered,
        Err(Failure::Refused { retry_after }) => Outcome::Refused { retry_after: *retry_after },
        Err(Failure::Unreachable) => Outcome::NotSent,
        // An error may come from a proxy on the way: no proof that the provider counted the call, nor that
        // the call will not reach it still.
        Err(Failure::Status(_) | Failure::TimedOut | Failure::Broken) => Outcome::Unknown,
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The provider's result.
    pub result: Result<String, Failure>,
    /// What its answer tells about its limit.
    pub told: Told,
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self { result: Err(failure), told: Told::default() }
    }
}

/// Sends `message` under the id `id` to the provider at `endpoint`, with the credential `key` if it asks for
/// one, and returns its result, or gives up after `timeout`.
pub async fn call(
    http: &impl HttpOut,
    endpoint: &Endpoint,
    key: Option<&str>,
    id: &str,
    message: &Message,
    timeout: Duration,
    clock: &impl Clock,
) -> Answer {
    let Some(request) = request(endpoint, key, id, message) else { return Failure::Unreachable.into() };
    let limits = CallLimits { timeout, max_answer: MAX_ANSWER_BYTES };
    match http.send(request, limits).await {
        Ok(response) => {
            let now = clock.now();
            Answer { result: read(endpoint, &response, now), told: told::told(response.headers(), now) }
        }
        Err(SendError::NotSent(_)) => Failure::Unreachable.into(),
        Err(SendError::TimedOut) => Failure::TimedOut.into(),
        Err(SendError::Broken(_)) => Failure::Broken.into(),
        Err(SendError::TooLarge) => Failure::Garbage.into(),
    }
}

fn request(endpoint: &Endpoint, key: Option<&str>, id: &str, message: &Message) -> Option<Request<Vec<u8>>> {
    let body = json!({ endpoint.message_field.as_str(): message.as_str() }).to_string();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(endpoint.uri.clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        // A provider that understands it processes the message once even if the network repeats the request.
        .header("idempotency-key", id)
        // So that the provider's log can be read beside ours.
        .header("x-request-id", id);
    if let Some(key) = key {
        let mut credential = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
        credential.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, credential);
    }
    request.body(body.into_bytes()).ok()
}

fn read(endpoint: &Endpoint, response: &Response<Vec<u8>>, now: UnixMillis) -> Result<String, Failure> {
    let retry_after = told::retry_after(response.headers(), now);
    match response.status() {
        StatusCode::OK => serde_json::from_slice::<Value>(response.body())
            .ok()
            .and_then(|answer| answer.pointer(&endpoint.response_pointer)?.as_str().map(str::to_owned))
            .ok_or(Failure::Garbage),
        StatusCode::TOO_MANY_REQUESTS => Err(Failure::Refused { retry_after }),
        StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => Err(Failure::Refused { retry_after }),
        status => Err(Failure::Status(status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, tests::defaults};
    use octo_core::testing::{FakeClock, FakeHttp, ready};

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn answered(response: Response<Vec<u8>>) -> Result<String, Failure> {
        let config = Config::read(&defaults()).unwrap();
        let http = FakeHttp::default().will(Ok(response));
        ready(call(
            &http,
            &config.free,
            None,
            "id",
            &Message::new("hi".into()).unwrap(),
            config.free.timeout,
            &FakeClock::at(NOW),
        ))
        .result
    }

    fn response(status: u16, retry_after: Option<&str>, body: &str) -> Response<Vec<u8>> {
        let mut response = Response::builder().status(status);
        if let Some(value) = retry_after {
            response = response.header("retry-after", value);
        }
        response.body(body.into()).unwrap()
    }

    #[test]
    fn the_request_carries_the_message_its_id_and_the_credential() {
        let config = Config::read(&defaults()).unwrap();
        let http = FakeHttp::default().will(Ok(response(200, None, r#"{"response":"ih"}"#)));
        let message = Message::new("hi".into()).unwrap();
        assert_eq!(
            ready(call(
                &http,
                &config.paid,
                Some("k-1"),
                "m-1",
                &message,
                config.paid.timeout,
                &FakeClock::at(NOW)
            ))
            .result,
            Ok("ih".into())
        );
        let seen = http.requests.borrow();
        assert_eq!(seen[0].uri(), "http://paid-provider.spin.internal/process");
        assert_eq!(seen[0].headers()["authorization"], "Bearer k-1");
        assert_eq!(seen[0].headers()["idempotency-key"], "m-1");
        assert_eq!(seen[0].body(), br#"{"message":"hi"}"#);
    }

    #[test]
    fn an_answer_without_a_result_is_garbage() {
        for body in ["", "null", "[]", r#"{"response":1}"#, r#"{"result":"x"}"#, "\u{fffd}"] {
            assert_eq!(answered(response(200, None, body)), Err(Failure::Garbage), "{body}");
        }
        assert_eq!(answered(response(500, None, "")), Err(Failure::Status(500)));
        assert_eq!(answered(response(204, None, "")), Err(Failure::Status(204)));
    }

    #[test]
    fn a_refusal_tells_how_long_it_lasts() {
        let refused =
            |after: Option<u64>| Err(Failure::Refused { retry_after: after.map(Duration::from_secs) });
        assert_eq!(answered(response(429, Some("17"), "")), refused(Some(17)));
        assert_eq!(answered(response(429, None, "")), refused(None));
        assert_eq!(answered(response(429, Some("soon"), "")), refused(None));
        assert_eq!(answered(response(429, Some("99999999999"), "")), refused(Some(24 * 3600)));
        assert_eq!(answered(response(429, Some("Fri, 15 Jan 2027 08:00:30 GMT"), "")), refused(Some(30)));
        assert_eq!(answered(response(429, Some("Fri, 15 Jan 2027 07:00:00 GMT"), "")), refused(Some(0)));
        assert_eq!(answered(response(503, Some("3"), "")), refused(Some(3)));
        assert_eq!(answered(response(503, None, "")), Err(Failure::Status(503)));
    }
}
