//! What administrators did. Entries are only ever added.

use octo_core::{Sql, SqlError, UnixMillis};

/// An administrative act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; later acts have greater ones.
    pub id: i64,
    /// When it was done.
    pub at: UnixMillis,
    /// Whose doing it was: an account's number, 0 for the holder of the bootstrap secret.
    pub actor: i64,
    /// Which account it was done to; 0 when it concerns none.
    pub subject: i64,
    /// What was done, such as `change-account`.
    pub act: String,
    /// With what, such as `{"role":"admin"}`. Never a password or a token.
    pub detail: String,
}

/// The audit log in the database.
#[derive(Debug)]
pub struct Audit<'a, S> {
    sql: &'a S,
}

impl<'a, S: Sql> Audit<'a, S> {
    /// The log in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Notes an act that is about to be done: there may be an entry without its act, after a crash, but no act
    /// without its entry.
    pub async fn note(
        &self,
        actor: i64,
        subject: i64,
        act: &str,
        detail: &str,
        now: UnixMillis,
    ) -> Result<(), SqlError> {
        let statement =
            "INSERT INTO audit (at, actor_id, subject_id, act, detail) VALUES ($1, $2, $3, $4, $5)";
        let parameters = [now.into(), actor.into(), subject.into(), act.into(), detail.into()];
        self.sql.query(statement, &parameters).await.map(drop)
    }

    /// Entries with greater numbers than `after`, at most `limit`; of one subject, or of all.
    pub async fn list(&self, subject: Option<i64>, after: i64, limit: i64) -> Result<Vec<Entry>, SqlError> {
        let columns = "id, at, actor_id AS actor, subject_id AS subject, act, detail";
        match subject {
            Some(subject) => {
                let statement = format!(
                    "SELECT {columns} FROM audit WHERE subject_id = $1 AND id > $2 ORDER BY id LIMIT $3"
                );
                self.sql.fetch(&statement, &[subject.into(), after.into(), limit.into()]).await
            }
            None => {
                let statement = format!("SELECT {columns} FROM audit WHERE id > $1 ORDER BY id LIMIT $2");
                self.sql.fetch(&statement, &[after.into(), limit.into()]).await
            }
        }
    }
}

octo_core::from_row!(Entry { id, at, actor, subject, act, detail });
