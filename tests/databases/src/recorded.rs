//! What a domain asks of its database.

use octo_core::async_trait;
use octo_core::testing::Locked;
use std::collections::BTreeMap;

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Dialect, Row},
};

/// A database that remembers the statements it was asked, each once, with the number of its parameters.
#[derive(Debug)]
pub struct Recorded<S> {
    sql: S,
    statements: Locked<BTreeMap<String, usize>>,
}

impl<S> Recorded<S> {
    /// Remembers what `sql` is asked from now on.
    pub fn new(sql: S) -> Self {
        Self { sql, statements: Locked::default() }
    }

    /// The statements that read or change rows, and how many parameters each has.
    pub fn statements(&self) -> Vec<(String, usize)> {
        let asked = self.statements.borrow();
        let of_rows = |text: &str| {
            ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
                .iter()
                .any(|verb| text.trim_start().starts_with(verb))
        };
        asked.iter().filter(|(text, _)| of_rows(text)).map(|(text, number)| (text.clone(), *number)).collect()
    }
}

#[async_trait]
impl<S: Sql> Sql for Recorded<S> {
    fn dialect(&self) -> Dialect {
        self.sql.dialect()
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        self.statements.borrow_mut().insert(statement.to_owned(), parameters.len());
        self.sql.query(statement, parameters).await
    }
}
