//! A JSON body, read as FastAPI and Pydantic read it: a value may come in another form than its own ("lax mode").

use std::ops::Range;

use http::header;
use octo_core::{
    Hundredths, Problem,
    decimal::{self, Broken},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Errors, Links, Place, Rule};
use crate::{
    Request, Response,
    body::{decimal_text, is_json},
    respond,
};

/// Reads the members of a body and remembers every rule they break.
#[derive(Debug)]
pub struct Body {
    members: Map<String, Value>,
    errors: Errors,
    /// All of it, where what breaks a rule is sent back.
    shown: Option<Value>,
}

/// A kind of value: how it is read, or which rule (type and message) it breaks.
#[derive(Debug)]
pub struct Kind<T>(fn(Value) -> Result<T, Rule>);

impl<T> Kind<T> {
    /// A kind that is read so.
    pub const fn new(read: fn(Value) -> Result<T, Rule>) -> Self {
        Self(read)
    }

    /// Reads a value.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn read(&self, value: Value) -> Result<T, Rule> {
        (self.0)(value)
    }
}

/// A body whose syntax is right.
#[derive(Debug)]
pub struct Parsed {
    sent: Sent,
    links: Links,
}

impl Parsed {
    /// Reads the body of `request`, if it is any JSON at all.
    pub fn read(request: Request, links: Links) -> Result<Self, Response> {
        Ok(Self { sent: Sent::read(request, links)?, links })
    }

    /// Whether it has a member of this name, whatever that holds.
    pub fn has(&self, name: &str) -> bool {
        matches!(&self.sent, Sent::Object(members) if members.contains_key(name))
    }

    /// Its members; it must be an object.
    pub fn members(self) -> Result<Body, Response> {
        let mut errors = Errors::new(Place::Body, self.links);
        match self.sent {
            Sent::Object(members) => return Ok(Body { members, errors, shown: None }),
            Sent::Nothing => errors.no_body(),
            Sent::Else => errors.no_object(),
        }
        Err(errors.into_response())
    }
}

impl Body {
    /// The members of an object.
    pub fn new(members: Map<String, Value>, links: Links) -> Self {
        Self { members, errors: Errors::new(Place::Body, links), shown: None }
    }

    /// Reads the body of `request`, which must be an object.
    pub fn read(request: Request, links: Links) -> Result<Self, Response> {
        Parsed::read(request, links)?.members()
    }

    /// Sends back what breaks a rule, as the original does: for bodies in which there is no secret.
    #[must_use]
    pub fn showing_input(mut self) -> Self {
        self.shown = Some(Value::Object(self.members.clone()));
        self
    }

    /// The same for values that the original takes one by one: each is missing where there is no object.
    pub fn read_embedded(request: Request, links: Links) -> Result<Self, Response> {
        Ok(match Sent::read(request, links)? {
            Sent::Object(members) => Self::new(members, links),
            Sent::Nothing | Sent::Else => Self::new(Map::new(), links),
        })
    }

    /// A member that must be there.
    pub fn required<T>(&mut self, name: &str, kind: &Kind<T>) -> Option<T> {
        match self.members.remove(name) {
            Some(value) => self.value(name, value, kind),
            None => {
                let rule = Rule::new("missing", "Field required");
                self.errors.refuse_value(name, rule, self.shown.clone().unwrap_or_default());
                None
            }
        }
    }

    /// A member that may be missing or null; the outer `None` means that it is wrong.
    pub fn optional<T>(&mut self, name: &str, kind: &Kind<T>) -> Option<Option<T>> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => self.value(name, value, kind).map(Some),
        }
    }

    fn value<T>(&mut self, name: &str, value: Value, kind: &Kind<T>) -> Option<T> {
        let input = self.shown.as_ref().map_or(Value::Null, |_| value.clone());
        kind.read(value).map_err(|rule| self.errors.refuse_value(name, rule, input)).ok()
    }

    /// Notes a broken rule of our own.
    pub fn refuse(&mut self, name: &str, message: &str) {
        self.errors.refuse(name, "value_error", message);
    }

    /// The values, when nothing is wrong; otherwise the answer that lists everything that is.
    pub fn finish<T>(self, values: Option<T>) -> Result<T, Response> {
        self.errors.finish(values)
    }
}

