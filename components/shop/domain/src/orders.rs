//! Orders. Every function is one statement, or says which crash may fall between its two.

use std::time::Duration;

use octo_core::{
    Entropy, Sql, SqlError, SqlValue, UnixMillis,
    sql::{FromRow, FromSql, Row},
};
use serde::Deserialize;

use crate::{Config, Customer};

/// The most that an order may come to, in kopecks.
pub const MAX_TOTAL: i64 = 100_000_000_000_000;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It was made.
    Created,
    /// It is put together.
    Processing,
    /// It is on its way.
    Shipping,
    /// It has arrived.
    Delivered,
    /// It was canceled.
    Canceled,
}

impl Status {
    /// All of them, in the order in which an order has them.
    pub const ALL: [Status; 5] =
        [Self::Created, Self::Processing, Self::Shipping, Self::Delivered, Self::Canceled];

    /// Its name, spelled as the original spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Processing => "PROCESSING",
            Self::Shipping => "SHIPPING",
            Self::Delivered => "DELIVERED",
            Self::Canceled => "CANCELLED",
        }
    }

    /// The status of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// What follows by itself.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Created => Some(Self::Processing),
            Self::Processing => Some(Self::Shipping),
            Self::Shipping => Some(Self::Delivered),
            Self::Delivered | Self::Canceled => None,
        }
    }

    /// How long it stays before the next one follows by itself; `None` for ever.
    pub fn stays(self, config: &Config, entropy: &impl Entropy) -> Option<Duration> {
        match self {
            Self::Created => Some(config.processing),
            Self::Processing => Some(config.shipping),
            Self::Shipping => {
                let (least, most) = (*config.delivery_seconds.start(), *config.delivery_seconds.end());
                let drawn = u64::from_le_bytes(entropy.bytes::<8>()) % (most - least + 1);
                Some(Duration::from_secs(least + drawn))
            }
            Self::Delivered | Self::Canceled => None,
        }
    }
}

impl FromSql for Status {
    fn from_sql(value: SqlValue) -> Option<Self> {
        Self::named(value.text()?)
    }
}

/// A line of an order, as it was when it was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderLine {
    /// The product's UUID.
    #[serde(rename = "uuid")]
    pub product: String,
    /// What it was called.
    pub name: String,
    /// What one cost, in kopecks.
    pub price: i64,
    /// How many.
    pub quantity: i64,
}

impl OrderLine {
    /// What the line cost.
    pub fn total(&self) -> i64 {
        self.price.saturating_mul(self.quantity)
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: i64,
    /// What it is called outside.
    pub uuid: String,
    /// Whose it is: see [`Customer::owner`].
    pub owner: String,
    /// The account whose it is.
    pub account_id: Option<i64>,
    /// What the customer is called.
    pub customer: String,
    /// How it stands.
    pub status: Status,
    /// What was to be paid, in kopecks.
    pub total: i64,
    /// What was taken off.
    pub discount: i64,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// How often its status changed.
    pub revision: i64,
    /// When the next automatic step is due.
    pub next_at: Option<UnixMillis>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its status last changed.
    pub changed_at: UnixMillis,
}

impl FromRow for Order {
    fn from_row(mut row: Row) -> Option<Self> {
        let lines: String = row.take("lines")?;
        Some(Self {
            id: row.take("id")?,
            uuid: row.take("uuid")?,
            owner: row.take("owner")?,
            account_id: row.take("account_id")?,
            customer: row.take("customer")?,
            status: row.take("status")?,
            total: row.take("total")?,
            discount: row.take("discount")?,
            lines: serde_json::from_str(&lines).ok()?,
            revision: row.take("revision")?,
            next_at: row.take("next_at")?,
            created_at: row.take("created_at")?,
            changed_at: row.take("changed_at")?,
        })
    }
}

/// A line in the history of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// Its number.
    pub id: i64,
    /// The status that it got.
    pub status: Status,
    /// The account that gave it; 0 for Octo itself.
    pub actor: i64,
    /// When.
    pub at: UnixMillis,
}

octo_core::from_row!(OrderEvent { id, status, actor, at });

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such order.
    #[error("there is no such order")]
    NoSuchOrder,
    /// An order with this status cannot be canceled.
    #[error("an order that is {} cannot be canceled", .0.name())]
    NotCancelable(Status),
    /// It was canceled, and what it had is not there any more.
    #[error("what the order had is not there any more")]
    Missing,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Which orders are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this customer.
    pub owner: Option<String>,
    /// Only those with this status.
    pub status: Option<Status>,
    /// Not those that were delivered before this.
    pub delivered_since: Option<UnixMillis>,
}

const ORDERS: &str =
    "SELECT id, uuid, owner, account_id, customer, status, total, discount, lines, revision, next_at,
    created_at, changed_at FROM shop_orders";

/// The orders in the database.
#[derive(Debug)]
pub struct Orders<'a, S> {
    sql: &'a S,
}

