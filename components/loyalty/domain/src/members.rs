//! Members: one for each account, from its registration to its end.

use octo_account_events::{AccountDeleted, AccountRegistered};
use octo_core::{Sql, SqlError, UnixMillis};

use crate::schema::NEVER;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The number of the account.
    pub id: i64,
    /// What the account is called outside.
    pub uuid: String,
    /// The points of all lots that no transfer has taken; [`Standing`] leaves out those that have ended.
    pub balance: i64,
    /// The points set aside.
    pub held: i64,
    /// The day (in UTC) of the last operation.
    pub day: i64,
    /// The member's own operations on that day.
    pub operations: i64,
    /// Since when.
    pub opened_at: UnixMillis,
}

octo_core::from_row!(Member { id, uuid, balance, held, day, operations, opened_at });

const MEMBERS: &str = "SELECT id, uuid, balance, held, day, operations, opened_at FROM points_members";

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What the member can spend now.
    pub balance: i64,
    /// The points set aside.
    pub held: i64,
    /// The lots that end, the next one first: some of them.
    pub ending: Vec<Lot>,
}

/// Points that end at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The transfer that gave them.
    pub id: i64,
    /// How many are left.
    pub remaining: i64,
    /// When they end.
    pub ends_at: UnixMillis,
}

octo_core::from_row!(Lot { id, remaining, ends_at });

/// Lots that [`standing`] tells.
const TOLD: i64 = 10;

/// The open member with this account.
///
/// # Errors
/// Those of the database.
pub async fn by_id(sql: &impl Sql, id: i64) -> Result<Option<Member>, SqlError> {
    sql.first(&format!("{MEMBERS} WHERE id = $1 AND closed_at IS NULL"), &[id.into()]).await
}

/// The open member with this UUID.
///
/// # Errors
/// Those of the database.
pub async fn by_uuid(sql: &impl Sql, uuid: &str) -> Result<Option<Member>, SqlError> {
    sql.first(&format!("{MEMBERS} WHERE uuid = $1 AND closed_at IS NULL"), &[uuid.into()]).await
}

/// Open members, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(sql: &impl Sql, before: i64, limit: i64) -> Result<Vec<Member>, SqlError> {
    let statement = format!("{MEMBERS} WHERE id < $1 AND closed_at IS NULL ORDER BY id DESC LIMIT $2");
    sql.fetch(&statement, &[before.into(), limit.into()]).await
}

/// What a member has at `now`: without the lots that have ended, whether or not they were removed.
///
/// # Errors
/// Those of the database.
pub async fn standing(sql: &impl Sql, member: &Member, now: UnixMillis) -> Result<Standing, SqlError> {
    // One statement: the balance and what of it has ended belong together.
    let statement = "SELECT m.balance - COALESCE((SELECT CAST(SUM(remaining) AS BIGINT) FROM points_lots
            WHERE member_id = m.id AND remaining > 0 AND ends_at <= $2), 0), m.held
        FROM points_members m WHERE m.id = $1";
    let (balance, held) = sql
        .first::<(i64, i64)>(statement, &[member.id.into(), now.into()])
        .await?
        .ok_or_else(|| SqlError::damaged("points_members"))?;
    let statement = "SELECT id, remaining, ends_at FROM points_lots
        WHERE member_id = $1 AND remaining > 0 AND ends_at > $2 AND ends_at < $3 ORDER BY ends_at, id LIMIT $4";
    let ending = sql.fetch(statement, &[member.id.into(), now.into(), NEVER.into(), TOLD.into()]).await?;
    Ok(Standing { balance, held, ending })
}

/// Makes an account a member, with points for registering. For one that is, or was, this changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn open(
    sql: &impl Sql,
    account: &AccountRegistered,
    bonus: i64,
    ends_at: i64,
    now: UnixMillis,
) -> Result<(), SqlError> {
    let statement = "INSERT INTO points_members (id, uuid, bonus, bonus_ends_at, opened_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let AccountRegistered { account_id, uuid, .. } = account;
    let parameters = [(*account_id).into(), uuid.as_str().into(), bonus.into(), ends_at.into(), now.into()];
    sql.query(statement, &parameters).await.map(drop)
}

/// Closes the member whose account was deleted, and forgets the words of its history. From now on nothing is posted for it
/// but what takes its points away. An account whose registration has not been heard of is noted as closed.
///
/// # Errors
/// Those of the database.
pub async fn close(sql: &impl Sql, account: &AccountDeleted) -> Result<(), SqlError> {
    let statement = "INSERT INTO points_members (id, uuid, bonus, bonus_ends_at, opened_at, closed_at)
        VALUES ($1, $2, 0, 0, $3, $3)
        ON CONFLICT (id) DO UPDATE SET uuid = excluded.uuid,
            closed_at = COALESCE(points_members.closed_at, excluded.closed_at)";
    let AccountDeleted { account_id, deleted_at } = *account;
    // No UUID has this form.
    let nobody = format!("deleted/{account_id}");
    sql.query(statement, &[account_id.into(), nobody.into(), deleted_at.into()]).await?;
    let statement =
        "UPDATE points_transfers SET comment = '', request = CASE WHEN fingerprint IS NULL THEN request END,
            fingerprint = NULL WHERE member_id = $1";
    sql.query(statement, &[account_id.into()]).await.map(drop)
}