/// What was sent as a body.
#[derive(Debug)]
enum Sent {
    Nothing,
    Object(Map<String, Value>),
    /// Other JSON, or what does not say it is JSON.
    Else,
}

impl Sent {
    /// A client that says nothing of the body's type sends JSON.
    fn read(request: Request, links: Links) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let bytes = body.map_err(|error| respond::problem(&Problem::from(error)))?;
        let content_type = head.headers.get(header::CONTENT_TYPE);
        if bytes.is_empty() {
            return Ok(Self::Nothing);
        }
        if content_type.is_some_and(|value| !value.to_str().is_ok_and(is_json)) {
            return Ok(Self::Else);
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(members)) => Ok(Self::Object(members)),
            Ok(_) => Ok(Self::Else),
            Err(error) => {
                let mut errors = Errors::new(Place::Body, links);
                errors.no_json(error.to_string(), offset(&bytes, &error));
                Err(errors.into_response())
            }
        }
    }
}

/// Where in the text the error is.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines_before = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    lines_before.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1)
}

/// A text.
pub const STRING: Kind<String> = Kind(|value| match value {
    Value::String(text) => Ok(text),
    _ => Err(Rule::new("string_type", "Input should be a valid string")),
});

/// A truth value, or a word or number that means one.
pub const BOOLEAN: Kind<bool> = Kind(|value| {
    let word = match value {
        Value::Bool(value) => return Ok(value),
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => return Err(Rule::new("bool_type", "Input should be a valid boolean")),
    };
    match word.as_str() {
        "1" | "1.0" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
        "0" | "0.0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
        _ => Err(Rule::new("bool_parsing", "Input should be a valid boolean, unable to interpret input")),
    }
});

