//! JSON bodies, read with errors that name the field and the rule.

use std::ops::RangeInclusive;

use http::{StatusCode, header};
use octo_core::{
    Hundredths, Problem,
    decimal::{self, Broken},
    problem::FieldError,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use crate::exchange::Request;

/// The members of a JSON object, taken one by one; every broken rule is remembered and told together.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads the request's body as one JSON object.
    pub fn read(request: Request) -> Result<Self, Problem> {
        match serde_json::from_str(&text(request)?) {
            Ok(Value::Object(members)) => Ok(Self { members, errors: Vec::new() }),
            Ok(_) => Err(Problem::invalid("", "must be a JSON object")),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Members from elsewhere, such as a row of a table.
    pub fn of(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    /// The same where nothing need be said: no body is an object without members.
    pub fn read_optional(request: Request) -> Result<Self, Problem> {
        match request.body() {
            Ok(body) if body.is_empty() => Ok(Self { members: Map::new(), errors: Vec::new() }),
            _ => Self::read(request),
        }
    }

    /// A text that must be there. `parse` checks it and says which rule it breaks.
    pub fn text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        match self.members.remove(name) {
            Some(Value::String(text)) => match parse(text) {
                Ok(value) => return Some(value),
                Err(rule) => self.refuse(name, rule.to_string()),
            },
            Some(_) => self.refuse(name, "must be a string"),
            None => self.refuse(name, "is required"),
        }
        None
    }

    /// A value of any kind that must be there. `parse` reads it and says which rule it breaks.
    pub fn value<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Value) -> Result<T, E>,
    ) -> Option<T> {
        match self.members.remove(name) {
            None | Some(Value::Null) => self.refuse(name, "is required"),
            Some(value) => match parse(value) {
                Ok(value) => return Some(value),
                Err(rule) => self.refuse(name, rule.to_string()),
            },
        }
        None
    }

    /// A text that may be missing or null; the outer `None` means that it is wrong.
    pub fn maybe_text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<Option<T>> {
        if self.is_missing(name) { Some(None) } else { self.text(name, parse).map(Some) }
    }

    /// A truth value that may be missing or null; the outer `None` means that it is wrong.
    pub fn maybe_boolean(&mut self, name: &str) -> Option<Option<bool>> {
        if self.is_missing(name) { Some(None) } else { self.boolean(name).map(Some) }
    }

    /// Whether there is a member of this name, whatever it holds.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The members themselves, for a reader with rules of its own.
    pub fn into_members(self) -> Map<String, Value> {
        self.members
    }

    fn is_missing(&self, name: &str) -> bool {
        self.members.get(name).is_none_or(Value::is_null)
    }

    /// A truth value that must be there.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.members.remove(name) {
            Some(Value::Bool(value)) => return Some(value),
            Some(_) => self.refuse(name, "must be true or false"),
            None => self.refuse(name, "is required"),
        }
        None
    }

    /// A whole number that must be there.
    pub fn whole_number(&mut self, name: &str) -> Option<i64> {
        match self.members.remove(name) {
            Some(Value::Number(number)) if number.is_i64() => return number.as_i64(),
            Some(_) => self.refuse(name, "must be a whole number"),
            None => self.refuse(name, "is required"),
        }
        None
    }

    /// A whole number that may be missing or null; the outer `None` means that it is wrong.
    pub fn maybe_whole_number(&mut self, name: &str) -> Option<Option<i64>> {
        if self.is_missing(name) { Some(None) } else { self.whole_number(name).map(Some) }
    }

    /// A whole number of this range that must be there.
    pub fn whole_number_within(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let number = self.whole_number(name)?;
        if range.contains(&number) {
            return Some(number);
        }
        self.refuse(name, format!("must be from {} to {}", range.start(), range.end()));
        None
    }

    /// The same where it may be missing or null; the outer `None` means that it is wrong.
    pub fn maybe_whole_number_within(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Option<Option<i64>> {
        if self.is_missing(name) { Some(None) } else { self.whole_number_within(name, range).map(Some) }
    }

    /// A positive decimal that must be there: a number, or its text. See [`octo_core::decimal`].
    pub fn decimal(&mut self, name: &str) -> Option<Hundredths> {
        self.value(name, |value| {
            let text = decimal_text(&value).ok_or("must be a decimal: a number, or its text")?;
            decimal::positive(&text).map_err(rule_of)
        })
    }

    /// The same where it may be missing or null; the outer `None` means that it is wrong.
    pub fn maybe_decimal(&mut self, name: &str) -> Option<Option<Hundredths>> {
        if self.is_missing(name) { Some(None) } else { self.decimal(name).map(Some) }
    }

    fn refuse(&mut self, name: &str, rule: impl Into<String>) {
        self.errors.push(FieldError { pointer: format!("/{name}"), rule: rule.into() });
    }

    /// The values taken, when all of them are there; otherwise everything that is wrong. Members nobody
    /// asked for are ignored, so that clients may know more than we do.
    pub fn finish<T>(self, values: Option<T>) -> Result<T, Problem> {
        match values {
            Some(values) if self.errors.is_empty() => Ok(values),
            _ => Err(Problem::invalid_fields(self.errors)),
        }
    }
}

