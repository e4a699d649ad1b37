//! The same scenario on both databases.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Dialect, Row},
};
use tempfile::TempDir;
use xtask::servers;

use crate::{Postgres, Sqlite};

/// A database that several instances have connections to.
#[derive(Clone, Debug)]
pub struct Shared(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Sqlite(Arc<TempDir>),
    Postgres(Arc<servers::Postgres>, String),
}

impl Shared {
    /// A new SQLite database in a file.
    pub fn sqlite() -> Self {
        Self(Kind::Sqlite(Arc::new(tempfile::tempdir().expect("a temporary folder"))))
    }

    /// A new Postgres database, on a server that the tests of this process share.
    pub fn postgres() -> Self {
        static SERVER: Mutex<Weak<servers::Postgres>> = Mutex::new(Weak::new());
        let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        // It ends, and its folder goes, with the last test that uses it.
        let server = shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(servers::Postgres::start().expect("Postgres starts"));
            *shared = Arc::downgrade(&server);
            server
        });
        let name = server.database().expect("Postgres makes a database");
        Self(Kind::Postgres(server, name))
    }

    /// A connection of its own, as each instance has one.
    pub fn connect(&self) -> Database {
        match &self.0 {
            Kind::Sqlite(folder) => Database::Sqlite(Sqlite::open(&folder.path().join("octo.db"))),
            Kind::Postgres(server, name) => {
                let mut config = postgres::Config::new();
                config.host("127.0.0.1").port(server.port()).dbname(name);
                config.user(server.role()).password(server.password());
                // No domain's test ends the server.
                config.options("-c synchronous_commit=off");
                Database::Postgres(Postgres::connect(&config))
            }
        }
    }
}

/// A connection to one of the two.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Database {
    /// SQLite.
    Sqlite(Sqlite),
    /// Postgres.
    Postgres(Postgres),
}

impl Database {
    /// Fails unless an index serves every table that the statement, which has so many parameters, looks into. The
    /// databases are asked how they would carry it out.
    ///
    /// # Panics
    /// When the plan reads a whole table.
    pub fn expect_index(&self, statement: &str, parameters: usize) {
        let (plan, whole_table) = match self {
            Database::Sqlite(sql) => (sql.plan(statement, parameters), sql.whole_tables()),
            Database::Postgres(sql) => (sql.plan(statement, parameters), vec!["Seq Scan on ".to_owned()]),
        };
        let reads_all = |line: &&str| whole_table.iter().any(|words| format!("{line} ").contains(words));
        assert_eq!(plan.lines().find(reads_all), None, "{statement}\n{plan}");
    }
}

impl Sql for Database {
    fn dialect(&self) -> Dialect {
        match self {
            Database::Sqlite(sql) => sql.dialect(),
            Database::Postgres(sql) => sql.dialect(),
        }
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        match self {
            Database::Sqlite(sql) => sql.query(statement, parameters).await,
            Database::Postgres(sql) => sql.query(statement, parameters).await,
        }
    }
}

/// Runs `scenario` on a new database of each kind.
pub fn on_both(scenario: impl Fn(&Shared)) {
    scenario(&Shared::sqlite());
    scenario(&Shared::postgres());
}
