//! Where the application's data is.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use xtask::servers::Postgres;

/// Names the database of every application that does not choose one: `sqlite` (also when it is not set) or `postgres`.
/// So any test runs on either; `cargo xtask test` runs those of what is kept there on both.
const CHOICE: &str = "OCTO_TEST_DATABASE";

/// Where an application's data is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In the SQLite file of its state folder.
    Sqlite,
    /// In a database of its own on the Postgres server that the tests share.
    Postgres,
    /// On a Postgres server of its own, which the test may break.
    OwnPostgres,
}

impl Kind {
    /// What the environment says.
    ///
    /// # Panics
    /// When it says something else.
    pub(super) fn chosen() -> Self {
        match std::env::var(CHOICE).as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("{CHOICE} must be sqlite or postgres; it is {other:?}"),
        }
    }
}

/// An application's database on a Postgres server.
pub(super) struct Database {
    server: Server,
    name: String,
}

enum Server {
    Shared(&'static Postgres),
    Own(Box<Postgres>),
}

impl Database {
    /// A new one; none for SQLite, which makes its file itself.
    pub(super) fn new(kind: Kind) -> Option<Self> {
        // It outlives all tests, and ends with the process.
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        let server = match kind {
            Kind::Sqlite => return None,
            Kind::Postgres => Server::Shared(SHARED.get_or_init(|| Postgres::start().unwrap())),
            Kind::OwnPostgres => Server::Own(Box::new(Postgres::start().unwrap())),
        };
        let name = server.postgres().database().unwrap();
        Some(Self { server, name })
    }

    /// The variables that lead an application there.
    pub(super) fn variables(&self) -> [(&'static str, String); 5] {
        let server = self.server.postgres();
        [
            ("database_url", server.address()),
            ("database_name", self.name.clone()),
            ("database_user", server.role().to_owned()),
            ("database_password", server.password().to_owned()),
            ("database_tls", "off".to_owned()),
        ]
    }

    /// Runs one statement; the rows, a line each.
    pub(super) fn ask(&self, statement: &str) -> String {
        self.server.postgres().ask(&self.name, statement).unwrap()
    }

    /// The server, when it is the application's own.
    pub(super) fn own_server(&mut self) -> Option<&mut Postgres> {
        match &mut self.server {
            Server::Shared(_) => None,
            Server::Own(server) => Some(server),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Server::Shared(server) = self.server {
            server.take_back(std::mem::take(&mut self.name));
        }
    }
}

impl Server {
    fn postgres(&self) -> &Postgres {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

/// The same in the SQLite file of a state folder; the first column of each row.
pub(super) fn ask_sqlite(state: &Path, statement: &str) -> String {
    let connection = rusqlite::Connection::open(state.join("sqlite_db.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut statement = connection.prepare(statement).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(match row.get(0).unwrap() {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        });
    }
    lines.join("\n")
}
