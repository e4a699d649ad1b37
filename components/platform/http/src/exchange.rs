//! One request from arrival to log line.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use axum::response::IntoResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use octo_core::{Clock, Entropy, Problem, UnixMillis, new_id};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{path, respond};

/// A request whose body was read, or was found unfit to be read.
pub type Request = http::Request<Body>;
/// A response, whole.
#[derive(Debug)]
pub struct Response(http::Response<Vec<u8>>);
/// The request's body.
pub type Body = Result<Vec<u8>, BodyError>;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than this many bytes.
    TooLarge(usize),
    /// The client broke off.
    Broken,
    /// It was not there whole within this time.
    Late(Duration),
}

impl Response {
    /// A response with this body, 200 so far.
    pub fn new(body: Vec<u8>) -> Self {
        Self(http::Response::new(body))
    }

    /// Head and body.
    pub fn into_parts(self) -> (http::response::Parts, Vec<u8>) {
        self.0.into_parts()
    }

    /// The body.
    pub fn into_body(self) -> Vec<u8> {
        self.0.into_body()
    }
}

impl From<http::Response<Vec<u8>>> for Response {
    fn from(response: http::Response<Vec<u8>>) -> Self {
        Self(response)
    }
}

impl Deref for Response {
    type Target = http::Response<Vec<u8>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Response {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl IntoResponse for Response {
    fn into_response(self) -> axum::response::Response {
        self.0.map(axum::body::Body::from)
    }
}

/// Characters of the path in the log.
const MAX_LOGGED_PATH: usize = 200;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a handler wants to see in the request's log line beside status and duration. Put into the
/// response's extensions. Never a token, a password or a body.
#[derive(Clone, Debug, Default)]
pub struct LogFields(Map<String, Value>);

impl LogFields {
    /// Adds a field.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }
}

/// Put into the response's extensions where a request that a machine sends every few seconds found nothing to do: it is
/// not worth a line in the log.
#[derive(Clone, Copy, Debug)]
pub struct Routine;

/// An answer and the line that goes to the log.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub response: Response,
    /// One JSON object.
    pub log_line: String,
    /// Whether nobody needs the line.
    pub routine: bool,
}

/// Gives `request` to `handle`, its path [normalised](path::normalised); turns a problem into its answer, and marks both
/// with the request's id.
///
/// HEAD is answered as GET is (RFC 9110, section 9.3.2). The body goes to the platform all the same: its HTTP server leaves
/// it out, and a body shorter than the announced length would be an error before it gets there.
pub async fn answer(
    component: &str,
    clock: &impl Clock,
    entropy: &impl Entropy,
    mut request: Request,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
) -> Answered {
    if let Some(uri) = path::normalised(request.uri()) {
        *request.uri_mut() = uri;
    }
    let id = id_in(request.headers(), REQUEST_ID.as_str());
    let traced = Traced::begin(clock, entropy, request.method(), request.uri(), id);
    if request.method() == Method::HEAD {
        *request.method_mut() = Method::GET;
    }

    let mut response = handle(request).await.unwrap_or_else(|problem| respond::problem(&problem));
    let fields = response.extensions_mut().remove::<LogFields>().unwrap_or_default();
    let routine = response.extensions_mut().remove::<Routine>().is_some();
    complete(response.headers_mut());
    traced.mark(response.headers_mut());
    let log_line = traced.line(component, clock, response.status(), fields);
    Answered { response, log_line, routine }
}

/// A request, from its arrival to its line in the log.
#[derive(Debug)]
pub struct Traced {
    began: UnixMillis,
    id: String,
    method: String,
    path: String,
}

impl Traced {
    /// A request that has just arrived, with the id that it brought or a new one.
    pub fn begin(
        clock: &impl Clock,
        entropy: &impl Entropy,
        method: &Method,
        uri: &Uri,
        id: Option<String>,
    ) -> Self {
        Self {
            began: clock.now(),
            id: id.unwrap_or_else(|| new_id(clock, entropy)),
            method: method.to_string(),
            path: uri.path().chars().take(MAX_LOGGED_PATH).collect(),
        }
    }

