//! What is wrong with a request, listed.

use std::borrow::Cow;

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Detail, Kind};
use crate::{Response, form::Form, query::Query, respond};

/// Where in the request the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In its body, JSON or a form.
    Body,
    /// In its query.
    Query,
    /// In its path.
    Path,
    /// In its header.
    Header,
}

/// A rule that a value breaks, as Pydantic names and tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, such as `greater_than`.
    pub error: &'static str,
    /// In words.
    pub message: Cow<'static, str>,
    /// The rule's own values, such as `("gt", 0)`.
    pub ctx: Option<(&'static str, Value)>,
}

impl Rule {
    /// A rule without values of its own.
    pub fn new(error: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { error, message: message.into(), ctx: None }
    }

    /// With this value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.ctx = Some((name, value.into()));
        self
    }
}

/// Whether each broken rule comes with a link to its description; this depends on the versions the original was
/// written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It does not.
    None,
    /// To the description in this version of Pydantic, such as `2.5`.
    Pydantic(&'static str),
}

/// The rules that a request breaks, in the order in which they were found.
#[derive(Debug)]
pub struct Errors {
    place: Place,
    links: Links,
    broken: Vec<Broken>,
}

/// A broken rule, the keys in FastAPI's order.
#[derive(Debug, Serialize)]
struct Broken {
    r#type: String,
    loc: Vec<Value>,
    msg: String,
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
            Self::Header => "header",
        }
    }
}

impl Errors {
    /// None yet.
    pub fn new(place: Place, links: Links) -> Self {
        Self { place, links, broken: Vec::new() }
    }

    /// A value that must be there is not.
    pub fn missing(&mut self, name: &str) {
        self.refuse(name, "missing", "Field required");
    }

    /// A field of a form that must be there. An empty one is not.
    pub fn field<'a>(&mut self, form: &'a Form, name: &str) -> Option<&'a str> {
        let value = form.get(name).filter(|value| !value.is_empty());
        if value.is_none() {
            self.missing(name);
        }
        value
    }

    /// A value breaks a rule.
    pub fn refuse(&mut self, name: &str, error: &str, message: &str) {
        self.push(Some(name), error, message);
    }

    /// A parameter of a query; `None` when it is not there, or is wrong.
    pub fn parameter<T>(&mut self, query: &Query, name: &str, kind: &Kind<T>) -> Option<T> {
        let input = Value::from(query.get(name)?);
        kind.read(input.clone()).map_err(|rule| self.refuse_value(name, rule, input)).ok()
    }

    /// A value breaks a rule, and may be sent back: it is nobody's secret.
    pub fn refuse_value(&mut self, name: &str, rule: Rule, input: Value) {
        self.push(Some(name), rule.error, &rule.message);
        if let Some(broken) = self.broken.last_mut() {
            broken.input = input;
            broken.ctx = rule.ctx.map(|(name, value)| Map::from_iter([(name.to_owned(), value)]));
        }
    }

    /// A value at a place deeper than the first level breaks a rule.
    pub fn refuse_at(&mut self, place: &[Value], rule: Rule, input: Value) {
        self.refuse_value("", rule, input);
        if let Some(broken) = self.broken.last_mut() {
            broken.loc.truncate(1);
            broken.loc.extend(place.iter().cloned());
        }
    }

    /// A member, named by the last part of its place, of an object there; `None` when it is missing or wrong.
    pub fn member<T>(&mut self, members: &Map<String, Value>, place: &[Value], kind: &Kind<T>) -> Option<T> {
        let name = place.last().and_then(Value::as_str).unwrap_or("");
        let Some(value) = members.get(name) else {
            self.refuse_at(place, Rule::new("missing", "Field required"), Value::Object(members.clone()));
            return None;
        };
        kind.read(value.clone()).map_err(|rule| self.refuse_at(place, rule, value.clone())).ok()
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.broken.is_empty()
    }

    /// There is no body.
    pub(super) fn no_body(&mut self) {
        self.push(None, "missing", "Field required");
    }

    /// The body is something else than an object.
    pub(super) fn no_object(&mut self) {
        let message = "Input should be a valid dictionary or object to extract fields from";
        self.push(None, "model_attributes_type", message);
    }

    /// The body is no JSON, for this reason, from this byte on.
    pub(super) fn no_json(&mut self, reason: String, offset: usize) {
        self.broken.push(Broken {
            r#type: "json_invalid".to_owned(),
            loc: vec![self.place.name().into(), offset.into()],
            msg: "JSON decode error".to_owned(),
            input: json!({}),
            ctx: Some(Map::from_iter([("error".to_owned(), reason.into())])),
            url: None,
        });
    }

    fn push(&mut self, name: Option<&str>, error: &str, message: &str) {
        let url = match self.links {
            Links::None => None,
            Links::Pydantic(version) => Some(format!("https://errors.pydantic.dev/{version}/v/{error}")),
        };
        self.broken.push(Broken {
            r#type: error.to_owned(),
            loc: [Some(self.place.name()), name].into_iter().flatten().map(Value::from).collect(),
            msg: message.to_owned(),
            input: Value::Null,
            ctx: None,
            url,
        });
    }

    /// The values, when nothing is wrong; otherwise the answer that lists everything that is.
    pub fn finish<T>(self, values: Option<T>) -> Result<T, Response> {
        match values {
            Some(values) if self.broken.is_empty() => Ok(values),
            _ => Err(self.into_response()),
        }
    }

    /// 422, with the list.
    pub fn into_response(self) -> Response {
        respond::json(StatusCode::UNPROCESSABLE_ENTITY, &Detail { detail: self.broken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_spelled_as_the_original_spells_it() {
        let mut errors = Errors::new(Place::Query, Links::Pydantic("2.6"));
        errors.missing("token");
        let answer = errors.finish(Some(())).unwrap_err();
        assert_eq!(answer.status(), 422);
        assert_eq!(
            str::from_utf8(answer.body()).unwrap(),
            r#"{"detail":[{"type":"missing","loc":["query","token"],"msg":"Field required","input":null,"url":"https://errors.pydantic.dev/2.6/v/missing"}]}"#
        );
        let mut errors = Errors::new(Place::Body, Links::None);
        errors.refuse("name", "string_type", "Input should be a valid string");
        assert_eq!(
            str::from_utf8(errors.into_response().body()).unwrap(),
            r#"{"detail":[{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":null}]}"#
        );
    }
}
