//! Points set aside: reserved first, then captured (spent) or released (given back), one of the two and once.
//!
//! A hold is the transfer that set the points aside. What settles it has the id `settle/N`, whichever of the two it is.
//! One that nobody settles is released when it ends.

use octo_core::{Sql, SqlError, UnixMillis};

use crate::{Account, Kind, Ledger, NewTransfer, Posted, Refusal, expiry, ledger::Request, schema::NEVER};

/// Points set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The number of the transfer that set them aside.
    pub id: i64,
    /// Whose they are.
    pub member_id: i64,
    /// How many.
    pub points: i64,
    /// When they are given back.
    pub ends_at: UnixMillis,
    /// The transfer that captured or released them.
    pub settled_by: Option<i64>,
}

octo_core::from_row!(Hold { id, member_id, points, ends_at, settled_by });

/// What becomes of points that were set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// They are spent.
    Capture,
    /// They are given back, to the lots that they came from.
    Release,
}

impl<S: Sql> Ledger<'_, S> {
    /// The hold with this number.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn hold_by_id(&self, id: i64) -> Result<Hold, Refusal> {
        let statement = "SELECT id, member_id, points, ends_at, settled_by FROM points_holds WHERE id = $1";
        self.sql.first(statement, &[id.into()]).await?.ok_or(Refusal::NoSuchTransfer)
    }

    /// Captures or releases a hold. To do the same again changes nothing.
    ///
    /// # Errors
    /// With what was done, when it was the other of the two.
    pub async fn settle(
        &self,
        hold: &Hold,
        settlement: Settlement,
        actor: i64,
        comment: &str,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        let (kind, target, returns) = match settlement {
            Settlement::Capture => (Kind::Capture, Account::Redeemed, None),
            Settlement::Release => (Kind::Release, Account::Member, Some(hold.id)),
        };
        let new = NewTransfer {
            target,
            returns,
            refers: Some(hold.id),
            ..NewTransfer::given(kind, Account::Held, hold.member_id, hold.points, NEVER)
        };
        let posted = self.post(&new.by(actor, comment), Request::About(&settling(hold.id)), now).await?;
        if posted.transfer.kind != kind {
            return Err(Refusal::Settled(posted.transfer));
        }
        if settlement == Settlement::Release {
            expiry::of_member(self, hold.member_id, now).await?;
        }
        Ok(posted)
    }

    /// The holds that ended and that nobody settled: some of them.
    pub(crate) async fn lapsed(&self, now: UnixMillis, limit: i64) -> Result<Vec<Hold>, SqlError> {
        let statement = "SELECT id, member_id, points, ends_at, settled_by FROM points_holds
            WHERE settled_by IS NULL AND ends_at <= $1 ORDER BY ends_at, id LIMIT $2";
        self.sql.fetch(statement, &[now.into(), limit.into()]).await
    }

    /// A member's open holds: some of them.
    pub(crate) async fn open_holds(&self, member_id: i64, limit: i64) -> Result<Vec<Hold>, SqlError> {
        let statement = "SELECT id, member_id, points, ends_at, settled_by FROM points_holds
            WHERE member_id = $1 AND settled_by IS NULL ORDER BY id LIMIT $2";
        self.sql.fetch(statement, &[member_id.into(), limit.into()]).await
    }
}

/// The id of what settles a hold.
pub(crate) fn settling(hold: i64) -> String {
    format!("settle/{hold}")
}
