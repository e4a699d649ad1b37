//! Asking `auth`, for a client.

use std::{fmt::Display, sync::Arc};

use http::{HeaderValue, Method, Request, StatusCode, header};
use octo_core::{HttpOut, SendError, ports::CallLimits};
use octo_http::{App, ServiceKey};
use serde_json::Value;
use tonic::{Code, Status, metadata::MetadataMap};

use crate::call::LONGEST;

const AUTH: &str = "auth";
const LIMITS: CallLimits = CallLimits { timeout: LONGEST, max_answer: 64 * 1024 };

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The network addresses that the call came from, as a proxy passes them on. Attempts are counted by them.
    pub(crate) forwarded: String,
    /// What the client says it is. A session keeps it.
    pub(crate) name: Option<HeaderValue>,
    /// The id of the call, which `auth` logs, too.
    pub(crate) request_id: String,
}

/// Sign-on, as the component `auth` has it.
#[derive(Clone, Debug)]
pub(crate) struct SignOn {
    pub(crate) app: App,
    pub(crate) client: Client,
}

/// As whom `auth` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// The client: what any HTTP client may ask, from the client's address.
    Client,
    /// A component of this application: what only those may ask.
    Component,
}

/// A response of `auth`.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    retry_after: Option<HeaderValue>,
    body: Value,
}

impl SignOn {
    /// Sends a request with a JSON body, or with none. Never repeated.
    pub(crate) async fn ask(
        &self,
        whom: As,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply, Status> {
        let Self { app, client } = self;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{AUTH}.spin.internal{path}"))
            .header("x-forwarded-for", &client.forwarded)
            .header("x-request-id", &client.request_id);
        if let Some(name) = &client.name {
            request = request.header(header::USER_AGENT, name);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if whom == As::Component {
            let key = ServiceKey::new(&app.store, AUTH).obtain(&app.entropy).await.map_err(unavailable)?;
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = request.body(body).map_err(failed)?;
        let (head, body) = app.http.send(request, LIMITS).await.map_err(unanswered)?.into_parts();
        Ok(Reply {
            status: head.status,
            retry_after: head.headers.get(header::RETRY_AFTER).cloned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }
}

impl Reply {
    /// The body.
    pub(crate) fn body(&self) -> &Value {
        &self.body
    }

    /// A text that a response with this status has.
    pub(crate) fn text(&self, name: &str) -> Result<String, Status> {
        let text = self.body.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| failed(format!("no `{name}` in a response of `{AUTH}`")))
    }

    /// The error, as the original loyalty system's HTTP clients are told.
    pub(crate) fn error(&self) -> &str {
        self.body.get("error").and_then(Value::as_str).unwrap_or("")
    }

    /// The fields that break a rule (RFC 9457, as `octo_core::Problem` tells them), in the words of the original's HTTP clients.
    pub(crate) fn wrong_fields(&self) -> String {
        let errors = self.body.get("errors").and_then(Value::as_array);
        let named = errors.into_iter().flatten().filter_map(|error| {
            let name = error.get("pointer")?.as_str()?.strip_prefix('/')?;
            let mut letters = name.chars();
            let first = letters.next()?.to_uppercase();
            Some(format!("field {first}{} is not valid", letters.as_str()))
        });
        named.collect::<Vec<_>>().join(", ")
    }

    /// The status for a response that is none of those a method knows.
    pub(crate) fn otherwise(&self) -> Status {
        let (code, text) = match self.status {
            StatusCode::TOO_MANY_REQUESTS => (Code::ResourceExhausted, "too many attempts"),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                (Code::Unavailable, "sign-on is not available now")
            }
            status => return failed(format!("`{AUTH}` responded with {status}")),
        };
        let mut metadata = MetadataMap::new();
        let seconds = self.retry_after.as_ref().and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(seconds) = seconds {
            metadata.insert("retry-after", seconds);
        }
        Status::with_metadata(code, text, metadata)
    }
}

/// Something that is no fault of the client's: `internal error`, and the cause for the log.
pub(crate) fn failed(cause: impl Display) -> Status {
    because(Status::internal("internal error"), cause)
}

fn unavailable(cause: impl Display) -> Status {
    because(Status::unavailable("sign-on is not available now"), cause)
}

fn unanswered(error: SendError) -> Status {
    match error {
        SendError::NotSent(_) => unavailable(error),
        SendError::TimedOut => because(Status::deadline_exceeded("sign-on took too long"), error),
        // It may have been carried out: nothing that a client repeats by itself.
        SendError::Broken(_) | SendError::TooLarge => failed(error),
    }
}

fn because(mut status: Status, cause: impl Display) -> Status {
    status.set_source(Arc::new(Cause(cause.to_string())));
    status
}

/// What the log is told.
#[derive(Debug)]
struct Cause(String);

impl Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}
