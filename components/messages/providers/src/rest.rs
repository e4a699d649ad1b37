//! The providers as REST services.
//!
//! - `POST /process` with `{"message": "..."}` answers `{"response": "..."}`.
//! - `GET /calls?limit=100` shows the books: what was taken and refused.
//!
//! The free provider says in `RateLimit` fields what is left (draft-ietf-httpapi-ratelimit-headers), and
//! refuses with 429 and `Retry-After`; the paid one answers 401 without its credential.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use octo_core::{
    Clock, KeyValue, Problem, SettingError, Settings,
    settings::{number, seconds, text},
};
use octo_http::{Request, Response, ServiceKey, body::Fields, caller, exchange::LogFields, respond};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::{
    fault::{Fault, UnknownFault},
    free::{Admission, FreeProvider, Terms},
    paid::PaidProvider,
    process,
};

/// Largest body taken, in bytes.
pub const MAX_BODY: usize = 512 * 1024;
const DEFAULT_CALLS_SHOWN: i64 = 100;

/// Answers a request to the free provider. Its variables: `limit`, `real_limit` (empty: the same),
/// `window_seconds`, `block_seconds`, `fault`.
pub async fn free(
    request: Request,
    settings: &impl Settings,
    store: &impl KeyValue,
    clock: &impl Clock,
) -> Result<Response, Problem> {
    let limit = if text(settings, "real_limit")?.is_empty() { "limit" } else { "real_limit" };
    let terms = Terms {
        calls: number(settings, limit, 1..=1_000_000_000)?,
        window: seconds(settings, "window_seconds", 1..=31 * 86_400)?,
        block: seconds(settings, "block_seconds", 0..=31 * 86_400)?,
    };
    let provider = FreeProvider::new(store, terms);
    match Route::of(&request)? {
        Route::Process => {
            let fault = fault(settings)?;
            let (id, message) = read_call(request)?;
            match provider.admit(&id, clock.now()).await? {
                Admission::Taken { left, resets_at } => {
                    let mut response = processed(&id, &message, fault, clock).await;
                    say_what_is_left(&mut response, &terms, left, resets_at.seconds_from(clock.now()));
                    Ok(response)
                }
                Admission::ClosedUntil(until) => {
                    let seconds = until.seconds_from(clock.now());
                    Err(closed(terms.calls, terms.window).retry_after(seconds))
                }
            }
        }
        Route::Calls { limit } => Ok(respond::json(StatusCode::OK, &provider.books(limit).await?)),
    }
}

/// Answers a request to the paid provider. Its variables: `key` (empty: the key made on first use) and
/// `fault`.
pub async fn paid(
    request: Request,
    settings: &impl Settings,
    store: &impl KeyValue,
    clock: &impl Clock,
) -> Result<Response, Problem> {
    let provider = PaidProvider::new(store);
    let route = Route::of(&request)?;
    let presented = caller::bearer(request.headers()).unwrap_or("");
    let accepted = match text(settings, "key")? {
        key if key.is_empty() => ServiceKey::new(store, "paid-provider").accepts(presented).await?,
        key => key.as_bytes().ct_eq(presented.as_bytes()).into(),
    };
    if !accepted {
        provider.refuse(&call_id(&request), clock.now()).await?;
        return Err(unauthorized());
    }
    match route {
        Route::Process => {
            let fault = fault(settings)?;
            let (id, message) = read_call(request)?;
            provider.meter(&id, clock.now()).await?;
            Ok(processed(&id, &message, fault, clock).await)
        }
        Route::Calls { limit } => Ok(respond::json(StatusCode::OK, &provider.books(limit).await?)),
    }
}

enum Route {
    Process,
    Calls { limit: i64 },
}

impl Route {
    fn of(request: &Request) -> Result<Self, Problem> {
        match (request.uri().path(), request.method()) {
            ("/process", &Method::POST) => Ok(Route::Process),
            ("/process", _) => Err(respond::method_not_allowed("POST")),
            ("/calls", &Method::GET) => {
                let limit = request.uri().query().and_then(|query| query.strip_prefix("limit="));
                Ok(Route::Calls { limit: limit.and_then(|n| n.parse().ok()).unwrap_or(DEFAULT_CALLS_SHOWN) })
            }
            ("/calls", _) => Err(respond::method_not_allowed("GET")),
            _ => Err(respond::not_found()),
        }
    }
}

fn fault(settings: &impl Settings) -> Result<Fault, Problem> {
    let parsed = text(settings, "fault")?.parse();
    Ok(parsed.map_err(|UnknownFault| SettingError::new("fault", UnknownFault::RULE))?)
}

fn call_id(request: &Request) -> String {
    let id = request.headers().get("idempotency-key").and_then(|value| value.to_str().ok());
    id.unwrap_or("").to_owned()
}

fn read_call(request: Request) -> Result<(String, String), Problem> {
    let id = call_id(&request);
    let mut fields = Fields::read(request)?;
    let message = fields.text("message", Ok::<_, String>);
    Ok((id, fields.finish(message)?))
}