impl<'a, S: Sql> Orders<'a, S> {
    /// The orders in `sql`, which has the tables [`TABLES`](crate::TABLES).
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// The order with this number.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn by_id(&self, id: i64) -> Result<Order, Refusal> {
        let found = self.sql.first(&format!("{ORDERS} WHERE id = $1"), &[id.into()]).await?;
        found.ok_or(Refusal::NoSuchOrder)
    }

    /// The order with this UUID.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn by_uuid(&self, uuid: &str) -> Result<Order, Refusal> {
        let found = self.sql.first(&format!("{ORDERS} WHERE uuid = $1"), &[uuid.into()]).await?;
        found.ok_or(Refusal::NoSuchOrder)
    }

    /// The orders with smaller numbers than `before`, the newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(&self, filter: &Filter, before: i64, limit: i64) -> Result<Vec<Order>, SqlError> {
        let mut conditions = String::new();
        let mut values: Vec<SqlValue> = vec![before.into(), limit.into()];
        let mut and = |condition: &str, value: SqlValue| {
            values.push(value);
            conditions.push_str(&format!(" AND {}", condition.replace('?', &format!("${}", values.len()))));
        };
        if let Some(owner) = &filter.owner {
            and("owner = ?", owner.as_str().into());
        }
        if let Some(status) = filter.status {
            and("status = ?", status.name().into());
        }
        if let Some(since) = filter.delivered_since {
            and("(status <> 'DELIVERED' OR changed_at >= ?)", since.into());
        }
        let statement = format!("{ORDERS} WHERE id < $1{conditions} ORDER BY id DESC LIMIT $2");
        self.sql.fetch(&statement, &values).await
    }

    /// What happened to an order, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn timeline(&self, id: i64, after: i64, limit: i64) -> Result<Vec<OrderEvent>, SqlError> {
        let statement = "SELECT id, status, actor, at FROM shop_order_events WHERE order_id = $1 AND id > $2
            ORDER BY id LIMIT $3";
        self.sql.fetch(statement, &[id.into(), after.into(), limit.into()]).await
    }

    /// Cancels an order, which gives its stock back: once.
    ///
    /// # Errors
    /// When it was delivered or canceled already, and when the database is away.
    pub async fn cancel(&self, order: &Order, actor: i64, now: UnixMillis) -> Result<Order, Refusal> {
        let statement =
            "UPDATE shop_orders SET status = 'CANCELLED', next_at = NULL, revision = revision + 1,
                changed_by = $1, changed_at = $2
            WHERE id = $3 AND status NOT IN ('DELIVERED', 'CANCELLED') RETURNING id";
        let done = self.sql.first::<(i64,)>(statement, &[actor.into(), now.into(), order.id.into()]).await?;
        let order = self.by_id(order.id).await?;
        if done.is_some() { Ok(order) } else { Err(Refusal::NotCancelable(order.status)) }
    }

    /// Gives an order a status, whatever it had, as administrators may. The automatic steps go on from there. To give it
    /// the status that it has changes nothing.
    ///
    /// # Errors
    /// When it was canceled and what it had is not there any more, and when the database is away.
    pub async fn set_status(
        &self,
        order: &Order,
        status: Status,
        actor: i64,
        stays: Option<Duration>,
        now: UnixMillis,
    ) -> Result<Order, Refusal> {
        let statement =
            "UPDATE shop_orders SET status = $1, next_at = $2, revision = revision + 1, changed_by = $3,
                changed_at = $4
            WHERE id = $5 AND status <> $1 RETURNING id";
        let parameters = [
            status.name().into(),
            stays.map(|stays| now + stays).into(),
            actor.into(),
            now.into(),
            order.id.into(),
        ];
        match self.sql.query(statement, &parameters).await {
            Ok(_) => self.by_id(order.id).await,
            Err(SqlError::Conflict(rule)) if rule.contains("shop_stock_suffices") => Err(Refusal::Missing),
            Err(error) => Err(error.into()),
        }
    }

    /// The automatic step of an order whose status changed `revision` times and no more. Whether it was taken.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn advance(
        &self,
        order: &Order,
        status: Status,
        next_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<bool, SqlError> {
        let statement =
            "UPDATE shop_orders SET status = $1, next_at = $2, revision = revision + 1, changed_by = 0,
                changed_at = $3
            WHERE id = $4 AND revision = $5 AND status = $6 RETURNING id";
        let parameters = [
            status.name().into(),
            next_at.into(),
            now.into(),
            order.id.into(),
            order.revision.into(),
            order.status.name().into(),
        ];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// Forgets whose orders they were, when an account was deleted. What was sold stays in the books.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget(&self, account: i64) -> Result<(), SqlError> {
        let owner = Customer::Account(account).owner();
        let statement =
            "UPDATE shop_orders SET owner = 'deleted', account_id = NULL, customer = '', request = NULL,
            fingerprint = NULL WHERE owner = $1";
        self.sql.query(statement, &[owner.as_str().into()]).await?;
        for statement in [
            "DELETE FROM shop_cart_lines WHERE owner = $1",
            "DELETE FROM shop_views WHERE owner = $1",
            "DELETE FROM shop_customers WHERE owner = $1",
        ] {
            self.sql.query(statement, &[owner.as_str().into()]).await?;
        }
        Ok(())
    }
}
