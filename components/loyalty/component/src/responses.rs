//! Our own responses. Times are RFC 3339, points are whole numbers.

use http::StatusCode;
use octo_core::{Problem, UnixMillis};
use octo_http::{Response, idempotency, respond};
use octo_loyalty::{
    Account, Kind, Member, Posted, Refusal, Standing, Transfer,
    check::{Findings, Line},
    holds::Hold,
    members::Lot,
};
use serde::Serialize;
use utoipa::ToSchema;

/// What a member has.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsBalance)]
pub(crate) struct BalanceBody {
    /// What the account is called.
    #[schema(example = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c909")]
    uuid: String,
    /// The points that can be spent.
    #[schema(example = 100)]
    balance: i64,
    /// The points set aside.
    #[schema(example = 0)]
    held: i64,
    /// Points that end, the next first; at most 10 lots.
    ending: Vec<LotBody>,
}

impl BalanceBody {
    pub(crate) fn of(member: &Member, standing: &Standing) -> Self {
        Self {
            uuid: member.uuid.clone(),
            balance: standing.balance,
            held: standing.held,
            ending: standing.ending.iter().map(LotBody::from).collect(),
        }
    }
}

/// Points that end at the same time.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsLot)]
pub(crate) struct LotBody {
    /// The transfer that gave them.
    transfer: i64,
    #[schema(example = 100)]
    points: i64,
    #[schema(format = DateTime)]
    ends_at: String,
}

impl From<&Lot> for LotBody {
    fn from(of: &Lot) -> Self {
        Self { transfer: of.id, points: of.remaining, ends_at: of.ends_at.to_string() }
    }
}

/// An account of the ledger.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PointsLedgerAccount)]
pub(crate) enum AccountBody {
    /// Points that were given.
    Issued,
    /// What a member may spend.
    Member,
    /// What a member has set aside.
    Held,
    /// What was spent.
    Redeemed,
    /// What ended unspent.
    Expired,
    /// What administrators added or took away.
    Adjusted,
}

impl From<Account> for AccountBody {
    fn from(of: Account) -> Self {
        match of {
            Account::Issued => Self::Issued,
            Account::Member => Self::Member,
            Account::Held => Self::Held,
            Account::Redeemed => Self::Redeemed,
            Account::Expired => Self::Expired,
            Account::Adjusted => Self::Adjusted,
        }
    }
}

/// Why points changed hands.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PointsTransferKind)]
pub(crate) enum KindBody {
    /// Points for registering.
    Registration,
    /// Points that an administrator gave.
    Award,
    /// Points for a purchase.
    Purchase,
    /// Points that a member spent.
    Redemption,
    /// Points set aside.
    Hold,
    /// Points that were set aside, spent.
    Capture,
    /// Points that were set aside, given back.
    Release,
    /// What an administrator added or took away.
    Adjustment,
    /// Points that ended.
    Expiry,
    /// An earlier transfer taken back.
    Reversal,
    /// What a member had when the account was deleted.
    Forfeit,
}

impl From<Kind> for KindBody {
    fn from(of: Kind) -> Self {
        match of {
            Kind::Registration => Self::Registration,
            Kind::Award => Self::Award,
            Kind::Purchase => Self::Purchase,
            Kind::Redemption => Self::Redemption,
            Kind::Hold => Self::Hold,
            Kind::Capture => Self::Capture,
            Kind::Release => Self::Release,
            Kind::Adjustment => Self::Adjustment,
            Kind::Expiry => Self::Expiry,
            Kind::Reversal => Self::Reversal,
            Kind::Forfeit => Self::Forfeit,
        }
    }
}

/// A transfer: its points left `source` and reached `target`.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsTransfer)]
pub(crate) struct TransferBody {
    id: i64,
    kind: KindBody,
    source: AccountBody,
    target: AccountBody,
    /// 1 or more.
    #[schema(example = 20)]
    points: i64,
    /// What it changed in the member's balance.
    #[schema(example = -20)]
    change: i64,
    /// The member's balance afterwards.
    #[schema(example = 80)]
    balance: i64,
    #[schema(example = "coffee")]
    comment: String,
    /// The transfer that it settles, takes back, or ends.
    #[schema(required)]
    refers_to: Option<i64>,
    /// When the points that it gave, or set aside, end.
    #[schema(required, format = DateTime)]
    ends_at: Option<String>,
    #[schema(format = DateTime)]
    at: String,
}

impl From<&Transfer> for TransferBody {
    fn from(of: &Transfer) -> Self {
        Self {
            id: of.id,
            kind: of.kind.into(),
            source: of.source.into(),
            target: of.target.into(),
            points: of.points,
            change: of.change(),
            balance: of.balance,
            comment: of.comment.clone(),
            refers_to: of.refers,
            ends_at: of.end().map(|end| end.to_string()),
            at: of.at.to_string(),
        }
    }
}

