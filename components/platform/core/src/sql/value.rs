//! A value in a statement or a row.

use crate::UnixMillis;

/// A value in a SQL statement or row. Money is minor units in `Integer`, or decimal text; never a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// BIGINT; also booleans (0 and 1) and epoch milliseconds.
    Integer(i64),
    /// TEXT.
    Text(String),
    /// BLOB, or BYTEA.
    Blob(Vec<u8>),
}

impl SqlValue {
    /// The integer, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            SqlValue::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            SqlValue::Text(value) => Some(value),
            _ => None,
        }
    }

    /// Whether every database can hold it: Postgres has no NUL in its texts.
    pub fn is_storable(&self) -> bool {
        !self.text().is_some_and(|text| text.contains('\0'))
    }

    /// The bytes, if they are any.
    pub fn blob(&self) -> Option<&[u8]> {
        match self {
            SqlValue::Blob(value) => Some(value),
            _ => None,
        }
    }
}

impl From<i64> for SqlValue {
    fn from(value: i64) -> Self {
        SqlValue::Integer(value)
    }
}

impl From<bool> for SqlValue {
    fn from(value: bool) -> Self {
        SqlValue::Integer(value.into())
    }
}

impl From<UnixMillis> for SqlValue {
    fn from(value: UnixMillis) -> Self {
        SqlValue::Integer(value.0)
    }
}

impl From<&str> for SqlValue {
    fn from(value: &str) -> Self {
        SqlValue::Text(value.to_owned())
    }
}

impl From<String> for SqlValue {
    fn from(value: String) -> Self {
        SqlValue::Text(value)
    }
}

impl From<&[u8]> for SqlValue {
    fn from(value: &[u8]) -> Self {
        SqlValue::Blob(value.to_vec())
    }
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(SqlValue::Null, Into::into)
    }
}
