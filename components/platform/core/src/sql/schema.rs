//! Tables that appear when they are first missed.
//!
//! There is no start-up hook, and asking at every request whether the tables are there would cost each of them a
//! statement. So a statement is simply run; when the database says that it lacks something, the versions that
//! are not yet there are applied, and the statement is run again.
//!
//! # Races
//! On Postgres all versions of a schema are one statement under a lock: they are applied once and whole. SQLite has no such
//! statement, so there **every step can be run again at any time, also by an instance that is late**: it
//! says `IF NOT EXISTS`, a name is never given to something else, and nothing is dropped. A version is noted when all its
//! steps have been run, so a crash between them only makes the next instance run them again.

use super::{Dialect, Row, Sql, SqlError, SqlValue};
use crate::async_trait;

/// The tables of one domain, in versions. A version that has been released is never changed.
#[derive(Debug)]
pub struct Schema {
    /// The domain's name.
    pub name: &'static str,
    /// What each version adds to the one before; the first is version 1.
    pub versions: &'static [&'static [Step]],
}

/// One statement that defines something. `{id}` stands for the type of a key that the database counts up and never gives
/// twice, `{bytes}` for the type of bytes, `{text}` for that of text which is sorted or compared: by its bytes, in any
/// language. In a statement, `{elements}(CAST(x AS {json}))` are the elements of the JSON array `x`, in a column `value`.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The same on both databases.
    Both(&'static str),
    /// For SQLite only.
    Sqlite(&'static str),
    /// For Postgres only.
    Postgres(&'static str),
    /// What follows from a row, as a part of the statement that writes it.
    Trigger {
        /// Its name, and on Postgres that of its function.
        name: &'static str,
        /// After what, such as `AFTER UPDATE OF state ON parcels`.
        event: &'static str,
        /// For which rows; `None` for all.
        when: Option<&'static str>,
        /// The statements, each with a semicolon at its end. They say the same to both databases.
        body: &'static str,
    },
    /// A further column of a table that another version made: its name and, after it, its definition. It may be null or
    /// has a default, for the rows that are there.
    Column {
        /// The table.
        table: &'static str,
        /// The column's name.
        name: &'static str,
        /// Its type and constraints.
        definition: &'static str,
    },
}

impl Step {
    fn text(self, dialect: Dialect) -> Option<String> {
        let words: [(&str, &str); 5] = match dialect {
            Dialect::Sqlite => [
                ("{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
                ("{bytes}", "BLOB"),
                ("{text}", "TEXT"),
                ("{elements}", "json_each"),
                ("{json}", "TEXT"),
            ],
            Dialect::Postgres => [
                ("{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
                ("{bytes}", "BYTEA"),
                ("{text}", "TEXT COLLATE \"C\""),
                ("{elements}", "jsonb_array_elements"),
                ("{json}", "JSONB"),
            ],
        };
        let text = match (self, dialect) {
            (Step::Both(text), _)
            | (Step::Sqlite(text), Dialect::Sqlite)
            | (Step::Postgres(text), Dialect::Postgres) => text.to_owned(),
            (Step::Trigger { name, event, when, body }, Dialect::Sqlite) => {
                let when = when.map(|condition| format!(" WHEN {condition}")).unwrap_or_default();
                format!("CREATE TRIGGER IF NOT EXISTS {name} {event}{when} BEGIN {body} END")
            }
            (Step::Trigger { name, event, when, body }, Dialect::Postgres) => {
                let when = when.map(|condition| format!(" WHEN ({condition})")).unwrap_or_default();
                format!(
                    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$
                    BEGIN {body} RETURN NULL; END $body$;
                    CREATE TRIGGER {name} {event} FOR EACH ROW{when} EXECUTE FUNCTION {name}()"
                )
            }
            (Step::Column { table, name, definition }, _) => {
                // SQLite has no such condition: `add_column` looks.
                let unless = if dialect == Dialect::Postgres { "IF NOT EXISTS " } else { "" };
                format!("ALTER TABLE {table} ADD COLUMN {unless}{name} {definition}")
            }
            _ => return None,
        };
        Some(words.iter().fold(text, |text, (word, meaning)| text.replace(word, meaning)))
    }
}

const NOTES: &str = "CREATE TABLE IF NOT EXISTS schema_versions (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (name, version)
)";

impl Schema {
    /// Applies the versions that are not there yet. One statement when all are.
    ///
    /// # Errors
    /// Those of the database; what was applied stays, and the next attempt goes on from there.
    pub async fn apply(&self, sql: &impl Sql) -> Result<(), SqlError> {
        match self.newest(sql).await {
            Ok(version) if version >= self.versions.len() as i64 => Ok(()),
            Ok(_) | Err(SqlError::Missing(_)) => match sql.dialect() {
                Dialect::Sqlite => self.apply_step_by_step(sql).await,
                Dialect::Postgres => sql.query(&self.as_one_statement(), &[]).await.map(drop),
            },
            Err(error) => Err(error),
        }
    }

    async fn newest(&self, sql: &impl Sql) -> Result<i64, SqlError> {
        let statement = "SELECT COALESCE(MAX(version), 0) FROM schema_versions WHERE name = $1";
        let newest = sql.first(statement, &[self.name.into()]).await?;
        Ok(newest.map_or(0, |(version,)| version))
    }

    async fn apply_step_by_step(&self, sql: &impl Sql) -> Result<(), SqlError> {
        // Readers and a writer do not wait for each other then. The mode is kept in the file; a platform that does not let
        // us choose goes on as it is.
        let _ = sql.query("PRAGMA journal_mode = WAL", &[]).await;
        sql.query(NOTES, &[]).await?;
        let newest = self.newest(sql).await?;
        for (version, steps) in (1..).zip(self.versions).filter(|(version, _)| *version > newest) {
            for step in steps.iter() {
                let Some(text) = step.text(Dialect::Sqlite) else { continue };
                match step {
                    Step::Column { table, name, .. } => add_column(sql, &text, table, name).await?,
                    _ => drop(sql.query(&text, &[]).await?),
                }
            }
            let note = "INSERT INTO schema_versions (name, version) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            sql.query(note, &[self.name.into(), SqlValue::Integer(version)]).await?;
        }
        Ok(())
    }

    fn as_one_statement(&self) -> String {
        // Any number will do that nobody else locks; it is the same for all schemas because they share the notes.
        const LOCK: &str = "PERFORM pg_advisory_xact_lock(7165733318046371)";
        let name = self.name;
        let mut block = format!("DO $schema$ BEGIN {LOCK}; {NOTES};\n");
        for (version, steps) in (1..).zip(self.versions) {
            block.push_str(&format!(
                "IF NOT EXISTS (SELECT 1 FROM schema_versions WHERE name = '{name}' AND version = {version}) THEN\n"
            ));
            for text in steps.iter().filter_map(|step| step.text(Dialect::Postgres)) {
                block.push_str(&format!("{text};\n"));
            }
            block.push_str(&format!("INSERT INTO schema_versions VALUES ('{name}', {version});\nEND IF;\n"));
        }
        block.push_str("END $schema$");
        block
    }
}

/// Adds a column to a table in SQLite unless it is there; another instance may do so at the same time.
async fn add_column(sql: &impl Sql, statement: &str, table: &str, name: &str) -> Result<(), SqlError> {
    let look = format!("SELECT {name} FROM {table} LIMIT 0");
    match sql.query(&look, &[]).await {
        Ok(_) => return Ok(()),
        Err(SqlError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    match sql.query(statement, &[]).await {
        Ok(_) => Ok(()),
        Err(error) => sql.query(&look, &[]).await.map(drop).map_err(|_| error),
    }
}

/// A database with the tables of `schemas`, each applied after those before it. Every domain asks through one, so here is
/// where a text that no database of ours can hold is refused, on both alike.
#[derive(Debug)]
pub struct Migrated<'a, S> {
    sql: &'a S,
    schemas: &'static [&'static Schema],
}

impl<'a, S: Sql> Migrated<'a, S> {
    /// `sql` with the tables of `schemas`.
    pub fn new(sql: &'a S, schemas: &'static [&'static Schema]) -> Self {
        Self { sql, schemas }
    }

    /// Applies what no statement would miss, such as an index. For those who come now and then.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn apply(&self) -> Result<(), SqlError> {
        for schema in self.schemas {
            schema.apply(self.sql).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl<S: Sql> Sql for Migrated<'_, S> {
    fn dialect(&self) -> Dialect {
        self.sql.dialect()
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        if parameters.iter().any(|value| !value.is_storable()) {
            return Err(SqlError::Unstorable);
        }
        match self.sql.query(statement, parameters).await {
            Err(SqlError::Missing(_)) => {
                self.apply().await?;
                self.sql.query(statement, parameters).await
            }
            result => result,
        }
    }

    fn rest(&self) {
        self.sql.rest();
    }
}
