//! A provider and one call to it. What its response means is said in [`response`](crate::response).
//!
//! - [`endpoint`]: where it is and how it is called, as the operator's variables say.
//! - [`preset`]: how the usual APIs are called, by name.
//! - [`template`]: where the message goes in a request.
//!
//! A call is sent once: whatever happens, it is never repeated to the same provider for the same message.

pub mod endpoint;
pub mod preset;
pub mod template;

use std::time::Duration;

use octo_core::{Clock, HttpOut, SendError, ports::CallLimits};

pub use endpoint::Endpoint;

use crate::{
    Message,
    response::{Failure, MAX_BODY_BYTES, Meaning, meaning},
};

/// What a server says of a URI that is too long. A message that makes one is refused before it is sent.
const URI_TOO_LONG: u16 = 414;

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
    let Ok(request) = endpoint.request(key, id, message) else {
        return Failure::MessageRefused(URI_TOO_LONG).into();
    };
    let limits = CallLimits { timeout, max_answer: MAX_BODY_BYTES };
    match http.send(request, limits).await {
        Ok(response) => meaning(&response, &endpoint.reading, clock.now()),
        Err(SendError::NotSent(_)) => Failure::Unreachable.into(),
        Err(SendError::TimedOut) => Failure::TimedOut.into(),
        Err(SendError::Broken(_)) => Failure::Broken.into(),
        Err(SendError::TooLarge) => Failure::Garbage.into(),
    }
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
