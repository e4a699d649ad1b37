//! Whichever database the variables name.

use octo_core::async_trait;
use std::sync::OnceLock;

use octo_core::{
    SettingError, Settings, Sql, SqlError, SqlValue,
    sql::{Database, Dialect, Row},
};

use super::{SpinPostgres, SpinSqlite};

/// The database that the variables `database_*` name. They are read when it is first used, so that a request which
/// needs no database reads none of them.
pub struct AnySql<S> {
    settings: S,
    chosen: OnceLock<Result<Chosen, SettingError>>,
}

enum Chosen {
    Sqlite(SpinSqlite),
    Postgres(SpinPostgres),
}

impl<S: Settings> AnySql<S> {
    /// The database that `settings` name.
    pub fn new(settings: S) -> Self {
        Self { settings, chosen: OnceLock::new() }
    }

    fn chosen(&self) -> Result<&Chosen, SettingError> {
        let choose = || {
            Ok(match Database::read(&self.settings)? {
                Database::Embedded => Chosen::Sqlite(SpinSqlite::default()),
                Database::Postgres(address) => Chosen::Postgres(SpinPostgres::at(address)),
            })
        };
        self.chosen.get_or_init(choose).as_ref().map_err(Clone::clone)
    }
}

#[async_trait]
impl<S: Settings> Sql for AnySql<S> {
    /// With wrong variables any: no statement is carried out.
    fn dialect(&self) -> Dialect {
        match self.chosen() {
            Ok(Chosen::Postgres(_)) => Dialect::Postgres,
            _ => Dialect::Sqlite,
        }
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        match self.chosen()? {
            Chosen::Sqlite(sql) => sql.query(statement, parameters).await,
            Chosen::Postgres(sql) => sql.query(statement, parameters).await,
        }
    }

    fn rest(&self) {
        if let Ok(Chosen::Postgres(sql)) = self.chosen() {
            sql.rest();
        }
    }
}
