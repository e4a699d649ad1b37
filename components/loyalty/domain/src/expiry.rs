//! The ends of lots, of holds, and of what is kept for a day.
//!
//! Balances are right without any of this: what has ended is not spent and not counted. Here it is written down. Two
//! instances at once write it once: the second finds nothing left in the lot.

use octo_account_events::AccountDeleted;
use octo_core::{Sql, SqlError, UnixMillis};

use crate::{
    Account, Kind, Ledger, NewTransfer, Refusal,
    holds::{Settlement, settling},
    ledger::Request,
    members,
    schema::NEVER,
};

/// Rows looked at in one statement.
const AT_ONCE: i64 = 100;

/// How long a refusal is kept under its key.
const REFUSALS_KEPT_MS: i64 = 24 * 3600 * 1000;

/// Writes down what of a member's points has ended; whether anything was written.
pub(crate) async fn of_member<S: Sql>(
    ledger: &Ledger<'_, S>,
    id: i64,
    now: UnixMillis,
) -> Result<bool, Refusal> {
    let statement = "SELECT id, member_id, remaining FROM points_lots
        WHERE member_id = $1 AND remaining > 0 AND ends_at <= $2 ORDER BY ends_at, id LIMIT $3";
    let mut written = false;
    while expire(ledger, statement, &[id.into(), now.into(), AT_ONCE.into()], now).await? > 0 {
        written = true;
    }
    Ok(written)
}

/// Writes down what has ended of anybody's, and forgets refusals of yesterday: some of it; whether there may be more.
///
/// # Errors
/// Those of the database.
pub async fn sweep<S: Sql>(ledger: &Ledger<'_, S>, now: UnixMillis) -> Result<bool, Refusal> {
    let lapsed = ledger.lapsed(now, AT_ONCE).await?;
    for hold in &lapsed {
        match ledger.settle(hold, Settlement::Release, 0, "", now).await {
            // Somebody was faster; or it is a closed member's, whose points are taken away.
            Ok(_) | Err(Refusal::Settled(_) | Refusal::NoSuchMember) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let statement = "SELECT id, member_id, remaining FROM points_lots
        WHERE remaining > 0 AND ends_at <= $1 ORDER BY ends_at, id LIMIT $2";
    let expired = expire(ledger, statement, &[now.into(), AT_ONCE.into()], now).await?;
    let statement = "DELETE FROM points_transfers WHERE id IN (
        SELECT id FROM points_transfers WHERE missing > 0 AND at < $1 ORDER BY at LIMIT $2) RETURNING id";
    let before = UnixMillis(now.0 - REFUSALS_KEPT_MS);
    let forgotten = ledger.sql.query(statement, &[before.into(), AT_ONCE.into()]).await?;
    Ok([lapsed.len() as i64, expired, forgotten.len() as i64].contains(&AT_ONCE))
}

/// Writes down the ends of the lots that the statement finds; how many.
async fn expire<S: Sql>(
    ledger: &Ledger<'_, S>,
    statement: &str,
    parameters: &[octo_core::SqlValue],
    now: UnixMillis,
) -> Result<i64, Refusal> {
    let ended: Vec<(i64, i64, i64)> = ledger.sql.fetch(statement, parameters).await?;
    for (lot, member_id, remaining) in &ended {
        take_lot(ledger, Kind::Expiry, *lot, *member_id, *remaining, now).await?;
    }
    Ok(ended.len() as i64)
}

/// Takes what is left of a lot. Nothing happens when somebody was faster: there is not as much left then.
async fn take_lot<S: Sql>(
    ledger: &Ledger<'_, S>,
    kind: Kind,
    lot: i64,
    member_id: i64,
    remaining: i64,
    now: UnixMillis,
) -> Result<(), Refusal> {
    let new = NewTransfer {
        lot_id: Some(lot),
        refers: Some(lot),
        ..NewTransfer::taken(kind, Account::Expired, member_id, remaining)
    };
    ledger.insert(&new, Request::None, now).await.map(drop)
}

/// Takes the points of a member whose account was deleted. May be done again at any time.
///
/// # Errors
/// Those of the database.
pub async fn close<S: Sql>(
    ledger: &Ledger<'_, S>,
    account: &AccountDeleted,
    now: UnixMillis,
) -> Result<(), Refusal> {
    members::close(ledger.sql, account).await?;
    let member_id = account.account_id;
    let statement = "SELECT id, remaining FROM points_lots WHERE member_id = $1 AND remaining > 0
        ORDER BY ends_at, id LIMIT $2";
    loop {
        let lots: Vec<(i64, i64)> = ledger.sql.fetch(statement, &[member_id.into(), AT_ONCE.into()]).await?;
        for (lot, remaining) in &lots {
            take_lot(ledger, Kind::Forfeit, *lot, member_id, *remaining, now).await?;
        }
        let holds = ledger.open_holds(member_id, AT_ONCE).await?;
        for hold in &holds {
            let new = NewTransfer {
                target: Account::Expired,
                refers: Some(hold.id),
                ..NewTransfer::given(Kind::Forfeit, Account::Held, member_id, hold.points, NEVER)
            };
            ledger.post(&new, Request::About(&settling(hold.id)), now).await?;
        }
        if lots.is_empty() && holds.is_empty() {
            return Ok(());
        }
    }
}

/// What is overdue, for figures: lots that have ended and are still counted in kept balances.
///
/// # Errors
/// Those of the database.
pub async fn overdue(sql: &impl Sql, now: UnixMillis) -> Result<i64, SqlError> {
    let statement = "SELECT COUNT(*) FROM points_lots WHERE remaining > 0 AND ends_at <= $1";
    Ok(sql.first::<(i64,)>(statement, &[now.into()]).await?.map_or(0, |(count,)| count))
}
