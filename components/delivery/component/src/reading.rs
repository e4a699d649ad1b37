//! What requests say of parcels, in JSON and in text.

use octo_core::{Hundredths, Problem, problem::FieldError};
use octo_delivery::{
    MoscowDay, NewParcel,
    decimal::{self, Broken},
    parcel::MAX_NAME,
};
use octo_http::query::Query;
use serde_json::{Map, Value};

/// The decimal text of a JSON number or string.
pub(crate) fn decimal_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// The rule that a decimal breaks, in words.
pub(crate) fn rule(broken: Broken) -> &'static str {
    match broken {
        Broken::NoNumber => "must be a decimal number, such as 1.50",
        Broken::NotFinite => "must be finite",
        Broken::TooManyDigits => "must have at most 10 digits",
        Broken::TooManyPlaces => "must have at most 2 digits after the point",
        Broken::TooLarge => "must have at most 8 digits before the point",
        Broken::NotPositive => "must be greater than 0",
    }
}

/// Members of a body, or cells of a row; every broken rule is remembered.
pub(crate) struct Reader {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader {
    pub(crate) fn new(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    fn refuse<T>(&mut self, name: &str, rule: &str) -> Option<T> {
        self.errors.push(FieldError { pointer: format!("/{name}"), rule: rule.to_owned() });
        None
    }

    /// A positive decimal with two places.
    pub(crate) fn decimal(&mut self, name: &str) -> Option<Hundredths> {
        match self.members.remove(name) {
            None | Some(Value::Null) => self.refuse(name, "is required"),
            Some(value) => match decimal_text(&value).map(|text| decimal::positive(&text)) {
                Some(Ok(read)) => Some(read),
                Some(Err(broken)) => self.refuse(name, rule(broken)),
                None => self.refuse(name, "must be a decimal: a number, or its text"),
            },
        }
    }

    fn name(&mut self) -> Option<String> {
        match self.members.remove("name") {
            Some(Value::String(name))
                if (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains('\0') =>
            {
                Some(name)
            }
            Some(Value::String(_)) => self.refuse("name", "must have 1 to 512 characters, none of them NUL"),
            None | Some(Value::Null) => self.refuse("name", "is required"),
            Some(_) => self.refuse("name", "must be a string"),
        }
    }

    fn type_id(&mut self) -> Option<i64> {
        let value = self.members.remove("type");
        let number = match &value {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(id) if id > 0 => Some(id),
            None if value.is_none() => self.refuse("type", "is required"),
            _ => self.refuse("type", "must be the number of a type"),
        }
    }

    /// A parcel.
    pub(crate) fn parcel(mut self) -> Result<NewParcel, Vec<FieldError>> {
        let (name, weight, value, type_id) =
            (self.name(), self.decimal("weight"), self.decimal("value"), self.type_id());
        match (name, weight, value, type_id) {
            (Some(name), Some(weight), Some(value), Some(type_id)) => {
                Ok(NewParcel { name, weight, value, type_id })
            }
            _ => Err(self.errors),
        }
    }

    /// A weight and a value.
    pub(crate) fn measures(mut self) -> Result<(Hundredths, Hundredths), Vec<FieldError>> {
        match (self.decimal("weight"), self.decimal("value")) {
            (Some(weight), Some(value)) => Ok((weight, value)),
            _ => Err(self.errors),
        }
    }
}

/// A day in a query, such as `2026-11-26`.
pub(crate) fn day(query: &Query, name: &str) -> Result<Option<MoscowDay>, Problem> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let day = MoscowDay::parse(text);
    day.map(Some).ok_or_else(|| Problem::invalid(format!("/{name}"), "must be a date, such as 2026-11-26"))
}

/// A truth value in a query.
pub(crate) fn truth(query: &Query, name: &str) -> Result<Option<bool>, Problem> {
    match query.get(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Problem::invalid(format!("/{name}"), "must be true or false")),
    }
}
