//! Figures of the shop, for those who watch it.

use octo_core::{Sql, SqlError};

/// Most categories that have a figure of their own: a label has no more values than this.
pub const MAX_CATEGORIES: i64 = 50;

/// The bounds of the histogram of what orders come to, in kopecks: the original's.
pub const VALUE_BOUNDS: [&str; 8] = ["1000", "2500", "5000", "7500", "10000", "15000", "20000", "50000"];

/// The bounds of the histogram of how many lines orders have: the original's.
pub const LINE_BOUNDS: [&str; 7] = ["1", "2", "3", "5", "8", "13", "21"];

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it counts: `status/CREATED`, `value`, `value/le/1000`, `lines`, `lines/le/1`.
    pub name: String,
    /// How much.
    pub value: i64,
}

octo_core::from_row!(Figure { name, value });

/// All figures of orders.
///
/// # Errors
/// Those of the database.
pub async fn orders(sql: &impl Sql) -> Result<Vec<Figure>, SqlError> {
    let statement =
        "SELECT name, CAST(SUM(value) AS BIGINT) AS value FROM shop_figures GROUP BY name ORDER BY name";
    sql.fetch(statement, &[]).await
}

/// How many products there are, by category: the largest of them.
///
/// # Errors
/// Those of the database.
pub async fn products(sql: &impl Sql) -> Result<Vec<Figure>, SqlError> {
    let statement = "SELECT name, products AS value FROM shop_categories WHERE products > 0
        ORDER BY products DESC, name LIMIT $1";
    sql.fetch(statement, &[MAX_CATEGORIES.into()]).await
}

/// How many carts have something in them, and how many lines these have.
///
/// # Errors
/// Those of the database.
pub async fn carts(sql: &impl Sql) -> Result<(i64, i64), SqlError> {
    let statement =
        "SELECT COUNT(*), COALESCE(CAST(SUM(lines) AS BIGINT), 0) FROM shop_carts WHERE lines > 0";
    Ok(sql.first(statement, &[]).await?.unwrap_or((0, 0)))
}