/// Points set aside.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsHold)]
pub(crate) struct HoldBody {
    id: i64,
    #[schema(example = 20)]
    points: i64,
    /// When they are given back, unless they are captured or released before.
    #[schema(format = DateTime)]
    ends_at: String,
    /// The transfer that captured or released them; null while they are set aside.
    #[schema(required)]
    settled_by: Option<i64>,
}

impl From<&Hold> for HoldBody {
    fn from(of: &Hold) -> Self {
        Self { id: of.id, points: of.points, ends_at: of.ends_at.to_string(), settled_by: of.settled_by }
    }
}

/// A member, as administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsAccount)]
pub(crate) struct MemberBody {
    /// The number of the account.
    account_id: i64,
    #[schema(example = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c909")]
    uuid: String,
    /// The points of all lots, those included that have just ended.
    #[schema(example = 100)]
    balance: i64,
    /// The points set aside.
    held: i64,
    #[schema(format = DateTime)]
    opened_at: String,
}

impl From<&Member> for MemberBody {
    fn from(of: &Member) -> Self {
        Self {
            account_id: of.id,
            uuid: of.uuid.clone(),
            balance: of.balance,
            held: of.held,
            opened_at: of.opened_at.to_string(),
        }
    }
}

/// Whether the ledger balances.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsLedgerCheck)]
pub(crate) struct CheckBody {
    /// Whether all is as it must be.
    balanced: bool,
    /// The sum over all accounts: 0.
    #[schema(example = 0)]
    total: i64,
    accounts: Vec<CheckedAccount>,
    /// Members whose balance is not what their lots and holds come to.
    #[schema(example = 0)]
    wrong_members: i64,
    /// Lots whose remainder is not what their history comes to.
    #[schema(example = 0)]
    wrong_lots: i64,
}

/// An account of the ledger, twice.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsCheckedAccount)]
pub(crate) struct CheckedAccount {
    account: AccountBody,
    /// The balance that is kept.
    kept: i64,
    /// The balance that the transfers come to.
    derived: i64,
}

impl From<&Findings> for CheckBody {
    fn from(of: &Findings) -> Self {
        let line = |line: &Line| CheckedAccount {
            account: line.account.into(),
            kept: line.kept,
            derived: line.derived,
        };
        Self {
            balanced: of.balances(),
            total: of.total(),
            accounts: of.lines.iter().map(line).collect(),
            wrong_members: of.wrong_members,
            wrong_lots: of.wrong_lots,
        }
    }
}

/// A transfer that was posted: 201 with its place, also when an earlier request did it.
pub(crate) fn posted(posted: &Posted) -> Response {
    let id = posted.transfer.id;
    respond::created(
        &TransferBody::from(&posted.transfer),
        &format!("/points/transfers/{id}"),
        posted.repeated,
    )
}

pub(crate) fn no_such_member() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-points-account",
        "There is no such points account",
        "It does not exist, or it is somebody else's. A new account has its points within seconds.",
    )
}

pub(crate) fn no_such_transfer() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-transfer",
        "There is no such transfer",
        "It does not exist, or it is about somebody else's points.",
    )
}

/// The problem that a refusal is.
pub(crate) fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NoSuchMember => no_such_member(),
        Refusal::NoSuchTransfer => no_such_transfer(),
        Refusal::Missing(points) => Problem::new(
            StatusCode::CONFLICT,
            "too-few-points",
            "There are too few points",
            format!("{points} points are missing."),
        )
        .with("missing", points),
        Refusal::TooMany => Problem::new(
            StatusCode::CONFLICT,
            "too-many-points",
            "Nobody may have so many points",
            "The balance would be above 1000000000000000.",
        ),
        Refusal::TooOften => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-operations",
            "Too many operations today",
            "The account did as much with its points as may be done in a day (in UTC).",
        ),
        Refusal::KeyReused => idempotency::Refusal::Mismatch.into(),
        Refusal::Settled(by) => Problem::new(
            StatusCode::CONFLICT,
            "hold-settled",
            "The points are not set aside any more",
            format!("They were settled by transfer {}, a {}.", by.id, by.kind.name()),
        )
        .with("transfer", by.id),
        Refusal::Irreversible(kind) => Problem::new(
            StatusCode::CONFLICT,
            "irreversible-transfer",
            "The transfer cannot be taken back",
            format!("A transfer of the kind `{}` cannot.", kind.name()),
        ),
        Refusal::Sql(error) => error.into(),
    }
}

/// The same with when the next operation may be done.
pub(crate) fn problem_at(refusal: Refusal, now: UnixMillis) -> Problem {
    match refusal {
        Refusal::TooOften => {
            let tomorrow = octo_core::UtcDay::containing(now).next().start();
            problem(Refusal::TooOften).retry_after(tomorrow.since(now).as_secs() + 1)
        }
        refusal => problem(refusal),
    }
}
