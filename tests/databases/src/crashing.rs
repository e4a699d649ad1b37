//! An instance that is cut off.

use octo_core::async_trait;
use octo_core::testing::Locked;

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Dialect, Row},
};

/// A database as an instance sees it that is cut off after some statements: the last one may still be carried out, but
/// its answer, and every later one, is lost.
#[derive(Debug)]
pub struct Crashing<S> {
    sql: S,
    left: Locked<u32>,
    last_is_carried_out: bool,
}

impl<S> Crashing<S> {
    /// Answers `statements` statements, and carries out one more if `last_is_carried_out`.
    pub fn after(sql: S, statements: u32, last_is_carried_out: bool) -> Self {
        Self { sql, left: Locked::new(statements), last_is_carried_out }
    }
}

#[async_trait]
impl<S: Sql> Sql for Crashing<S> {
    fn dialect(&self) -> Dialect {
        self.sql.dialect()
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        match self.left.get() {
            u32::MAX => {}
            0 => {
                self.left.set(u32::MAX);
                if self.last_is_carried_out {
                    self.sql.query(statement, parameters).await?;
                }
            }
            left => {
                self.left.set(left - 1);
                return self.sql.query(statement, parameters).await;
            }
        }
        Err(SqlError::Down("this instance was cut off".into()))
    }
}
