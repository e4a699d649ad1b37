//! Letting pages of other sites read our answers (CORS, as the Fetch standard has it): off, unless the operator names
//! their origins in the variable `cors_origins`.
//!
//! Never with cookies: such a page carries its token in the header, which no other page can make a browser send.

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use octo_core::{Problem, Settings};

use crate::{
    exchange::{Request, Response},
    respond,
};

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "authorization, content-type, idempotency-key, prefer, x-request-id";
const EXPOSED: &str = "idempotency-replayed, location, preference-applied, ratelimit, ratelimit-policy, retry-after, \
                       www-authenticate, x-request-id";
/// How long a browser may remember what is allowed, in seconds.
const REMEMBERED: &str = "600";

/// Answers a browser's question what a page of an allowed origin may send, and lets that page read the answers that
/// `handle` gives to what it sends. Every other request is `handle`'s alone.
pub async fn share(
    settings: &impl Settings,
    request: Request,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    let Some(origin) = allowed_origin(settings, &request) else { return handle(request).await };
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && asks {
        let mut response = respond::empty(StatusCode::NO_CONTENT);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response.headers_mut().extend(marks(origin));
        return Ok(response);
    }
    match handle(request).await {
        Ok(mut response) => {
            response.headers_mut().extend(marks(origin));
            Ok(response)
        }
        Err(mut problem) => {
            problem.headers.extend(marks(origin));
            Err(problem)
        }
    }
}

/// Whether the operator lets the page that sent this request read the answer.
pub fn allows(settings: &impl Settings, request: &Request) -> bool {
    allowed_origin(settings, request).is_some()
}

fn allowed_origin(settings: &impl Settings, request: &Request) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    let allowed = settings.get("cors_origins")?;
    allowed.split_whitespace().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn marks(origin: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED)),
        (header::VARY, HeaderValue::from_static("origin")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::{FakeSettings, ready};

    fn answer(origins: &str, method: &str, origin: &str) -> Result<Response, Problem> {
        let settings = FakeSettings::of(&[("cors_origins", origins)]);
        let mut request =
            http::Request::builder().method(method).header("access-control-request-method", "POST");
        if !origin.is_empty() {
            request = request.header("origin", origin);
        }
        let request = request.body(Ok(Vec::new())).unwrap();
        ready(share(&settings, request, async |_| Err(respond::not_found())))
    }

    fn readable_by(result: &Result<Response, Problem>) -> Option<String> {
        let value = match result {
            Ok(response) => response.headers().get("access-control-allow-origin").cloned(),
            Err(problem) => {
                let found = problem.headers.iter().find(|(name, _)| name == "access-control-allow-origin");
                found.map(|(_, value)| value.clone())
            }
        };
        value.map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_named_origins_may_read() {
        let origins = "https://a.example https://b.example:8443";
        for origin in ["https://a.example", "https://b.example:8443"] {
            assert_eq!(readable_by(&answer(origins, "POST", origin)).as_deref(), Some(origin));
            let preflight = answer(origins, "OPTIONS", origin);
            assert_eq!(readable_by(&preflight).as_deref(), Some(origin));
            let preflight = preflight.unwrap();
            assert_eq!(preflight.status(), 204);
            assert!(!preflight.headers().contains_key("access-control-allow-credentials"));
        }
        for origin in ["", "null", "https://a.example.evil", "http://a.example", "https://b.example", "*"] {
            assert_eq!(readable_by(&answer(origins, "POST", origin)), None, "{origin}");
            assert!(answer(origins, "OPTIONS", origin).is_err(), "{origin}");
        }
        assert_eq!(readable_by(&answer("", "POST", "https://a.example")), None, "off");
    }
}
