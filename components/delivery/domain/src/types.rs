//! The types of parcels.

use octo_core::{Sql, SqlError};

/// Longest name, in characters.
pub const MAX_NAME: usize = 32;

/// A type of parcels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelType {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

octo_core::from_row!(ParcelType { id, name });

/// Why a type is not changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Another has this name.
    #[error("another type has this name")]
    NameTaken,
    /// There is no such type.
    #[error("there is no such type")]
    NoSuchType,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// All types, by their numbers.
///
/// # Errors
/// Those of the database.
pub async fn all(sql: &impl Sql) -> Result<Vec<ParcelType>, SqlError> {
    sql.fetch("SELECT id, name FROM parcel_types ORDER BY id", &[]).await
}

/// Adds a type.
///
/// # Errors
/// When another has its name, and when the database is away.
pub async fn add(sql: &impl Sql, name: &str) -> Result<ParcelType, Refusal> {
    let statement = "INSERT INTO parcel_types (id, name) SELECT COALESCE(MAX(id), 0) + 1, CAST($1 AS TEXT)
        FROM parcel_types RETURNING id, name";
    let unless_taken = |error| match error {
        SqlError::Conflict(_) => Refusal::NameTaken,
        error => Refusal::Sql(error),
    };
    match sql.first(statement, &[name.into()]).await {
        Ok(added) => added.ok_or_else(|| Refusal::Sql(SqlError::damaged("parcel_types"))),
        // Another was added at the same time and took the number, or it took the name; once more tells them apart.
        Err(SqlError::Conflict(_)) => {
            let added = sql.first(statement, &[name.into()]).await.map_err(unless_taken)?;
            added.ok_or_else(|| Refusal::Sql(SqlError::damaged("parcel_types")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a type another name.
///
/// # Errors
/// When there is no such type, when another has the name, and when the database is away.
pub async fn rename(sql: &impl Sql, id: i64, name: &str) -> Result<ParcelType, Refusal> {
    let statement = "UPDATE parcel_types SET name = $1 WHERE id = $2 RETURNING id, name";
    match sql.first(statement, &[name.into(), id.into()]).await {
        Ok(renamed) => renamed.ok_or(Refusal::NoSuchType),
        Err(SqlError::Conflict(_)) => Err(Refusal::NameTaken),
        Err(error) => Err(error.into()),
    }
}
