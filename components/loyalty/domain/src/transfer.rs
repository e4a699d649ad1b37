//! Transfers of points.

use octo_core::{SqlValue, UnixMillis, sql::FromSql};

use crate::schema::NEVER;

/// The most points of one transfer.
pub const MAX_POINTS: i64 = 1_000_000_000;

/// Longest comment, in characters.
pub const MAX_COMMENT: usize = 512;

/// A name that is kept as text.
macro_rules! named {
    ($(#[$about:meta])* $type:ident { $($(#[$member_about:meta])* $member:ident = $name:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type { $($(#[$member_about])* $member),+ }

        impl $type {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$member),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$member => $name),+ }
            }
        }

        impl FromSql for $type {
            fn from_sql(value: SqlValue) -> Option<Self> {
                let name = value.text()?;
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

named! {
    /// An account of the ledger.
    Account {
        /// Points that were given: it is as far below zero as there were any.
        Issued = "issued",
        /// What a member may spend.
        Member = "member",
        /// What a member has set aside.
        Held = "held",
        /// What was spent.
        Redeemed = "redeemed",
        /// What ended unspent.
        Expired = "expired",
        /// What administrators added or took away.
        Adjusted = "adjusted",
    }
}

named! {
    /// Why points change hands.
    Kind {
        /// Points for registering: once for each account.
        Registration = "registration",
        /// Points that an administrator gave, or the original's deposit.
        Award = "award",
        /// Points for a purchase.
        Purchase = "purchase",
        /// Points that a member spent.
        Redemption = "redemption",
        /// Points set aside.
        Hold = "hold",
        /// Points that were set aside, spent.
        Capture = "capture",
        /// Points that were set aside, given back.
        Release = "release",
        /// What an administrator added or took away.
        Adjustment = "adjustment",
        /// The points of a lot that ended.
        Expiry = "expiry",
        /// An earlier transfer taken back.
        Reversal = "reversal",
        /// What a member had when the account was deleted.
        Forfeit = "forfeit",
    }
}

impl Kind {
    /// Whether an administrator may take it back.
    pub fn is_reversible(self) -> bool {
        match self {
            Kind::Registration
            | Kind::Award
            | Kind::Purchase
            | Kind::Redemption
            | Kind::Capture
            | Kind::Adjustment => true,
            Kind::Hold | Kind::Release | Kind::Expiry | Kind::Reversal | Kind::Forfeit => false,
        }
    }
}

/// A transfer that somebody wants. [`Ledger`](crate::Ledger) has a function for each that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTransfer<'a> {
    /// Whose points it is about.
    pub member_id: i64,
    /// Why.
    pub kind: Kind,
    /// From where the points come.
    pub source: Account,
    /// Where they go.
    pub target: Account,
    /// How many: 1 to [`MAX_POINTS`].
    pub points: i64,
    /// The transfer it settles or takes back.
    pub refers: Option<i64>,
    /// The only lot it may take from, also when that has ended.
    pub lot_id: Option<i64>,
    /// The transfer whose lots its points go back to; without it points of a member's are a new lot.
    pub returns: Option<i64>,
    /// When the new lot, or the hold, ends.
    pub ends_at: i64,
    /// What it is for, in the words of who did it.
    pub comment: &'a str,
    /// The account that did it; 0 for Octo itself.
    pub actor: i64,
}

impl<'a> NewTransfer<'a> {
    /// Points that a member is given, as a lot that ends at `ends_at`.
    pub fn given(kind: Kind, source: Account, member_id: i64, points: i64, ends_at: i64) -> Self {
        let (target, comment) = (Account::Member, "");
        Self {
            member_id,
            kind,
            source,
            target,
            points,
            refers: None,
            lot_id: None,
            returns: None,
            ends_at,
            comment,
            actor: 0,
        }
    }

    /// Points that a member gives away, of the lots that end first.
    pub fn taken(kind: Kind, target: Account, member_id: i64, points: i64) -> Self {
        Self {
            source: Account::Member,
            target,
            ..Self::given(kind, Account::Member, member_id, points, NEVER)
        }
    }

    /// Done by `actor`, for this.
    #[must_use]
    pub fn by(self, actor: i64, comment: &'a str) -> Self {
        Self { actor, comment, ..self }
    }
}

/// A transfer that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its number.
    pub id: i64,
    /// Whose points it is about.
    pub member_id: i64,
    /// Why.
    pub kind: Kind,
    /// From where the points came.
    pub source: Account,
    /// Where they went.
    pub target: Account,
    /// How many.
    pub points: i64,
    /// The transfer it settles or takes back.
    pub refers: Option<i64>,
    /// When what it made ends; [`NEVER`] for what does not.
    pub ends_at: i64,
    /// What it is for.
    pub comment: String,
    /// The account that did it; 0 for Octo itself.
    pub actor: i64,
    /// When.
    pub at: UnixMillis,
    /// What the member could spend afterwards.
    pub balance: i64,
    /// 0, or the points for lack of which it was refused.
    pub missing: i64,
}

octo_core::from_row!(Transfer {
    id,
    member_id,
    kind,
    source,
    target,
    points,
    refers,
    ends_at,
    comment,
    actor,
    at,
    balance,
    missing
});

impl Transfer {
    /// What it added to the member's balance; below zero for what it took.
    pub fn change(&self) -> i64 {
        match (self.source, self.target) {
            (_, Account::Member) => self.points,
            (Account::Member, _) => -self.points,
            _ => 0,
        }
    }

    /// When what it made ends, if it ever does.
    pub fn end(&self) -> Option<UnixMillis> {
        Some(self.ends_at).filter(|ends_at| *ends_at != NEVER).map(UnixMillis)
    }
}
