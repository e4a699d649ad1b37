//! The parcels in the database. Every function is one statement, or says which crash may fall between its two.

use octo_core::{Sql, SqlError, SqlValue, UnixMillis};

use crate::{Entry, MoscowDay, NewParcel, Owner, Parcel, Receipt, State};

/// The parcels in the database.
#[derive(Debug)]
pub struct Parcels<'a, S> {
    sql: &'a S,
}

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such type.
    #[error("there is no such type")]
    NoSuchType,
    /// There is no such parcel, or it is somebody else's.
    #[error("there is no such parcel")]
    NoSuchParcel,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// A company carries it: this one.
    #[error("a company carries it")]
    Carried(i64),
    /// It was canceled.
    #[error("it was canceled")]
    Canceled,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// A parcel that was registered, now or by an earlier request with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The parcel, as it is now.
    pub parcel: Parcel,
    /// Whether an earlier request did it.
    pub repeated: bool,
}

/// The request that registers a parcel, for a client that may have to send it again.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Of the requests with one key, one is carried out. It names the caller and the route too.
    pub key: &'a str,
    /// What is asked for: another request with the same key is refused.
    pub fingerprint: &'a str,
}

/// Which parcels are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this owner's.
    pub owner: Option<String>,
    /// Only those of this type.
    pub type_id: Option<i64>,
    /// Only those that have a price, or that have none.
    pub priced: Option<bool>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those registered on this day or later.
    pub from: Option<MoscowDay>,
    /// Only those registered on this day or earlier.
    pub to: Option<MoscowDay>,
    /// Only those that this company carries.
    pub carrier: Option<i64>,
}

const PARCELS: &str = "SELECT p.id, p.status_uuid, p.name, p.weight, p.value, p.type_id, t.name AS type_name,
        p.state, p.cost, p.error, p.carrier, p.carrier_at, p.created_at
    FROM parcels p JOIN parcel_types t ON t.id = p.type_id";

impl Filter {
    /// The conditions, from parameter number `first` on, and their values.
    fn conditions(&self, first: usize) -> (String, Vec<SqlValue>) {
        let mut text = String::from("1 = 1");
        let mut values: Vec<SqlValue> = Vec::new();
        let mut and = |condition: &str, value: SqlValue| {
            text.push_str(&format!(" AND {condition}${}", first + values.len()));
            values.push(value);
        };
        if let Some(owner) = &self.owner {
            and("p.owner = ", owner.as_str().into());
        }
        if let Some(type_id) = self.type_id {
            and("p.type_id = ", type_id.into());
        }
        if let Some(state) = self.state {
            and("p.state = ", state.name().into());
        }
        if let Some(from) = self.from {
            and("p.created_at >= ", from.start().into());
        }
        if let Some(to) = self.to {
            and("p.created_at < ", to.next().start().into());
        }
        if let Some(carrier) = self.carrier {
            and("p.carrier = ", carrier.into());
        }
        match self.priced {
            Some(true) => text.push_str(" AND p.cost IS NOT NULL"),
            Some(false) => text.push_str(" AND p.cost IS NULL"),
            None => {}
        }
        (text, values)
    }
}

