//! Rows, read by the names of their columns.

use std::sync::Arc;

use super::{SqlError, SqlValue};
use crate::UnixMillis;

/// The names of a statement's columns, shared by all of its rows.
pub type Columns = Arc<[String]>;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    columns: Columns,
    values: Vec<SqlValue>,
}

impl Row {
    /// The row with these values, one for each column.
    pub fn new(columns: &Columns, values: Vec<SqlValue>) -> Self {
        Self { columns: columns.clone(), values }
    }

    /// Takes the value out of the column with this name; `None` when there is no such column, or its value is of another
    /// type.
    pub fn take<T: FromSql>(&mut self, name: &str) -> Option<T> {
        let index = self.columns.iter().position(|column| column == name)?;
        T::from_sql(std::mem::replace(self.values.get_mut(index)?, SqlValue::Null))
    }

    /// The values, in the order in which the statement names their columns.
    pub fn values(&self) -> &[SqlValue] {
        &self.values
    }

    /// The row without its first `number` columns, and their values; of all rows of an answer `columns` are the same.
    pub(super) fn split(mut self, number: usize, columns: &Columns) -> (Vec<SqlValue>, Self) {
        let own = self.values.split_off(self.values.len().min(number));
        (self.values, Self::new(columns, own))
    }

    /// The names of its columns but for the first `number`.
    pub(super) fn columns_after(&self, number: usize) -> Columns {
        self.columns.iter().skip(number).cloned().collect()
    }
}

/// Reads `rows`.
pub(super) fn read<R: FromRow>(rows: Vec<Row>) -> Result<Vec<R>, SqlError> {
    rows.into_iter().map(|row| R::from_row(row).ok_or_else(|| SqlError::damaged("a row"))).collect()
}

/// Reads a type from rows, each member from the column of its name:
///
/// ```
/// struct Account {
///     id: i64,
///     email: Option<String>,
/// }
/// octo_core::from_row!(Account { id, email });
/// ```
#[macro_export]
macro_rules! from_row {
    ($type:ident { $($member:ident),+ $(,)? }) => {
        impl $crate::sql::FromRow for $type {
            fn from_row(mut row: $crate::sql::Row) -> Option<Self> {
                Some(Self { $($member: row.take(stringify!($member))?),+ })
            }
        }
    };
}

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

/// What a row can be read as: a type by [`from_row!`](crate::from_row), or, for a few columns next to their statement, a
/// tuple with a member for each, in their order.
pub trait FromRow: Sized + Send {
    /// `None` when a column is missing or of another type; for a tuple also when there are more.
    fn from_row(row: Row) -> Option<Self>;
}

macro_rules! from_row_for_tuples {
    ($($($member:ident)+;)+) => {$(
        impl<$($member: FromSql),+> FromRow for ($($member,)+) {
            fn from_row(row: Row) -> Option<Self> {
                let mut values = row.values.into_iter();
                let read = ($($member::from_sql(values.next()?)?,)+);
                values.next().is_none().then_some(read)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let columns: Columns = ["number", "text", "time"].map(str::to_owned).into();
        Row::new(&columns, vec![SqlValue::Integer(7), SqlValue::Text("seven".into()), SqlValue::Null])
    }

    #[test]
    fn members_are_read_from_the_columns_of_their_names() {
        #[derive(Debug, PartialEq, Eq)]
        struct Read {
            time: Option<UnixMillis>,
            number: i64,
        }
        from_row!(Read { time, number });
        assert_eq!(Read::from_row(row()), Some(Read { time: None, number: 7 }));

        struct Wrong {
            #[allow(dead_code)]
            text: i64,
        }
        from_row!(Wrong { text });
        assert!(Wrong::from_row(row()).is_none(), "another type");

        struct More {
            #[allow(dead_code)]
            size: i64,
        }
        from_row!(More { size });
        assert!(More::from_row(row()).is_none(), "no such column");
    }

    #[test]
    fn a_tuple_is_read_in_the_order_of_the_columns() {
        let read: (i64, String, Option<UnixMillis>) = FromRow::from_row(row()).unwrap();
        assert_eq!(read, (7, "seven".to_owned(), None));
        assert_eq!(<(i64, String)>::from_row(row()), None);
        assert_eq!(<(i64, String, i64)>::from_row(row()), None);
        assert_eq!(<(i64, i64, Option<i64>)>::from_row(row()), None);
        assert_eq!(<(i64, String, Option<i64>, i64)>::from_row(row()), None);
    }
}
