//! Values between components and Postgres, converted as Spin does.

use std::error::Error as StdError;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::bindings::fermyon::spin::rdbms_types::{Column, DbDataType, DbValue, Error, ParameterValue};

/// A value for a placeholder. Postgres decides the placeholder's type; the value must be of just that type.
pub(crate) type Parameter = Box<dyn ToSql + Sync + Send>;

/// NULL of whatever type is wanted.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(IsNull::Yes)
    }
}

/// A value of a type that components cannot be given.
struct Unsupported;

impl FromSql<'_> for Unsupported {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(crate) fn parameter(value: ParameterValue) -> Result<Parameter, Error> {
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(value),
        ParameterValue::Int8(value) => Box::new(value),
        ParameterValue::Int16(value) => Box::new(value),
        ParameterValue::Int32(value) => Box::new(value),
        ParameterValue::Int64(value) => Box::new(value),
        ParameterValue::Floating32(value) => Box::new(value),
        ParameterValue::Floating64(value) => Box::new(value),
        ParameterValue::Str(value) => Box::new(value),
        ParameterValue::Binary(value) => Box::new(value),
        ParameterValue::DbNull => Box::new(Null),
        ParameterValue::Uint8(_)
        | ParameterValue::Uint16(_)
        | ParameterValue::Uint32(_)
        | ParameterValue::Uint64(_) => {
            let refusal = "Postgres does not support unsigned integers";
            return Err(Error::ValueConversionFailed(refusal.to_owned()));
        }
    })
}

pub(crate) fn columns(row: &Row) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: data_type(column.type_()),
    };
    row.columns().iter().map(column).collect()
}

fn data_type(of: &Type) -> DbDataType {
    match *of {
        Type::BOOL => DbDataType::Boolean,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::BYTEA => DbDataType::Binary,
        _ => DbDataType::Other,
    }
}

pub(crate) fn values(row: &Row) -> Result<Vec<DbValue>, Error> {
    let value = |index: usize, column: &tokio_postgres::Column| match *column.type_() {
        Type::BOOL => converted(row, index, DbValue::Boolean),
        Type::INT2 => converted(row, index, DbValue::Int16),
        Type::INT4 => converted(row, index, DbValue::Int32),
        Type::INT8 => converted(row, index, DbValue::Int64),
        Type::FLOAT4 => converted(row, index, DbValue::Floating32),
        Type::FLOAT8 => converted(row, index, DbValue::Floating64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => converted(row, index, DbValue::Str),
        Type::BYTEA => converted(row, index, DbValue::Binary),
        _ => converted(row, index, |_: Unsupported| DbValue::Unsupported),
    };
    row.columns().iter().enumerate().map(|(index, column)| value(index, column)).collect()
}

fn converted<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    into: impl FnOnce(T) -> DbValue,
) -> Result<DbValue, Error> {
    let value: Option<T> = row.try_get(index).map_err(|error| Error::QueryFailed(format!("{error:?}")))?;
    Ok(value.map_or(DbValue::DbNull, into))
}
