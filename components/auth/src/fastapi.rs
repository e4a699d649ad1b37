//! Bodies as FastAPI makes them, which two of the original systems are written with: `{"detail": ...}`, and a list of
//! what is wrong with a body. Unlike the originals we never send back what we were sent: there are passwords in it.

use http::{HeaderValue, StatusCode, header};
use octo_edge::{Response, respond};
use serde::Serialize;
use serde_json::{Map, Value};

/// `{"detail": ...}`
pub(crate) fn detail(status: StatusCode, detail: impl Into<Value>) -> Response {
    respond::json(status, &Detail { detail: detail.into() })
}

/// The same, with `WWW-Authenticate: Bearer`.
pub(crate) fn challenge(text: &str) -> Response {
    let mut response = detail(StatusCode::UNAUTHORIZED, text);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Reads the members of a body and remembers every rule they break.
pub(crate) struct Body {
    members: Map<String, Value>,
    errors: Vec<Broken>,
}

/// A broken rule, the keys in FastAPI's order.
#[derive(Serialize)]
struct Broken {
    #[serde(rename = "type")]
    error: String,
    loc: [String; 2],
    msg: String,
    input: (),
}

#[derive(Serialize)]
struct Detail<T> {
    detail: T,
}

impl Body {
    pub(crate) fn new(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    /// A member that must be there, of the kind that `read` takes.
    pub(crate) fn required<T>(&mut self, name: &str, kind: &Kind<T>) -> Option<T> {
        match self.members.remove(name) {
            Some(value) => self.read(name, value, kind),
            None => {
                self.refuse(name, "missing", "Field required");
                None
            }
        }
    }

    /// A member that may be missing or null; the outer `None` means that it is wrong.
    pub(crate) fn optional<T>(&mut self, name: &str, kind: &Kind<T>) -> Option<Option<T>> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => self.read(name, value, kind).map(Some),
        }
    }

    fn read<T>(&mut self, name: &str, value: Value, kind: &Kind<T>) -> Option<T> {
        let read = (kind.read)(value);
        if read.is_none() {
            self.refuse(name, kind.error, kind.message);
        }
        read
    }

    /// Notes a broken rule of our own.
    pub(crate) fn refuse(&mut self, name: &str, error: &str, message: &str) {
        let loc = ["body".to_owned(), name.to_owned()];
        self.errors.push(Broken { error: error.to_owned(), loc, msg: message.to_owned(), input: () });
    }

    /// The values, when nothing is wrong; otherwise the answer that lists everything that is.
    pub(crate) fn finish<T>(self, values: Option<T>) -> Result<T, Response> {
        match values {
            Some(values) if self.errors.is_empty() => Ok(values),
            _ => Err(respond::json(StatusCode::UNPROCESSABLE_ENTITY, &Detail { detail: self.errors })),
        }
    }
}

/// A kind of value, and what is said of values that are not of it.
pub(crate) struct Kind<T> {
    read: fn(Value) -> Option<T>,
    error: &'static str,
    message: &'static str,
}

pub(crate) const STRING: Kind<String> = Kind {
    read: |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    },
    error: "string_type",
    message: "Input should be a valid string",
};

pub(crate) const BOOLEAN: Kind<bool> =
    Kind { read: |value| value.as_bool(), error: "bool_type", message: "Input should be a valid boolean" };

pub(crate) const INTEGER: Kind<i64> =
    Kind { read: |value| value.as_i64(), error: "int_type", message: "Input should be a valid integer" };

/// A date such as `2026-11-21`; only its form is looked at, for nobody uses it.
pub(crate) const DATE: Kind<String> = Kind {
    read: |value| {
        let text = value.as_str()?;
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        (shape == "0000-00-00").then(|| text.to_owned())
    },
    error: "date_from_datetime_parsing",
    message: "Input should be a valid date or datetime",
};
