//! Posting transfers. Each is one statement. When lots of the member have ended and that is not written down yet, it is
//! written down first, so that each balance in the history follows from the one before.

use octo_core::{Sql, SqlError, SqlValue, UnixMillis, UtcDay};

use crate::{Account, Kind, NewTransfer, Transfer, expiry, members, schema, transfer::MAX_POINTS};

/// The points in the database.
#[derive(Debug)]
pub struct Ledger<'a, S> {
    pub(crate) sql: &'a S,
    /// How many operations of its own a member has in a day (in UTC).
    pub(crate) daily_operations: i64,
}

/// The id that a client gave its request.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Of the requests with one key, one is carried out. It names the caller and the route too.
    pub key: &'a str,
    /// What is asked for: another request with the same key is refused.
    pub fingerprint: &'a str,
}

/// A transfer that was posted, now or by an earlier request with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The transfer.
    pub transfer: Transfer,
    /// Whether an earlier request did it.
    pub repeated: bool,
}

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such member, or the account was closed.
    #[error("there is no such member")]
    NoSuchMember,
    /// There is no such transfer.
    #[error("there is no such transfer")]
    NoSuchTransfer,
    /// The member has too few points: so many are missing.
    #[error("{0} points are missing")]
    Missing(i64),
    /// The member would have more points than anybody may have.
    #[error("nobody may have so many points")]
    TooMany,
    /// The member did too much today.
    #[error("too many operations today")]
    TooOften,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The points were captured or released already, by this transfer.
    #[error("it was settled already")]
    Settled(Transfer),
    /// A transfer of this kind cannot be taken back.
    #[error("it cannot be taken back")]
    Irreversible(Kind),
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

pub(crate) const TRANSFERS: &str =
    "SELECT id, member_id, kind, source, target, points, refers, ends_at, comment, actor,
    at, balance, missing FROM points_transfers";

/// By what a transfer is known to be the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    /// By nothing: it guards itself.
    None,
    /// By what it is about.
    About(&'a str),
    /// By the client's key, under which a refusal is kept too.
    Key(Key<'a>),
}

impl<'a> From<Option<Key<'a>>> for Request<'a> {
    fn from(key: Option<Key<'a>>) -> Self {
        key.map_or(Request::None, Request::Key)
    }
}

impl<'a> Request<'a> {
    fn id(self) -> Option<&'a str> {
        match self {
            Request::None => None,
            Request::About(id) => Some(id),
            Request::Key(key) => Some(key.key),
        }
    }

    fn fingerprint(self) -> Option<&'a str> {
        match self {
            Request::Key(key) => Some(key.fingerprint),
            _ => None,
        }
    }
}

impl<'a, S: Sql> Ledger<'a, S> {
    /// The points in `sql`, which has the tables [`TABLES`](crate::TABLES). A member may do `daily_operations` in a day;
    /// what administrators and Octo itself do is not counted.
    pub fn new(sql: &'a S, daily_operations: i64) -> Self {
        Self { sql, daily_operations }
    }

    /// Carries out what a client asks for, once for each key. A refusal for lack of points is kept with the key.
    ///
    /// # Errors
    /// [`Refusal`] says which there are.
    pub async fn transfer(
        &self,
        new: &NewTransfer<'_>,
        key: Option<Key<'_>>,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        self.post(new, key.into(), now).await
    }

    /// Gives points for a purchase, once.
    ///
    /// # Errors
    /// When there is no such member, and when the database is away.
    pub async fn reward_purchase(
        &self,
        member_id: i64,
        purchase: &str,
        points: i64,
        ends_at: i64,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        let comment = format!("purchase {purchase}");
        let new =
            NewTransfer::given(Kind::Purchase, Account::Issued, member_id, points, ends_at).by(0, &comment);
        self.post(&new, Request::About(&format!("purchase/{purchase}")), now).await
    }

    /// Takes a transfer back, once. What was given is taken from its own lot; what was taken goes back to the lots that it
    /// came from, and ends at once where those have ended.
    ///
    /// # Errors
    /// When there is no such transfer, when it is of a kind that cannot be taken back, and with what is missing when it
    /// gave points that have been spent.
    pub async fn reverse(
        &self,
        transfer: &Transfer,
        actor: i64,
        reason: &str,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        if !transfer.kind.is_reversible() {
            return Err(Refusal::Irreversible(transfer.kind));
        }
        let (source, target) = (transfer.target, transfer.source);
        let gave = source == Account::Member;
        // What was held came from lots when it was set aside.
        let taken_by = if transfer.kind == Kind::Capture { transfer.refers } else { Some(transfer.id) };
        let new = NewTransfer {
            target,
            refers: Some(transfer.id),
            lot_id: gave.then_some(transfer.id),
            returns: if gave { None } else { taken_by },
            ..NewTransfer::taken(Kind::Reversal, target, transfer.member_id, transfer.points)
        };
        let new = if gave { new } else { NewTransfer { source, target: Account::Member, ..new } };
        let posted = self
            .post(&new.by(actor, reason), Request::About(&format!("reversal/{}", transfer.id)), now)
            .await?;
        expiry::of_member(self, transfer.member_id, now).await?;
        Ok(posted)
    }

