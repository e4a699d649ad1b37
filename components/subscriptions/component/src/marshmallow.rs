//! Bodies as marshmallow 3 reads them, in whose schemas the original describes its own: what it takes for a number or
//! a truth value, and what it says of everything else.

use serde_json::{Map, Number, Value, json};

/// The members of a body, taken one by one; what is wrong with them is remembered.
pub(crate) struct Schema {
    members: Map<String, Value>,
    errors: Map<String, Value>,
}

/// What is wrong with a body, by field.
pub(crate) type Errors = Map<String, Value>;

/// What Python takes for a truth value, beside `true` and `false`.
const TRUTHY: [&str; 13] =
    ["t", "T", "true", "True", "TRUE", "on", "On", "ON", "y", "Y", "yes", "Yes", "YES"];
const FALSY: [&str; 13] =
    ["f", "F", "false", "False", "FALSE", "off", "Off", "OFF", "n", "N", "no", "No", "NO"];

impl Schema {
    /// The members of an object.
    pub(crate) fn of(body: Value) -> Result<Self, Errors> {
        match body {
            Value::Object(members) => Ok(Self { members, errors: Map::new() }),
            _ => Err(Map::from_iter([("_schema".to_owned(), json!(["Invalid input type."]))])),
        }
    }

    /// `fields.Int(required=True)`. Numbers beyond what an account can have become the largest or the smallest there is.
    pub(crate) fn required_integer(&mut self, name: &str) -> Option<i64> {
        let read = match self.members.remove(name) {
            None => Err("Missing data for required field."),
            Some(Value::Null) => Err("Field may not be null."),
            Some(Value::Number(number)) => Ok(truncated(&number)),
            Some(Value::String(text)) => python_int(&text).ok_or("Not a valid integer."),
            Some(_) => Err("Not a valid integer."),
        };
        self.keep(name, read)
    }

    /// `fields.Bool(required=False)`: the outer `None` means that it is wrong, the inner one that it is missing.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<Option<bool>> {
        let read = match self.members.remove(name) {
            None => Ok(None),
            Some(Value::Null) => Err("Field may not be null."),
            Some(value) => truth(&value).map(Some).ok_or("Not a valid boolean."),
        };
        self.keep(name, read)
    }

    /// A field that may be there and does not matter.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.members.remove(name);
    }

    /// The values taken, when all is right; fields that nobody asked for are not.
    pub(crate) fn finish<T>(mut self, values: Option<T>) -> Result<T, Errors> {
        for (name, _) in std::mem::take(&mut self.members) {
            self.refuse(&name, "Unknown field.");
        }
        values.filter(|_| self.errors.is_empty()).ok_or(self.errors)
    }

    fn keep<T>(&mut self, name: &str, read: Result<T, &str>) -> Option<T> {
        read.map_err(|message| self.refuse(name, message)).ok()
    }

    fn refuse(&mut self, name: &str, message: &str) {
        self.errors.insert(name.to_owned(), json!([message]));
    }
}

/// The number without its fraction.
fn truncated(number: &Number) -> i64 {
    // A conversion of a float saturates.
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(f64::MAX) as i64)
}

/// What `int(text)` reads: digits with single underscores between them, a sign before, white space around.
fn python_int(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed =
        digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    well_formed.then(|| text.replace('_', "").parse().unwrap_or(beyond))
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) if text == "1" || TRUTHY.contains(&text.as_str()) => Some(true),
        Value::String(text) if text == "0" || FALSY.contains(&text.as_str()) => Some(false),
        _ => None,
    }
}