impl<'a, S: Sql> Parcels<'a, S> {
    /// The parcels in `sql`, which has the tables [`TABLES`](crate::TABLES).
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Registers a parcel: its row, its history and its job, in one statement.
    ///
    /// # Errors
    /// When there is no such type, when the key was used for something else, and when the database is away. Only with a key
    /// is it safe to ask again after that.
    pub async fn register(
        &self,
        owner: &Owner,
        new: &NewParcel,
        status_uuid: &str,
        key: Option<Key<'_>>,
        now: UnixMillis,
    ) -> Result<Registered, Refusal> {
        let statement = "INSERT INTO parcels (status_uuid, owner, name, weight, value, type_id, state, created_at,
                changed_at, request, fingerprint)
            SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), id,
                'pending', CAST($7 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS TEXT), CAST($9 AS TEXT)
            FROM parcel_types WHERE id = $6 ON CONFLICT (request) DO NOTHING RETURNING id";
        let parameters = [
            status_uuid.into(),
            owner.key().into(),
            new.name.as_str().into(),
            new.weight.0.into(),
            new.value.0.into(),
            new.type_id.into(),
            now.into(),
            key.map(|key| key.key).into(),
            key.map(|key| key.fingerprint).into(),
        ];
        if let Some((id,)) = self.sql.first::<(i64,)>(statement, &parameters).await? {
            let parcel = self.by_id(id).await?.ok_or(Refusal::NoSuchParcel)?;
            return Ok(Registered { parcel, repeated: false });
        }
        let earlier = match key {
            Some(key) => {
                let statement = "SELECT id, fingerprint FROM parcels WHERE request = $1";
                self.sql.first::<(i64, String)>(statement, &[key.key.into()]).await?
            }
            None => None,
        };
        match (earlier, key) {
            (Some((_, fingerprint)), Some(key)) if fingerprint != key.fingerprint => Err(Refusal::KeyReused),
            (Some((id, _)), _) => {
                let parcel = self.by_id(id).await?.ok_or(Refusal::NoSuchParcel)?;
                Ok(Registered { parcel, repeated: true })
            }
            (None, _) => Err(Refusal::NoSuchType),
        }
    }

    /// The parcel with this number, no matter whose it is.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn by_id(&self, id: i64) -> Result<Option<Parcel>, SqlError> {
        self.sql.first(&format!("{PARCELS} WHERE p.id = $1"), &[id.into()]).await
    }

    /// The owner's parcel with this number; of an administrator (`None`) anybody's.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn of(&self, owner: Option<&Owner>, id: i64) -> Result<Parcel, Refusal> {
        let found: Option<Parcel> = match owner {
            Some(owner) => {
                let statement = format!("{PARCELS} WHERE p.id = $1 AND p.owner = $2");
                self.sql.first(&statement, &[id.into(), owner.key().into()]).await?
            }
            None => self.by_id(id).await?,
        };
        found.ok_or(Refusal::NoSuchParcel)
    }

    /// The owner's parcel whose status has this UUID.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn by_status(&self, owner: &Owner, status_uuid: &str) -> Result<Parcel, Refusal> {
        let statement = format!("{PARCELS} WHERE p.status_uuid = $1 AND p.owner = $2");
        let found = self.sql.first(&statement, &[status_uuid.into(), owner.key().into()]).await?;
        found.ok_or(Refusal::NoSuchParcel)
    }

    /// Whether this owner has any parcel.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_any(&self, owner: &Owner) -> Result<bool, SqlError> {
        let statement = "SELECT id FROM parcels WHERE owner = $1 LIMIT 1";
        Ok(!self.sql.query(statement, &[owner.key().into()]).await?.is_empty())
    }

    /// Gives what was registered in a session to the account whose owner logged in.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim(&self, session: &Owner, account: &Owner) -> Result<(), SqlError> {
        let statement = "UPDATE parcels SET owner = $1 WHERE owner = $2";
        self.sql.query(statement, &[account.key().into(), session.key().into()]).await.map(drop)
    }

    /// The newest parcels with smaller numbers than `before`, at most `limit`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Parcel>, SqlError> {
        let (conditions, values) = filter.conditions(3);
        let statement = format!("{PARCELS} WHERE p.id < $1 AND {conditions} ORDER BY p.id DESC LIMIT $2");
        let mut parameters = vec![before.unwrap_or(i64::MAX).into(), limit.into()];
        parameters.extend(values);
        self.sql.fetch(&statement, &parameters).await
    }

    /// The newest parcels after the first `skipped`, at most `limit`, and how many there are in all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn page(
        &self,
        filter: &Filter,
        skipped: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Parcel>), SqlError> {
        let (conditions, values) = filter.conditions(1);
        let count = format!("SELECT COUNT(*) FROM parcels p WHERE {conditions}");
        let count = self.sql.first::<(i64,)>(&count, &values).await?.map_or(0, |(count,)| count);
        let (conditions, values) = filter.conditions(3);
        let statement = format!("{PARCELS} WHERE {conditions} ORDER BY p.id DESC LIMIT $1 OFFSET $2");
        let mut parameters = vec![limit.into(), skipped.into()];
        parameters.extend(values);
        Ok((count, self.sql.fetch(&statement, &parameters).await?))
    }

    /// What happened to a parcel, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn history(&self, id: i64, after: i64, limit: i64) -> Result<Vec<Entry>, SqlError> {
        let statement = "SELECT id, event, detail, at FROM parcel_events WHERE parcel_id = $1 AND id > $2
            ORDER BY id LIMIT $3";
        self.sql.fetch(statement, &[id.into(), after.into(), limit.into()]).await
    }

    /// How a parcel got its price.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn receipt(&self, id: i64) -> Result<Option<Receipt>, SqlError> {
        self.sql.first("SELECT * FROM parcel_prices WHERE parcel_id = $1", &[id.into()]).await
    }

    /// The log of the prices of a day, in the order in which they came.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn log(&self, day: MoscowDay, after: i64, limit: i64) -> Result<Vec<Receipt>, SqlError> {
        let statement = "SELECT * FROM parcel_prices WHERE day = $1 AND id > $2 ORDER BY id LIMIT $3";
        self.sql.fetch(statement, &[day.0.into(), after.into(), limit.into()]).await
    }

    /// Cancels a parcel that no company carries yet. To cancel it twice changes nothing.
    ///
    /// # Errors
    /// When there is none, when a company carries it, and when the database is away.
    pub async fn cancel(&self, owner: Option<&Owner>, id: i64, now: UnixMillis) -> Result<Parcel, Refusal> {
        self.of(owner, id).await?;
        let statement = "UPDATE parcels SET state = 'canceled', changed_at = $1
            WHERE id = $2 AND carrier IS NULL AND state <> 'canceled'";
        self.sql.query(statement, &[now.into(), id.into()]).await?;
        let parcel = self.by_id(id).await?.ok_or(Refusal::NoSuchParcel)?;
        match parcel.carrier {
            Some(company) => Err(Refusal::Carried(company)),
            None => Ok(parcel),
        }
    }

    /// Binds the first company that asks, for ever. For the one that has it this changes nothing.
    ///
    /// # Errors
    /// When there is none, when another company has it, when it was canceled, and when the database is away.
    pub async fn bind_carrier(&self, id: i64, company: i64, now: UnixMillis) -> Result<Parcel, Refusal> {
        let statement = "UPDATE parcels SET carrier = $1, carrier_at = $2
            WHERE id = $3 AND carrier IS NULL AND state <> 'canceled'";
        self.sql.query(statement, &[company.into(), now.into(), id.into()]).await?;
        let parcel = self.by_id(id).await?.ok_or(Refusal::NoSuchParcel)?;
        match parcel.carrier {
            Some(winner) if winner == company => Ok(parcel),
            Some(winner) => Err(Refusal::Carried(winner)),
            None => Err(Refusal::Canceled),
        }
    }

    /// Has the prices of some that have failed tried again; how many. Their jobs are written in the same statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn retry_failed(&self, limit: i64, now: UnixMillis) -> Result<usize, SqlError> {
        let statement = format!(
            "UPDATE parcels SET state = 'pending', error = NULL, changed_at = $1
             WHERE id IN (SELECT id FROM parcels WHERE state = 'failed' ORDER BY id LIMIT $2{}) RETURNING id",
            self.sql.dialect().skip_locked()
        );
        Ok(self.sql.query(&statement, &[now.into(), limit.into()]).await?.len())
    }

    /// Forgets whose parcels they were, and what they called them, when an account was deleted. What they cost stays in
    /// the log.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget(&self, account: i64) -> Result<(), SqlError> {
        let statement = "UPDATE parcels SET owner = 'deleted', name = '', request = NULL, fingerprint = NULL
            WHERE owner = $1";
        self.sql.query(statement, &[Owner::Account(account).key().into()]).await.map(drop)
    }

    /// How many parcels there are in each state that somebody may have to do something about, and since when the oldest
    /// waits.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn backlog(&self) -> Result<Backlog, SqlError> {
        let statement = "SELECT (SELECT COUNT(*) FROM parcels WHERE state = 'pending') AS pending,
                (SELECT MIN(created_at) FROM parcels WHERE state = 'pending') AS oldest_at,
                (SELECT COUNT(*) FROM parcels WHERE state = 'failed') AS failed";
        self.sql.first(statement, &[]).await?.ok_or_else(|| SqlError::damaged("parcels"))
    }
}

/// What waits for a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Parcels that wait for their price.
    pub pending: i64,
    /// When the oldest of them was registered.
    pub oldest_at: Option<UnixMillis>,
    /// Parcels whose price could not be found out.
    pub failed: i64,
}

octo_core::from_row!(Backlog { pending, oldest_at, failed });