/// A whole number, or a text that is one.
pub const INTEGER: Kind<i64> = Kind(|value| match value {
    Value::Bool(value) => Ok(value.into()),
    Value::Number(number) => match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => Ok(whole),
        (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => Ok(float as i64),
        _ => Err(Rule::new(
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        )),
    },
    Value::String(text) => text.trim().parse().map_err(|_| {
        Rule::new("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    }),
    _ => Err(Rule::new("int_type", "Input should be a valid integer")),
});

/// A positive decimal with at most two places and ten digits, or its text.
pub const DECIMAL: Kind<Hundredths> = Kind::new(|value| {
    let type_message = "Decimal input should be an integer, float, string or Decimal object";
    let text = decimal_text(&value).ok_or_else(|| Rule::new("decimal_type", type_message))?;
    decimal::positive(&text).map_err(|broken| match broken {
        Broken::NoNumber => Rule::new("decimal_parsing", "Input should be a valid decimal"),
        Broken::NotFinite => Rule::new("finite_number", "Input should be a finite number"),
        Broken::TooManyDigits => {
            Rule::new("decimal_max_digits", "Decimal input should have no more than 10 digits in total")
                .with("max_digits", 10)
        }
        Broken::TooManyPlaces => {
            Rule::new("decimal_max_places", "Decimal input should have no more than 2 decimal places")
                .with("decimal_places", 2)
        }
        Broken::TooLarge => Rule::new(
            "decimal_whole_digits",
            "Decimal input should have no more than 8 digits before the decimal point",
        )
        .with("whole_digits", 8),
        Broken::NotPositive => greater_than_0(),
    })
});

/// A whole number above 0.
pub const POSITIVE: Kind<i64> = Kind::new(|value| match INTEGER.read(value)? {
    number if number > 0 => Ok(number),
    _ => Err(greater_than_0()),
});

/// The rule of what must be above 0.
pub fn greater_than_0() -> Rule {
    Rule::new("greater_than", "Input should be greater than 0").with("gt", 0)
}

/// A UUID, in any of its forms.
pub const UUID: Kind<Uuid> = Kind(|value| match value {
    Value::String(text) => Uuid::try_parse(&text).map_err(|error| {
        let message = format!("Input should be a valid UUID, {error}");
        Rule::new("uuid_parsing", message).with("error", error.to_string())
    }),
    _ => Err(Rule::new("uuid_type", "UUID input should be a string, bytes or UUID object")),
});

/// A UUID of version 4.
pub const UUID_4: Kind<Uuid> = Kind(|value| {
    let uuid = UUID.read(value)?;
    if uuid.get_version_num() == 4 {
        return Ok(uuid);
    }
    Err(Rule::new("uuid_version", "UUID version 4 expected").with("expected_version", 4))
});

/// A date such as `2026-11-21`, or its midnight; only its form is looked at, for nobody uses it.
pub const DATE: Kind<String> = Kind(|value| {
    const ERROR: &str = "date_from_datetime_parsing";
    let Value::String(text) = value else {
        return Err(Rule::new("date_type", "Input should be a valid date"));
    };
    if text.len() < 10 {
        return Err(Rule::new(ERROR, "Input should be a valid date or datetime, input is too short"));
    }
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((&text, "00:00:00"));
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let number = |range: Range<usize>| date.get(range).and_then(|digits| digits.parse().ok()).unwrap_or(0_u8);
    let is_date =
        shape == "0000-00-00" && (1..=12).contains(&number(5..7)) && (1..=31).contains(&number(8..10));
    let is_midnight = time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.' | b'Z'));
    match (is_date, is_midnight) {
        (true, true) => Ok(date.to_owned()),
        (true, false) => Err(Rule::new(
            "date_from_datetime_inexact",
            "Datetimes provided to dates should have zero time - e.g. be exact dates",
        )),
        _ => Err(Rule::new(ERROR, "Input should be a valid date or datetime, invalid character in year")),
    }
});

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused<T>(kind: &Kind<T>, value: Value) -> &'static str {
        kind.read(value).err().map_or("", |rule| rule.error)
    }

    #[test]
    fn values_come_in_several_forms() {
        for (value, read) in
            [(json!(true), true), (json!("Off"), false), (json!(1), true), (json!("no"), false)]
        {
            assert_eq!((BOOLEAN.0)(value), Ok(read));
        }
        for (value, read) in [(json!(-3), -3), (json!("12"), 12), (json!(5.0), 5), (json!(true), 1)] {
            assert_eq!((INTEGER.0)(value), Ok(read));
        }
        for date in ["2030-01-31", "2030-01-31T00:00:00", "2030-01-31 00:00:00Z"] {
            assert_eq!((DATE.0)(json!(date)), Ok("2030-01-31".to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_is_named_as_pydantic_names_it() {
        assert_eq!(refused(&STRING, json!(7)), "string_type");
        assert_eq!(refused(&BOOLEAN, json!("x")), "bool_parsing");
        assert_eq!(refused(&BOOLEAN, json!(2)), "bool_parsing");
        assert_eq!(refused(&BOOLEAN, json!([])), "bool_type");
        assert_eq!(refused(&INTEGER, json!("x")), "int_parsing");
        assert_eq!(refused(&INTEGER, json!(1.5)), "int_from_float");
        assert_eq!(refused(&INTEGER, json!(null)), "int_type");
        for wrong in ["soon", "2030-13-01", "2030-01-00", "01.01.2030", "дддддддддд"] {
            assert_eq!(refused(&DATE, json!(wrong)), "date_from_datetime_parsing", "{wrong}");
        }
        assert_eq!(refused(&DATE, json!("2030-01-01T10:00:00")), "date_from_datetime_inexact");
        assert_eq!(refused(&DATE, json!(7)), "date_type");
    }

    fn read(content_type: Option<&str>, body: &str) -> Result<String, String> {
        let mut request = http::Request::post("/");
        if let Some(value) = content_type {
            request = request.header("content-type", value);
        }
        let text = |answer: Response| String::from_utf8(answer.into_body()).unwrap();
        let mut body = Body::read(request.body(Ok(body.into())).unwrap(), Links::None).map_err(text)?;
        let name = body.required("name", &STRING);
        body.finish(name).map_err(text)
    }

    #[test]
    fn a_body_that_is_none_is_told_as_fastapi_tells_it() {
        assert_eq!(read(None, r#"{"name":"ada"}"#), Ok("ada".into()));
        assert_eq!(
            read(None, "").unwrap_err(),
            r#"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}"#
        );
        let no_object = r#"{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":null}]}"#;
        assert_eq!(read(Some("text/plain"), r#"{"name":"ada"}"#).unwrap_err(), no_object);
        assert_eq!(read(None, "[]").unwrap_err(), no_object);
        let no_json = read(Some("application/json"), "{\n  x").unwrap_err();
        assert!(no_json.contains(r#""type":"json_invalid","loc":["body",4]"#), "{no_json}");
    }
}