    /// The request's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Tells the client the id, too.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            headers.insert(REQUEST_ID, value);
        }
    }

    /// The line for the log: one JSON object.
    pub fn line(&self, component: &str, clock: &impl Clock, status: StatusCode, fields: LogFields) -> String {
        let line = LogLine {
            time: self.began.to_string(),
            component,
            request_id: &self.id,
            method: &self.method,
            path: &self.path,
            status: status.as_u16(),
            ms: octo_core::time::millis(clock.now().since(self.began)),
            fields: fields.0,
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// What holds for every response.
fn complete(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Responses are about one caller at one moment, unless they say otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let allow = headers.get(header::ALLOW).and_then(|allow| allow.to_str().ok());
    let takes_head = allow.filter(|allow| allow.split(", ").any(|method| method == "GET"));
    if let Some(allow) = takes_head.and_then(|allow| HeaderValue::from_str(&format!("{allow}, HEAD")).ok()) {
        headers.insert(header::ALLOW, allow);
    }
}

#[derive(Serialize)]
struct LogLine<'a> {
    time: String,
    component: &'a str,
    request_id: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    ms: i64,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// The id that a client or proxy gave the request in this field, when it is fit for a log.
pub fn id_in(headers: &HeaderMap, name: &str) -> Option<String> {
    let id = headers.get(name)?.to_str().ok()?;
    let fit = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    fit.then(|| id.to_owned())
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(limit) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                format!("The body must have at most {limit} bytes."),
            ),
            BodyError::Broken => Problem::new(
                StatusCode::BAD_REQUEST,
                "body-incomplete",
                "The body did not arrive whole",
                "The connection broke off before the end of the body.",
            ),
            BodyError::Late(limit) => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body-too-slow",
                "The body did not arrive in time",
                format!("The whole body must arrive within {} seconds.", limit.as_secs()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::{FakeClock, FakeEntropy, ready};

    fn log_of(request: Request, result: Result<Response, Problem>) -> (Response, Value) {
        let (clock, entropy) = (FakeClock::at(UnixMillis(0)), FakeEntropy::default());
        let answered = ready(answer("router", &clock, &entropy, request, async |_| result));
        (answered.response, serde_json::from_str(&answered.log_line).unwrap())
    }

    #[test]
    fn the_log_has_the_path_but_never_the_query_and_the_given_request_id() {
        let request = http::Request::post("/messages?token=secret").header("x-request-id", "r-1");
        let (response, log) = log_of(request.body(Ok(vec![])).unwrap(), Err(respond::not_found()));
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-request-id"], "r-1");
        assert_eq!(log["path"], "/messages");
        assert_eq!(log["problem"], "not-found");
        assert!(!log.to_string().contains("secret"));
    }

    #[test]
    fn what_finds_nothing_to_do_may_say_so_and_nothing_else() {
        let (clock, entropy) = (FakeClock::at(UnixMillis(0)), FakeEntropy::default());
        let request = || http::Request::get("/").body(Ok(vec![])).unwrap();
        let mut nothing = respond::empty(StatusCode::OK);
        nothing.extensions_mut().insert(Routine);
        let answers = [(nothing, true), (respond::empty(StatusCode::OK), false)];
        for (response, routine) in answers {
            let answered = ready(answer("jobs", &clock, &entropy, request(), async |_| Ok(response)));
            assert_eq!(answered.routine, routine);
        }
    }

    #[test]
    fn head_is_answered_as_get_and_logged_as_head() {
        let request = http::Request::head("/users/%31").body(Ok(vec![])).unwrap();
        let (clock, entropy) = (FakeClock::at(UnixMillis(0)), FakeEntropy::default());
        let handle = async |request: Request| {
            assert_eq!((request.method(), request.uri().path()), (&Method::GET, "/users/1"));
            Ok(respond::json(StatusCode::OK, &1))
        };
        let answered = ready(answer("auth", &clock, &entropy, request, handle));
        assert!(answered.log_line.contains(r#""method":"HEAD","path":"/users/1""#), "{}", answered.log_line);
    }

    #[test]
    fn no_response_is_guessed_at_or_kept_unless_it_says_so() {
        let response = |own: Option<(&str, &str)>| {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            if let Some((name, value)) = own {
                let name: HeaderName = name.parse().unwrap();
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            let request = http::Request::get("/").body(Ok(vec![])).unwrap();
            log_of(request, Ok(response)).0
        };
        for result in [response(None), log_of(Request::new(Ok(vec![])), Err(respond::not_found())).0] {
            assert_eq!(result.headers()["x-content-type-options"], "nosniff");
            assert_eq!(result.headers()["cache-control"], "no-store");
        }
        assert_eq!(response(Some(("cache-control", "max-age=60"))).headers()["cache-control"], "max-age=60");
        assert_eq!(response(Some(("allow", "GET, POST"))).headers()["allow"], "GET, POST, HEAD");
        assert_eq!(response(Some(("allow", "POST"))).headers()["allow"], "POST");
    }

    #[test]
    fn a_request_id_unfit_for_a_log_is_replaced() {
        let request = http::Request::get("/").header("x-request-id", "a b\"").body(Ok(vec![])).unwrap();
        let (response, log) = log_of(request, Ok(respond::empty(StatusCode::NO_CONTENT)));
        assert_eq!(response.headers()["x-request-id"].len(), 36);
        assert_eq!(log["request_id"], response.headers()["x-request-id"].to_str().unwrap());
    }
}