async fn processed(id: &str, message: &str, fault: Fault, clock: &impl Clock) -> Response {
    let result = || respond::json(StatusCode::OK, &json!({ "response": process(message) }));
    let mut response = match fault {
        Fault::None => result(),
        Fault::Slow(delay) => {
            clock.sleep(delay).await;
            result()
        }
        Fault::Status(code) => respond::empty(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY)),
        Fault::Garbage => {
            let mut response = respond::empty(StatusCode::OK);
            *response.body_mut() = b"<html>not what you asked for".to_vec();
            response
        }
    };
    response.extensions_mut().insert(LogFields::default().with("call", id));
    response
}

fn say_what_is_left(response: &mut Response, terms: &Terms, left: i64, reset_seconds: u64) {
    let policy = format!("\"default\";q={};w={}", terms.calls, terms.window.as_secs());
    let limit = format!("\"default\";r={left};t={reset_seconds}");
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
}

fn closed(calls: i64, window: Duration) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "provider-closed",
        "The free provider takes no calls for now",
        format!("It takes {calls} calls in {} seconds, and then none for a while.", window.as_secs()),
    )
}

fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "The paid provider needs its credential",
        "Send the credential as `authorization: Bearer`.",
    )
    .header(header::WWW_AUTHENTICATE, r#"Bearer realm="paid-provider""#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::{
        UnixMillis,
        testing::{FakeClock, FakeEntropy, FakeKeyValue, FakeSettings, ready},
    };

    const NOW: UnixMillis = UnixMillis(1_800_000_030_000);

    fn settings() -> FakeSettings {
        FakeSettings::of(&[
            ("limit", "2"),
            ("real_limit", ""),
            ("window_seconds", "60"),
            ("block_seconds", "60"),
            ("fault", "none"),
            ("key", ""),
        ])
    }

    fn call(key: &str) -> Request {
        let request = http::Request::post("/process").header("authorization", format!("Bearer {key}"));
        request.body(Ok(br#"{"message":"abc"}"#.to_vec())).unwrap()
    }

    fn outcome(result: Result<Response, Problem>) -> (u16, String) {
        match result {
            Ok(response) => (response.status().as_u16(), String::from_utf8(response.body().clone()).unwrap()),
            Err(problem) => (problem.status.as_u16(), problem.slug.into()),
        }
    }

    #[test]
    fn the_free_provider_answers_n_calls_and_refuses_the_next_with_retry_after() {
        let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
        for _ in 0..2 {
            let answer = outcome(ready(free(call(""), &settings(), &store, &clock)));
            assert_eq!(answer, (200, r#"{"response":"cba"}"#.into()));
        }
        let problem = ready(free(call(""), &settings(), &store, &clock)).unwrap_err();
        assert_eq!(problem.status, 429);
        assert_eq!(problem.headers[0].1, "60");
    }

    #[test]
    fn the_free_provider_says_what_is_left_of_its_real_limit() {
        let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
        let answer = ready(free(call(""), &settings().with("real_limit", "7"), &store, &clock)).unwrap();
        assert_eq!(answer.headers()["ratelimit-policy"], r#""default";q=7;w=60"#);
        assert_eq!(answer.headers()["ratelimit"], r#""default";r=6;t=30"#);
    }

    #[test]
    fn a_call_to_the_free_provider_takes_three_store_calls() {
        let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
        ready(free(call(""), &settings(), &store, &clock)).unwrap();
        store.calls.set(0);
        ready(free(call(""), &settings(), &store, &clock)).unwrap();
        assert_eq!(store.calls.get(), 3);
    }

    #[test]
    fn the_paid_provider_takes_and_meters_only_calls_with_its_credential() {
        let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
        let refused = (401, "unauthorized".to_owned());
        assert_eq!(outcome(ready(paid(call(""), &settings(), &store, &clock))), refused);
        let key = ready(ServiceKey::new(&store, "paid-provider").obtain(&FakeEntropy::default())).unwrap();
        assert_eq!(outcome(ready(paid(call(&key), &settings(), &store, &clock))).0, 200);

        let given = settings().with("key", "k-1");
        assert_eq!(outcome(ready(paid(call(&key), &given, &store, &clock))), refused);
        assert_eq!(outcome(ready(paid(call("k-1"), &given, &store, &clock))).0, 200);

        let books = ready(PaidProvider::new(&store).books(10)).unwrap();
        assert_eq!((books.metered_total, books.refused_total), (2, 2));
    }

    #[test]
    fn a_told_fault_happens_to_calls_that_were_taken() {
        let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
        let with =
            |fault: &str| outcome(ready(free(call(""), &settings().with("fault", fault), &store, &clock)));
        assert_eq!(with("status:503"), (503, String::new()));
        assert_eq!(with("slow:1500").0, 200);
        assert_eq!(clock.now(), NOW + Duration::from_millis(1500));
        assert_eq!(with("garbage").0, 429, "both calls before were taken");
        assert_eq!(with("odd"), (500, "misconfigured".into()));
    }
}
