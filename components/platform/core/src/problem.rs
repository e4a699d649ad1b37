//! Problem details (RFC 9457): the one shape of every refusal and failure.

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::{SettingError, SqlError, StoreError};

/// The namespace of Octo's problem types. A type's text is stable: clients may compare it.
pub const TYPE_PREFIX: &str = "urn:octo:problem:";

/// A field of the request that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the body, such as `/message`.
    pub pointer: String,
    /// The rule it breaks, as a full clause: "must be 1 to 65536 bytes long".
    pub rule: String,
}

/// A refusal or failure, ready to be rendered. All but [`cause`](Self::cause) goes to the client as it is.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The last part of the problem type.
    pub slug: &'static str,
    /// The same words for every occurrence of the type.
    pub title: &'static str,
    /// What went wrong this time, and what to do about it.
    pub detail: String,
    /// Fields of the request that break a rule.
    pub errors: Vec<FieldError>,
    /// Further members of the problem object.
    pub members: Vec<(&'static str, Value)>,
    /// Header fields the answer carries (`Retry-After`, `WWW-Authenticate`, `Allow` ...).
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What really happened, for the log only.
    pub cause: Option<String>,
}

impl Problem {
    /// A problem of type `slug`.
    pub fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            slug,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            members: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// The request breaks the rule of a field: 422.
    pub fn invalid(pointer: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { pointer: pointer.into(), rule: rule.into() }])
    }

    /// The request breaks the rules of several fields: 422.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let named = |error: &FieldError| match error.pointer.as_str() {
            // RFC 6901: the empty pointer is the whole document.
            "" => format!("The body {}", error.rule),
            pointer => format!("`{pointer}` {}", error.rule),
        };
        let named: Vec<_> = errors.iter().map(named).collect();
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-fields",
            "The request has fields that break a rule",
            format!("{}.", named.join("; ")),
        );
        problem.errors = errors;
        problem
    }

    /// The fault is ours: constant text, the reason belongs in the log.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Octo failed to answer",
            "The request could not be answered. It is in the log under this request's id.",
        )
    }

    /// A store or service we need is away for now.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "A part of Octo cannot be reached",
            "Nothing was changed. Send the same request again in a moment.",
        )
        .retry_after(1)
    }

    /// The database is away. It may have gone while it was at work.
    pub fn database_unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database-unavailable",
            "The database cannot be reached",
            "What was asked for may have been done all the same: look before you send the same request again.",
        )
        .retry_after(1)
    }

    /// Notes what really happened, for the log only.
    pub fn because(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds a member to the problem object.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds a header field; a value that is not a valid one is left out.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((name, value));
        }
        self
    }

    /// Says when to try again, in seconds (RFC 9110, section 10.2.3).
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(http::header::RETRY_AFTER, seconds.to_string())
    }
}

/// The JSON object of RFC 9457, the standard members first.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("type", &format!("{TYPE_PREFIX}{}", self.slug))?;
        object.serialize_entry("title", self.title)?;
        object.serialize_entry("status", &self.status.as_u16())?;
        object.serialize_entry("detail", &self.detail)?;
        if !self.errors.is_empty() {
            object.serialize_entry("errors", &self.errors)?;
        }
        for (name, value) in &self.members {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// A wrong variable is the operator's to mend: the client gets constant text.
impl From<SettingError> for Problem {
    fn from(error: SettingError) -> Self {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "misconfigured",
            "Octo is not set up right",
            "A variable of this application is wrong. The log names it.",
        )
        .because(error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Problem::unavailable().because(error)
    }
}

/// Conflicts a caller can cause are told apart where they are expected; what is left is ours to explain.
impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Conflict(_) | SqlError::Missing(_) => Problem::internal().because(error),
            SqlError::Busy | SqlError::Failed(_) => Problem::unavailable().because(error),
            SqlError::Down(_) => Problem::database_unavailable().because(error),
            SqlError::Unstorable => {
                Problem::invalid("", "has a text with the character U+0000, which cannot be kept")
            }
            SqlError::Misconfigured(error) => error.into(),
        }
    }
}
