//! What requests say of parcels, in JSON and in text.

use octo_core::{Hundredths, Problem};
use octo_delivery::{MoscowDay, NewParcel, parcel::MAX_NAME};
use octo_http::{body::Fields, query::Query};
use serde_json::Value;

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
    let (name, weight) = (name(&mut fields), fields.decimal("weight"));
    let (value, type_id) = (fields.decimal("value"), type_id(&mut fields));
    let ((name, weight), (value, type_id)) = fields.finish(name.zip(weight).zip(value.zip(type_id)))?;
    Ok(NewParcel { name, weight, value, type_id })
}

/// A weight and a value.
pub(crate) fn measures(mut fields: Fields) -> Result<(Hundredths, Hundredths), Problem> {
    let (weight, value) = (fields.decimal("weight"), fields.decimal("value"));
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
