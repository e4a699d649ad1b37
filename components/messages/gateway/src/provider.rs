//! One call to a provider. What its response means is said in [`response`](crate::response).
//!
//! A call is sent once: whatever happens, it is never repeated to the same provider for the same message.

use std::time::Duration;

use http::{HeaderValue, Method, Request, header};
use octo_core::{Clock, HttpOut, SendError, ports::CallLimits};
use serde_json::json;

use crate::{
    Message,
    config::Endpoint,
    response::{Failure, MAX_BODY_BYTES, Meaning, meaning},
};

/// Sends `message` under the id `id` to the provider at `endpoint`, with the credential `key` if it asks for
/// one, and returns what came of it, or gives up after `timeout`.
pub async fn call(
    http: &impl HttpOut,
    endpoint: &Endpoint,
    key: Option<&str>,
    id: &str,
    message: &Message,
    timeout: Duration,
    clock: &impl Clock,
) -> Meaning {
    let Some(request) = request(endpoint, key, id, message) else { return Failure::Unreachable.into() };
    let limits = CallLimits { timeout, max_answer: MAX_BODY_BYTES };
    match http.send(request, limits).await {
        Ok(response) => meaning(&response, &endpoint.response_pointer, endpoint.window, clock.now()),
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
        .header(header::ACCEPT_ENCODING, "identity")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, tests::defaults};
    use http::Response;
    use octo_core::{
        UnixMillis,
        testing::{FakeClock, FakeHttp, ready},
    };

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn the_request_carries_the_message_its_id_and_the_credential() {
        let config = Config::read(&defaults()).unwrap();
        let http = FakeHttp::default().will(Ok(Response::new(br#"{"response":"ih"}"#.to_vec())));
        let (message, clock) = (Message::new("hi".into()).unwrap(), FakeClock::at(NOW));
        let timeout = config.paid.timeout;
        let called = ready(call(&http, &config.paid, Some("k-1"), "m-1", &message, timeout, &clock));
        assert_eq!(called.result, Ok("ih".into()));
        let seen = http.requests.borrow();
        assert_eq!(seen[0].uri(), "http://paid-provider.spin.internal/process");
        assert_eq!(seen[0].headers()["authorization"], "Bearer k-1");
        assert_eq!(seen[0].headers()["idempotency-key"], "m-1");
        assert_eq!(seen[0].headers()["accept-encoding"], "identity");
        assert_eq!(seen[0].body(), br#"{"message":"hi"}"#);
    }
}
