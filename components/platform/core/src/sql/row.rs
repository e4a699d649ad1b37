//! Rows as typed tuples.

use super::{Row, SqlValue};
use crate::UnixMillis;

/// What a column can be read as.
pub trait FromSql: Sized + Send {
    /// `None` when `value` is of another type.
    fn from_sql(value: SqlValue) -> Option<Self>;
}

impl FromSql for SqlValue {
    fn from_sql(value: SqlValue) -> Option<Self> {
        Some(value)
    }
}

impl FromSql for i64 {
    fn from_sql(value: SqlValue) -> Option<Self> {
        value.integer()
    }
}

impl FromSql for bool {
    fn from_sql(value: SqlValue) -> Option<Self> {
        value.integer().map(|value| value != 0)
    }
}

impl FromSql for UnixMillis {
    fn from_sql(value: SqlValue) -> Option<Self> {
        value.integer().map(UnixMillis)
    }
}

impl FromSql for String {
    fn from_sql(value: SqlValue) -> Option<Self> {
        match value {
            SqlValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromSql for Vec<u8> {
    fn from_sql(value: SqlValue) -> Option<Self> {
        match value {
            SqlValue::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn from_sql(value: SqlValue) -> Option<Self> {
        match value {
            SqlValue::Null => Some(None),
            value => T::from_sql(value).map(Some),
        }
    }
}

/// What a row can be read as: a tuple with a member for each column, in their order.
pub trait FromRow: Sized + Send {
    /// `None` when a column is of another type, or there are more or fewer.
    fn from_row(row: Row) -> Option<Self>;
}

impl FromRow for Row {
    fn from_row(row: Row) -> Option<Self> {
        Some(row)
    }
}

macro_rules! from_row_for_tuples {
    ($($($member:ident)+;)+) => {$(
        impl<$($member: FromSql),+> FromRow for ($($member,)+) {
            fn from_row(row: Row) -> Option<Self> {
                let mut columns = row.into_iter();
                let read = ($($member::from_sql(columns.next()?)?,)+);
                columns.next().is_none().then_some(read)
            }
        }
    )+};
}

from_row_for_tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_what_it_is() {
        let row = || vec![SqlValue::Integer(7), SqlValue::Text("seven".into()), SqlValue::Null];
        let read: (i64, String, Option<UnixMillis>) = FromRow::from_row(row()).unwrap();
        assert_eq!(read, (7, "seven".to_owned(), None));
        assert_eq!(<(i64, String)>::from_row(row()), None);
        assert_eq!(<(i64, String, i64)>::from_row(row()), None);
        assert_eq!(<(i64, i64, Option<i64>)>::from_row(row()), None);
        assert_eq!(<(i64, String, Option<i64>, i64)>::from_row(row()), None);
    }
}