    /// The transfer with this number.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn by_id(&self, id: i64) -> Result<Transfer, Refusal> {
        let statement = format!("{TRANSFERS} WHERE id = $1 AND missing = 0");
        self.sql.first(&statement, &[id.into()]).await?.ok_or(Refusal::NoSuchTransfer)
    }

    /// Posts a transfer: one statement. What is not posted is looked up: it was before, or there is a reason.
    pub(crate) async fn post(
        &self,
        new: &NewTransfer<'_>,
        request: Request<'_>,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        let mut inserted = self.insert(new, request, now).await?;
        if inserted.is_none() && expiry::of_member(self, new.member_id, now).await? {
            inserted = self.insert(new, request, now).await?;
        }
        match inserted {
            Some((id, 0, balance)) => {
                let NewTransfer { member_id, kind, source, target, points, refers, ends_at, .. } = *new;
                let (comment, actor, at) = (new.comment.to_owned(), new.actor, now);
                let transfer = Transfer {
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
                    missing: 0,
                };
                Ok(Posted { transfer, repeated: false })
            }
            Some((_, missing, _)) => Err(Refusal::Missing(missing)),
            None => self.earlier(new, request, now).await,
        }
    }

    /// The statement alone: the number of the new row, the points that were missing, and the balance.
    pub(crate) async fn insert(
        &self,
        new: &NewTransfer<'_>,
        request: Request<'_>,
        now: UnixMillis,
    ) -> Result<Option<(i64, i64, i64)>, Refusal> {
        // What takes from one lot takes from it whether or not it has ended.
        let while_ended = new.lot_id.is_some() || new.kind == Kind::Forfeit;
        debug_assert!(while_ended || (1..=MAX_POINTS).contains(&new.points));
        let parameters: [SqlValue; 17] = [
            request.id().into(),
            request.fingerprint().into(),
            new.member_id.into(),
            new.kind.name().into(),
            new.source.name().into(),
            new.target.name().into(),
            new.points.into(),
            new.refers.into(),
            new.lot_id.into(),
            new.returns.into(),
            new.ends_at.into(),
            new.comment.into(),
            new.actor.into(),
            now.into(),
            i64::from(matches!(request, Request::Key(_))).into(),
            self.most_operations(new).into(),
            i64::from(while_ended).into(),
        ];
        let inserted = self.sql.first(schema::post(self.sql.dialect()), &parameters).await;
        inserted.map_err(|error| match error {
            SqlError::Conflict(_) => Refusal::TooMany,
            error => error.into(),
        })
    }

    /// What others do is not the member's doing.
    fn most_operations(&self, new: &NewTransfer<'_>) -> i64 {
        if new.actor == new.member_id { self.daily_operations } else { i64::MAX }
    }

    /// Why nothing was posted.
    async fn earlier(
        &self,
        new: &NewTransfer<'_>,
        request: Request<'_>,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        if let Some(id) = request.id() {
            let statement = "SELECT COALESCE(fingerprint, '') FROM points_transfers WHERE request = $1";
            if let Some((fingerprint,)) = self.sql.first::<(String,)>(statement, &[id.into()]).await? {
                if fingerprint != request.fingerprint().unwrap_or_default() {
                    return Err(Refusal::KeyReused);
                }
                let statement = format!("{TRANSFERS} WHERE request = $1");
                let earlier: Option<Transfer> = self.sql.first(&statement, &[id.into()]).await?;
                return match earlier.ok_or(Refusal::NoSuchTransfer)? {
                    transfer if transfer.missing == 0 => Ok(Posted { transfer, repeated: true }),
                    refused => Err(Refusal::Missing(refused.missing)),
                };
            }
        }
        let member = members::by_id(self.sql, new.member_id).await?.ok_or(Refusal::NoSuchMember)?;
        if member.day >= UtcDay::containing(now).0 && member.operations >= self.most_operations(new) {
            return Err(Refusal::TooOften);
        }
        let spendable = match new.lot_id {
            Some(lot) => {
                let statement = "SELECT remaining FROM points_lots WHERE id = $1";
                self.sql.first::<(i64,)>(statement, &[lot.into()]).await?.map_or(0, |(remaining,)| remaining)
            }
            None => members::standing(self.sql, &member, now).await?.balance,
        };
        Err(Refusal::Missing((new.points - spendable).max(1)))
    }
}
