//! A parcel, and what is known of it.

use octo_core::{
    Hundredths, SqlValue, UnixMillis,
    sql::{FromRow, FromSql, Row},
};

use crate::{MoscowDay, Quoted, Rate};

/// Longest name, in characters.
pub const MAX_NAME: usize = 512;

/// Whose a parcel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An account's, by its number.
    Account(i64),
    /// An anonymous session's, by the digest of its token: who reads the database cannot use it.
    Session(String),
}

impl Owner {
    /// As it is kept.
    pub fn key(&self) -> String {
        match self {
            Owner::Account(id) => format!("account/{id}"),
            Owner::Session(digest) => format!("session/{digest}"),
        }
    }
}

/// A parcel that somebody wants to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewParcel {
    /// 1 to [`MAX_NAME`] characters.
    pub name: String,
    /// In hundredths of a kilogram.
    pub weight: Hundredths,
    /// What the contents are worth, in cents.
    pub value: Hundredths,
    /// The number of its type.
    pub type_id: i64,
}

/// How a parcel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its price is being found out.
    Pending,
    /// It has its price.
    Priced,
    /// Its price could not be found out; an administrator may have it tried again.
    Failed,
    /// Its owner wants it no more.
    Canceled,
}

impl State {
    const ALL: [State; 4] = [State::Pending, State::Priced, State::Failed, State::Canceled];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Priced => "priced",
            State::Failed => "failed",
            State::Canceled => "canceled",
        }
    }

    /// The state with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl FromSql for State {
    fn from_sql(value: SqlValue) -> Option<Self> {
        Self::named(value.text()?)
    }
}

/// A parcel that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its number.
    pub id: i64,
    /// Under what the original's clients ask how it stands.
    pub status_uuid: String,
    /// What its owner calls it.
    pub name: String,
    /// In hundredths of a kilogram.
    pub weight: i64,
    /// In cents.
    pub value: i64,
    /// The number of its type.
    pub type_id: i64,
    /// And its name.
    pub type_name: String,
    /// How it stands.
    pub state: State,
    /// Its price in kopecks.
    pub cost: Option<i64>,
    /// Why it has none, where it has failed.
    pub error: Option<String>,
    /// The number of the company that carries it.
    pub carrier: Option<i64>,
    /// Since when.
    pub carrier_at: Option<UnixMillis>,
    /// When it was registered.
    pub created_at: UnixMillis,
}

octo_core::from_row!(Parcel {
    id,
    status_uuid,
    name,
    weight,
    value,
    type_id,
    type_name,
    state,
    cost,
    error,
    carrier,
    carrier_at,
    created_at,
});

/// A line in the history of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// `registered`, the name of a [`State`], or `carrier`.
    pub event: String,
    /// What else there is to say: the reason of a failure, or the number of the company.
    pub detail: Option<String>,
    /// When it happened.
    pub at: UnixMillis,
}

octo_core::from_row!(Entry { id, event, detail, at });

/// How a parcel got its price: a line of the log of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The line's number.
    pub id: i64,
    /// The parcel.
    pub parcel_id: i64,
    /// Its type.
    pub type_id: i64,
    /// In hundredths of a kilogram.
    pub weight: i64,
    /// In cents.
    pub value: i64,
    /// In kopecks.
    pub cost: i64,
    /// What the price was reckoned with.
    pub rate: Rate,
    /// The day in whose sum it is.
    pub day: MoscowDay,
    /// When it was reckoned.
    pub priced_at: UnixMillis,
}

impl FromRow for Receipt {
    fn from_row(mut row: Row) -> Option<Self> {
        let value: String = row.take("rate")?;
        let rate = Rate {
            value: Quoted::parse(&value)?,
            nominal: row.take("nominal")?,
            day: MoscowDay(row.take("rate_day")?),
            source: row.take("source")?,
        };
        Some(Receipt {
            id: row.take("id")?,
            parcel_id: row.take("parcel_id")?,
            type_id: row.take("type_id")?,
            weight: row.take("weight")?,
            value: row.take("value")?,
            cost: row.take("cost")?,
            rate,
            day: MoscowDay(row.take("day")?),
            priced_at: row.take("priced_at")?,
        })
    }
}
