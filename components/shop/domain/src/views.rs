//! The products that a customer looked at last, each once.

use octo_core::{Sql, SqlError, UnixMillis};

use crate::{Customer, schema::VIEWS};

/// A product that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The product's UUID.
    pub product: String,
    /// What it is.
    pub name: String,
    /// When.
    pub at: UnixMillis,
}

octo_core::from_row!(View { product, name, at });

/// Remembers that a product was looked at. Whether there is such a product.
///
/// # Errors
/// Those of the database.
pub async fn remember(
    sql: &impl Sql,
    customer: &Customer,
    product: &str,
    now: UnixMillis,
) -> Result<bool, SqlError> {
    let statement = "INSERT INTO shop_views (owner, product_id, at)
        SELECT CAST($1 AS TEXT), id, CAST($2 AS BIGINT) FROM shop_products WHERE uuid = $3 AND withdrawn_at IS NULL
        ON CONFLICT (owner, product_id) DO UPDATE SET at = excluded.at RETURNING product_id";
    let rows = sql.query(statement, &[customer.owner().into(), now.into(), product.into()]).await?;
    Ok(!rows.is_empty())
}

/// What a customer looked at, the last first.
///
/// # Errors
/// Those of the database.
pub async fn recent(sql: &impl Sql, customer: &Customer) -> Result<Vec<View>, SqlError> {
    let statement =
        "SELECT p.uuid AS product, p.name, v.at FROM shop_views v JOIN shop_products p ON p.id = v.product_id
        WHERE v.owner = $1 ORDER BY v.at DESC, v.product_id DESC LIMIT $2";
    sql.fetch(statement, &[customer.owner().into(), VIEWS.into()]).await
}