/// The decimal text of a JSON number or string.
pub fn decimal_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// The rule that a decimal breaks, in words.
pub fn rule_of(broken: Broken) -> &'static str {
    match broken {
        Broken::NoNumber => "must be a decimal number, such as 1.50",
        Broken::NotFinite => "must be finite",
        Broken::TooManyDigits => "must have at most 10 digits",
        Broken::TooManyPlaces => "must have at most 2 digits after the point",
        Broken::TooLarge => "must have at most 8 digits before the point",
        Broken::NotPositive => "must be greater than 0",
    }
}

/// A JSON body of any form.
///
/// # Errors
/// When it is no JSON, or of another form: with the place, as a JSON pointer.
pub fn json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let text = text(request)?;
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() { Problem::invalid(pointer, rule(&inner)) } else { unreadable(&inner) }
    })?;
    deserializer.end().map_err(|error| unreadable(&error))?;
    Ok(value)
}

/// The JSON pointer (RFC 6901) of a place.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let segments = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Unknown => "/".into(),
    });
    segments.collect()
}

/// The rule that a value breaks, from what serde says of it: without the place in the text, which the pointer tells.
fn rule(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let said = text.rsplit_once(" at line ").map_or(text.as_str(), |(said, _)| said);
    format!("does not fit: {said}")
}

fn unreadable(error: &serde_json::Error) -> Problem {
    malformed(format!("The body is not JSON we can read: {error}."))
}

/// The text of a JSON body.
fn text(request: Request) -> Result<String, Problem> {
    let (head, body) = request.into_parts();
    let body = body?;
    let content_type = head.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or(""));
    if content_type.is_some_and(|value| !is_json(value)) {
        return Err(unsupported_content_type());
    }
    if body.is_empty() {
        return Err(malformed("The body is empty; it must be a JSON object."));
    }
    String::from_utf8(body).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        malformed(format!("The body is not UTF-8: the byte at offset {offset} is wrong."))
    })
}

/// Whether a content type is JSON's.
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed-body", "The body cannot be read", detail)
}

fn unsupported_content_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-content-type",
        "The body's type is not supported",
        "Send JSON with the header `content-type: application/json`.",
    )
    .header(header::ACCEPT, "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::BodyError;

    fn read(content_type: Option<&str>, body: &[u8]) -> Result<String, Problem> {
        let mut request = http::Request::post("/");
        if let Some(value) = content_type {
            request = request.header("content-type", value);
        }
        let mut fields = Fields::read(request.body(Ok(body.to_vec())).unwrap())?;
        let message = fields.text("message", Ok::<_, String>);
        fields.finish(message)
    }

    fn refusal(body: &[u8]) -> (u16, String) {
        let problem = read(None, body).unwrap_err();
        (problem.status.as_u16(), problem.detail)
    }

    #[test]
    fn a_json_object_is_read_whatever_else_it_holds() {
        let body = br#"{"other":[1],"message":"hi"}"#;
        for content_type in [None, Some("application/json"), Some("Application/JSON; charset=utf-8")] {
            assert_eq!(read(content_type, body).unwrap(), "hi");
        }
    }

    #[test]
    fn every_way_to_be_wrong_is_told_apart() {
        assert_eq!(refusal(b""), (400, "The body is empty; it must be a JSON object.".into()));
        assert_eq!(
            refusal(b"{\"message\":\"\xff\"}"),
            (400, "The body is not UTF-8: the byte at offset 12 is wrong.".into())
        );
        let (status, detail) = refusal(b"{\"message\":");
        assert_eq!(status, 400);
        assert!(detail.contains("line 1 column 11"), "{detail}");
        let nested = format!("{{\"message\":{}", "[".repeat(100_000));
        let (status, detail) = refusal(nested.as_bytes());
        assert_eq!(status, 400);
        assert!(detail.contains("recursion limit"), "{detail}");
        assert_eq!(refusal(b"[1]"), (422, "The body must be a JSON object.".into()));
        assert_eq!(refusal(b"{}"), (422, "`/message` is required.".into()));
        assert_eq!(refusal(br#"{"message":7}"#), (422, "`/message` must be a string.".into()));
        assert_eq!(read(Some("text/plain"), b"{}").unwrap_err().status, 415);
    }

    #[test]
    fn a_whole_number_is_told_from_everything_else() {
        let read = |body: &str| {
            let request = http::Request::post("/").body(Ok(body.as_bytes().to_vec())).unwrap();
            let mut fields = Fields::read(request).unwrap();
            let number = fields.maybe_whole_number("number");
            fields.finish(number).map_err(|problem| problem.detail)
        };
        assert_eq!(read(r#"{"number":-7}"#), Ok(Some(-7)));
        assert_eq!(read(r#"{"number":null}"#), Ok(None));
        assert_eq!(read("{}"), Ok(None));
        for number in ["7.0", "true", "\"7\"", "9223372036854775808", "[]"] {
            let refused = read(&format!("{{\"number\":{number}}}"));
            assert_eq!(refused, Err("`/number` must be a whole number.".into()), "{number}");
        }
    }

    #[test]
    fn a_body_that_was_not_read_is_a_problem() {
        let request = http::Request::post("/").body(Err(BodyError::TooLarge(10))).unwrap();
        assert_eq!(Fields::read(request).unwrap_err().status, 413);
    }
}
