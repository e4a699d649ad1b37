//! Whether the ledger balances: kept balances against what the entries say.

use octo_core::{Sql, SqlError};

use crate::Account;

/// An account of the ledger, as it is kept and as the transfers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// The balance that is kept.
    pub kept: i64,
    /// The balance that the transfers come to.
    pub derived: i64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Every account.
    pub lines: Vec<Line>,
    /// Members whose balance is not what their lots come to, or whose held points are not what their holds come to.
    pub wrong_members: i64,
    /// Lots whose remainder is not what their changes come to.
    pub wrong_lots: i64,
}

impl Findings {
    /// The sum over all accounts: 0.
    pub fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.kept).sum()
    }

    /// Whether all is as it must be.
    pub fn balances(&self) -> bool {
        self.total() == 0
            && self.wrong_members == 0
            && self.wrong_lots == 0
            && self.lines.iter().all(|line| line.kept == line.derived)
    }
}

/// The kept balance of every account.
pub(crate) const KEPT: &str = "SELECT 'member', COALESCE(CAST(SUM(balance) AS BIGINT), 0) FROM points_members
    UNION ALL SELECT 'held', COALESCE(CAST(SUM(held) AS BIGINT), 0) FROM points_members
    UNION ALL SELECT account, CAST(SUM(balance) AS BIGINT) FROM points_totals GROUP BY account";

/// Sums of what is kept. It goes through all members.
///
/// # Errors
/// Those of the database.
pub async fn kept(sql: &impl Sql) -> Result<Vec<(Account, i64)>, SqlError> {
    let rows: Vec<(Account, i64)> = sql.fetch(KEPT, &[]).await?;
    Ok(sums(&rows))
}

/// Compares everything with everything. It goes through the whole ledger, as one statement for each table.
///
/// # Errors
/// Those of the database.
pub async fn ledger(sql: &impl Sql) -> Result<Findings, SqlError> {
    // One snapshot: what is posted meanwhile is in both or in neither.
    let statement = format!(
        "SELECT 'kept', * FROM ({KEPT}) kept
         UNION ALL SELECT 'derived', target, CAST(SUM(points) AS BIGINT) FROM points_transfers
            WHERE missing = 0 GROUP BY target
         UNION ALL SELECT 'derived', source, CAST(-SUM(points) AS BIGINT) FROM points_transfers
            WHERE missing = 0 GROUP BY source"
    );
    let rows: Vec<(String, Account, i64)> = sql.fetch(&statement, &[]).await?;
    let of = |which: &str| {
        let some = rows.iter().filter(|(side, ..)| side == which);
        sums(&some.map(|(_, account, points)| (*account, *points)).collect::<Vec<_>>())
    };
    let lines = of("kept").into_iter().zip(of("derived"));
    let lines = lines.map(|((account, kept), (_, derived))| Line { account, kept, derived }).collect();
    let statement = "SELECT COUNT(*) FROM points_members m
        WHERE m.balance <> COALESCE((SELECT SUM(l.remaining) FROM points_lots l
                WHERE l.member_id = m.id AND l.remaining > 0), 0)
            OR m.held <> COALESCE((SELECT SUM(h.points) FROM points_holds h
                WHERE h.member_id = m.id AND h.settled_by IS NULL), 0)";
    let wrong_members = sql.first::<(i64,)>(statement, &[]).await?.map_or(0, |(count,)| count);
    let statement = "SELECT COUNT(*) FROM points_lots l
        LEFT JOIN (SELECT lot_id, SUM(change) AS sum FROM points_lot_changes GROUP BY lot_id) c ON c.lot_id = l.id
        WHERE l.remaining <> COALESCE(c.sum, 0)";
    let wrong_lots = sql.first::<(i64,)>(statement, &[]).await?.map_or(0, |(count,)| count);
    Ok(Findings { lines, wrong_members, wrong_lots })
}

/// Every account with the sum of its rows.
fn sums(rows: &[(Account, i64)]) -> Vec<(Account, i64)> {
    let sum = |account: &Account| rows.iter().filter(|(of, _)| of == account).map(|(_, points)| points).sum();
    Account::ALL.iter().map(|account| (*account, sum(account))).collect()
}
