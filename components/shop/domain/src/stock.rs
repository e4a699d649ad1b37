//! Stock, and the ledger of its changes.

use octo_core::{Sql, SqlError, UnixMillis};

use crate::{Key, Product, catalogue::PRODUCTS};

/// A change of a product's stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockChange {
    /// Its number.
    pub id: i64,
    /// What was added, or taken away.
    pub change: i64,
    /// The stock afterwards.
    pub stock: i64,
    /// `initial`, `set`, `correction`, `order` or `cancellation`.
    pub reason: String,
    /// What a person says of it.
    pub note: String,
    /// The order that it is for.
    pub order: Option<String>,
    /// The account that did it; 0 for Octo itself.
    pub actor: i64,
    /// When.
    pub at: UnixMillis,
}

octo_core::from_row!(StockChange { id, change, stock, reason, note, order, actor, at });

const CHANGES: &str = "SELECT c.id, c.change, c.stock, c.reason, c.note, o.uuid AS \"order\", c.actor, c.at
    FROM shop_stock_changes c LEFT JOIN shop_orders o ON o.id = c.order_id";

/// Why a correction is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// There would be less than none, or more than may be: so many there are.
    #[error("the stock would be out of range")]
    OutOfRange(i64),
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// What a person corrects.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    /// What is added, or taken away; not 0.
    pub change: i64,
    /// Why.
    pub note: &'a str,
    /// The account that does it.
    pub actor: i64,
}

/// Corrects the stock of a product, once for each key; whether an earlier request did it.
///
/// # Errors
/// When there is no such product, when the stock would be out of range, when the key was used for something else, and when
/// the database is away.
pub async fn correct(
    sql: &impl Sql,
    product: &Product,
    correction: Correction<'_>,
    key: Option<Key<'_>>,
    now: UnixMillis,
) -> Result<(StockChange, bool), Refusal> {
    if let Some(key) = key
        && let Some(done) = by_request(sql, product, correction, key).await?
    {
        return Ok((done, true));
    }
    let statement =
        "UPDATE shop_stock SET stock = stock + $1, reason = 'correction', note = $2, order_id = NULL,
            actor = $3, at = $4, request = $5
        WHERE product_id = $6 AND stock + $1 BETWEEN 0 AND $7 RETURNING product_id";
    let parameters = [
        correction.change.into(),
        correction.note.into(),
        correction.actor.into(),
        now.into(),
        key.map(|key| key.key).into(),
        product.id.into(),
        crate::product::MAX_QUANTITY.into(),
    ];
    let done = match (sql.first::<(i64,)>(statement, &parameters).await, key) {
        (Ok(done), _) => done,
        // The same request did it meanwhile.
        (Err(SqlError::Conflict(_)), Some(key)) => {
            let done = by_request(sql, product, correction, key).await?;
            return done.map(|done| (done, true)).ok_or(Refusal::Sql(SqlError::Busy));
        }
        (Err(error), _) => return Err(error.into()),
    };
    if done.is_none() {
        let statement = "SELECT stock FROM shop_stock WHERE product_id = $1";
        let stock = sql.first::<(i64,)>(statement, &[product.id.into()]).await?;
        return Err(stock.map_or(Refusal::NoSuchProduct, |(stock,)| Refusal::OutOfRange(stock)));
    }
    // With a key it is found by it. Without one it is the newest correction of this actor, or one that came right after it.
    let last = match key {
        Some(key) => by_request(sql, product, correction, key).await?,
        None => {
            let statement = format!(
                "{CHANGES} WHERE c.product_id = $1 AND c.reason = 'correction' AND c.actor = $2 ORDER BY c.id DESC LIMIT 1"
            );
            sql.first(&statement, &[product.id.into(), correction.actor.into()]).await?
        }
    };
    last.map(|done| (done, false)).ok_or_else(|| SqlError::damaged("the ledger of the stock").into())
}

async fn by_request(
    sql: &impl Sql,
    product: &Product,
    correction: Correction<'_>,
    key: Key<'_>,
) -> Result<Option<StockChange>, Refusal> {
    let statement = format!("{CHANGES} WHERE c.request = $1 AND c.product_id = $2");
    let found: Option<StockChange> = sql.first(&statement, &[key.key.into(), product.id.into()]).await?;
    match found {
        Some(done) if (done.change, done.note.as_str()) != (correction.change, correction.note) => {
            Err(Refusal::KeyReused)
        }
        found => Ok(found),
    }
}

/// The changes of a product's stock with smaller numbers than `before`, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn ledger(
    sql: &impl Sql,
    product: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<StockChange>, SqlError> {
    let statement = format!("{CHANGES} WHERE c.product_id = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3");
    sql.fetch(&statement, &[product.into(), before.into(), limit.into()]).await
}

/// Products that are sold and of which there are fewer than `below`, the scarcest first, behind this stock and number.
///
/// # Errors
/// Those of the database.
pub async fn low(
    sql: &impl Sql,
    below: i64,
    after: (i64, i64),
    limit: i64,
) -> Result<Vec<Product>, SqlError> {
    let statement = format!(
        "{PRODUCTS} WHERE p.withdrawn_at IS NULL AND s.stock < $1 AND (s.stock, s.product_id) > ($2, $3)
         ORDER BY s.stock, s.product_id LIMIT $4"
    );
    sql.fetch(&statement, &[below.into(), after.0.into(), after.1.into(), limit.into()]).await
}

/// Products whose ledger does not come to their stock: their numbers. There are none unless something is broken.
///
/// # Errors
/// Those of the database.
pub async fn wrong(sql: &impl Sql) -> Result<Vec<i64>, SqlError> {
    let statement = "SELECT s.product_id FROM shop_stock s LEFT JOIN shop_stock_changes c ON c.product_id = s.product_id
        GROUP BY s.product_id, s.stock HAVING COALESCE(SUM(c.change), 0) <> s.stock ORDER BY s.product_id LIMIT 100";
    let found: Vec<(i64,)> = sql.fetch(statement, &[]).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}
