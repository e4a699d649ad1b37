//! What requests say of parcels, in JSON and in text.

use octo_core::{Hundredths, Problem};
use octo_delivery::{
    MoscowDay, NewParcel,
    decimal::{self, Broken},
    parcel::MAX_NAME,
};
use octo_http::{body::Fields, query::Query};
use serde_json::Value;

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

/// A positive decimal with two places.
fn decimal(fields: &mut Fields, name: &str) -> Option<Hundredths> {
    fields.value(name, |value| {
        let text = decimal_text(&value).ok_or("must be a decimal: a number, or its text")?;
        decimal::positive(&text).map_err(rule)
    })
}

fn name(fields: &mut Fields) -> Option<String> {
    fields.value("name", |value| match value {
        Value::String(name) if (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains('\0') => {
            Ok(name)
        }
        Value::String(_) => Err("must have 1 to 512 characters, none of them NUL"),
        _ => Err("must be a string"),
    })
}

fn type_id(fields: &mut Fields) -> Option<i64> {
    fields.value("type", |value| {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|id| *id > 0).ok_or("must be the number of a type")
    })
}

/// The parcel that the members of a body, or the cells of a row, describe.
pub(crate) fn parcel(mut fields: Fields) -> Result<NewParcel, Problem> {
    let (name, weight) = (name(&mut fields), decimal(&mut fields, "weight"));
    let (value, type_id) = (decimal(&mut fields, "value"), type_id(&mut fields));
    let ((name, weight), (value, type_id)) = fields.finish(name.zip(weight).zip(value.zip(type_id)))?;
    Ok(NewParcel { name, weight, value, type_id })
}

/// A weight and a value.
pub(crate) fn measures(mut fields: Fields) -> Result<(Hundredths, Hundredths), Problem> {
    let (weight, value) = (decimal(&mut fields, "weight"), decimal(&mut fields, "value"));
    fields.finish(weight.zip(value))
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
