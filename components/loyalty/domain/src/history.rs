//! What happened to a member's points.

use octo_core::{Sql, SqlError, UnixMillis};

use crate::{Transfer, ledger::TRANSFERS};

/// A member's newest transfers with smaller numbers than `before`, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn list(
    sql: &impl Sql,
    member_id: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<Transfer>, SqlError> {
    let statement =
        format!("{TRANSFERS} WHERE member_id = $1 AND missing = 0 AND id < $2 ORDER BY id DESC LIMIT $3");
    sql.fetch(&statement, &[member_id.into(), before.into(), limit.into()]).await
}

/// A part of a member's history, from one time to another.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// From this time on.
    pub from: UnixMillis,
    /// Before this one.
    pub to: UnixMillis,
}

/// The transfers of a period, oldest first, after the one with the number `after`: at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn of_period(
    sql: &impl Sql,
    member_id: i64,
    period: Period,
    after: i64,
    limit: i64,
) -> Result<Vec<Transfer>, SqlError> {
    let statement = format!(
        "{TRANSFERS} WHERE member_id = $1 AND missing = 0 AND at >= $2 AND at < $3 AND id > $4 ORDER BY id LIMIT $5"
    );
    let parameters = [member_id.into(), period.from.into(), period.to.into(), after.into(), limit.into()];
    sql.fetch(&statement, &parameters).await
}

/// The balance before `time`, as the last transfer before it left it.
///
/// # Errors
/// Those of the database.
pub async fn balance_before(sql: &impl Sql, member_id: i64, time: UnixMillis) -> Result<i64, SqlError> {
    let statement = "SELECT balance FROM points_transfers
        WHERE member_id = $1 AND missing = 0 AND at < $2 ORDER BY at DESC, id DESC LIMIT 1";
    let last = sql.first::<(i64,)>(statement, &[member_id.into(), time.into()]).await?;
    Ok(last.map_or(0, |(balance,)| balance))
}
