//! The same scenario on both databases.

use octo_core::async_trait;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Dialect, Row},
    testing::ready,
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
    Postgres(Arc<OnPostgres>),
}

/// A database on the server that all tests of this process share, and which ends with it.
#[derive(Debug)]
struct OnPostgres {
    server: &'static servers::Postgres,
    name: String,
}

impl OnPostgres {
    fn new() -> Self {
        static SERVER: OnceLock<servers::Postgres> = OnceLock::new();
        let server = SERVER.get_or_init(|| servers::Postgres::start().expect("Postgres starts"));
        Self { server, name: server.database().expect("Postgres makes a database") }
    }
}

impl Drop for OnPostgres {
    fn drop(&mut self) {
        self.server.take_back(std::mem::take(&mut self.name));
    }
}

impl Shared {
    /// A new SQLite database in a file.
    pub fn sqlite() -> Self {
        Self(Kind::Sqlite(Arc::new(tempfile::tempdir().expect("a temporary folder"))))
    }

    /// An empty Postgres database, on a server that the tests of this process share.
    pub fn postgres() -> Self {
        Self(Kind::Postgres(Arc::new(OnPostgres::new())))
    }

    /// A connection of its own, as each instance has one.
    pub fn connect(&self) -> Database {
        Database::at(&self.address())
    }

    /// The same with commits that outlive the server and the machine, for what is measured.
    pub fn connect_durably(&self) -> Database {
        let connection = Database::at(&self.address());
        connection.make_durable();
        connection
    }

    /// Where it is, for [`Database::at`] in another process.
    pub fn address(&self) -> String {
        match &self.0 {
            Kind::Sqlite(folder) => folder.path().join("octo.db").display().to_string(),
            Kind::Postgres(database) => {
                let OnPostgres { server, name } = database.as_ref();
                let password = server.password().replace('\\', "\\\\").replace('\'', "\\'");
                let (port, role) = (server.port(), server.role());
                // No domain's test ends the server or the machine.
                format!(
                    "host=127.0.0.1 port={port} dbname={name} user={role} password='{password}' \
                     options='-c synchronous_commit=off'"
                )
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
    /// A connection to the database at an address of [`Shared::address`].
    pub fn at(address: &str) -> Self {
        Self::at_as(address, "")
    }

    /// The same by somebody of a name, which a Postgres server shows for the connection.
    pub fn at_as(address: &str, name: &str) -> Self {
        match address.parse::<postgres::Config>() {
            Ok(mut config) if address.starts_with("host=") => {
                Database::Postgres(Postgres::connect(config.application_name(name)))
            }
            _ => Database::Sqlite(Sqlite::open(Path::new(address))),
        }
    }

    fn make_durable(&self) {
        let statement = match self {
            Database::Sqlite(_) => "PRAGMA synchronous = FULL",
            Database::Postgres(_) => "SET synchronous_commit = on",
        };
        ready(self.query(statement, &[])).expect("a setting");
    }

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

#[async_trait]
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
