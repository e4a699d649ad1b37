//! Carts. Every function is one statement, or says which crash may fall between its two.

use octo_core::{Sql, SqlError, UnixMillis};

use crate::{Customer, Product, catalogue::PRODUCTS};

/// The carts in the database.
#[derive(Debug)]
pub struct Carts<'a, S> {
    sql: &'a S,
}

/// A line of a cart, with the product as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub id: i64,
    /// What it is called outside.
    pub uuid: String,
    /// The product's number.
    pub product_id: i64,
    /// The product's UUID.
    pub product: String,
    /// What it is.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// What one cost when the customer put it there, in kopecks.
    pub price_seen: i64,
    /// What one costs now.
    pub price: i64,
    /// How many there are.
    pub stock: i64,
    /// Whether it is not sold any more.
    pub withdrawn: bool,
}

octo_core::from_row!(Line {
    id,
    uuid,
    product_id,
    product,
    name,
    quantity,
    price_seen,
    price,
    stock,
    withdrawn,
});

impl Line {
    /// What the line costs now: nothing, when it cannot be bought any more.
    pub fn total(&self) -> i64 {
        if self.withdrawn { 0 } else { self.price.saturating_mul(self.quantity) }
    }
}

const LINES: &str = "SELECT c.id, c.uuid, c.product_id, p.uuid AS product, p.name, c.quantity, c.price AS price_seen,
        p.price, s.stock, CASE WHEN p.withdrawn_at IS NULL THEN 0 ELSE 1 END AS withdrawn
    FROM shop_cart_lines c JOIN shop_products p ON p.id = c.product_id JOIN shop_stock s ON s.product_id = p.id";

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// There is no such line.
    #[error("there is no such line")]
    NoSuchLine,
    /// There are not so many: so many there are.
    #[error("there are not so many")]
    NotEnough(i64),
    /// The cart has as many lines as it can have.
    #[error("the cart is full")]
    Full,
    /// The database failed.
    #[error(transparent)]
    Sql(SqlError),
}

impl From<SqlError> for Refusal {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Conflict(rule) if rule.contains("shop_cart_has_room") => Self::Full,
            error => Self::Sql(error),
        }
    }
}

/// How a product comes into a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a further line.
    Added,
    /// In the place of all lines that the product has.
    Replacing,
}

/// Which lines are meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// That which is called so.
    Line(&'a str),
    /// Those of the product with this UUID.
    Product(&'a str),
}

/// A cart as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OthersLine {
    /// Whose it is: see [`Customer::owner`].
    pub owner: String,
    /// What the customer is called, if the shop knows.
    pub customer: Option<String>,
    /// The line's UUID.
    pub uuid: String,
    /// The product's UUID.
    pub product: String,
    /// What it is.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// What one cost when the customer put it there.
    pub price_seen: i64,
}

octo_core::from_row!(OthersLine { owner, customer, uuid, product, name, quantity, price_seen });

impl<'a, S: Sql> Carts<'a, S> {
    /// The carts in `sql`, which has the tables [`TABLES`](crate::TABLES).
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// What a customer has in the cart, in the order in which it came there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn lines(&self, customer: &Customer) -> Result<Vec<Line>, SqlError> {
        self.sql.fetch(&format!("{LINES} WHERE c.owner = $1 ORDER BY c.id"), &[customer.owner().into()]).await
    }

    /// Puts a product into the cart, if there are as many as the cart then has. The stock is not kept for the customer:
    /// that is for the order to do. Returns the line.
    ///
    /// # Errors
    /// When there is no such product, or not as many, when the cart is full, and when the database is away.
    pub async fn put(
        &self,
        customer: &Customer,
        line: &str,
        product: &str,
        quantity: i64,
        way: Way,
        now: UnixMillis,
    ) -> Result<Line, Refusal> {
        let found = format!("{PRODUCTS} WHERE p.uuid = $1 AND p.withdrawn_at IS NULL");
        let found: Option<Product> = self.sql.first(&found, &[product.into()]).await?;
        let found = found.ok_or(Refusal::NoSuchProduct)?;
        let statement = "INSERT INTO shop_cart_lines (uuid, owner, product_id, quantity, price, replaces, at)
            SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), p.id, CAST($3 AS BIGINT), p.price, CAST($4 AS BIGINT),
                CAST($5 AS BIGINT)
            FROM shop_products p JOIN shop_stock s ON s.product_id = p.id
            WHERE p.id = $6 AND p.withdrawn_at IS NULL AND s.stock >= $3 + (
                SELECT COALESCE(CAST(SUM(quantity) AS BIGINT), 0) FROM shop_cart_lines
                WHERE owner = $2 AND product_id = p.id AND $4 = 0)
            RETURNING id, price";
        let parameters = [
            line.into(),
            customer.owner().into(),
            quantity.into(),
            (way == Way::Replacing).into(),
            now.into(),
            found.id.into(),
        ];
        match self.sql.first::<(i64, i64)>(statement, &parameters).await? {
            // It may be ordered, or removed, at this moment: so it is not read again.
            Some((id, price)) => Ok(Line {
                id,
                uuid: line.to_owned(),
                product_id: found.id,
                product: found.uuid,
                name: found.name,
                quantity,
                price_seen: price,
                price,
                stock: found.stock,
                withdrawn: false,
            }),
            None => Err(self.why_not(product).await?),
        }
    }

    async fn why_not(&self, product: &str) -> Result<Refusal, SqlError> {
        let statement = "SELECT s.stock FROM shop_products p JOIN shop_stock s ON s.product_id = p.id
            WHERE p.uuid = $1 AND p.withdrawn_at IS NULL";
        let stock = self.sql.first::<(i64,)>(statement, &[product.into()]).await?;
        Ok(stock.map_or(Refusal::NoSuchProduct, |(stock,)| Refusal::NotEnough(stock)))
    }

    /// The line that is meant: of several the first.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn line(&self, customer: &Customer, which: Which<'_>) -> Result<Line, Refusal> {
        let (condition, value) = which.condition();
        let statement = format!("{LINES} WHERE c.owner = $1 AND {condition} ORDER BY c.id LIMIT 1");
        let found = self.sql.first(&statement, &[customer.owner().into(), value.into()]).await?;
        found.ok_or(Refusal::NoSuchLine)
    }

    /// Gives a line another quantity, if there are as many as the cart then has of the product.
    ///
    /// # Errors
    /// When there is no such line, or not as many, and when the database is away.
    pub async fn change(&self, customer: &Customer, line: &Line, quantity: i64) -> Result<Line, Refusal> {
        let statement = format!(
            "UPDATE shop_cart_lines SET quantity = $1
             WHERE id = $2 AND owner = $3 AND EXISTS (SELECT 1 FROM shop_carts WHERE owner = $3{})
                AND EXISTS (SELECT 1 FROM shop_products p JOIN shop_stock s ON s.product_id = p.id
                    WHERE p.id = shop_cart_lines.product_id AND p.withdrawn_at IS NULL AND s.stock >= $1 + (
                        SELECT COALESCE(CAST(SUM(others.quantity) AS BIGINT), 0) FROM shop_cart_lines others
                        WHERE others.owner = $3 AND others.product_id = p.id AND others.id <> $2))
             RETURNING id",
            self.sql.dialect().lock()
        );
        let parameters = [quantity.into(), line.id.into(), customer.owner().into()];
        if self.sql.first::<(i64,)>(&statement, &parameters).await?.is_some() {
            return Ok(Line { quantity, ..line.clone() });
        }
        self.line(customer, Which::Line(&line.uuid)).await?;
        Err(self.why_not(&line.product).await?)
    }

    /// Removes lines; how many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove(&self, customer: &Customer, which: Which<'_>) -> Result<usize, SqlError> {
        let condition = match which {
            Which::Line(_) => "uuid = $2",
            Which::Product(_) => "product_id = (SELECT id FROM shop_products WHERE uuid = $2)",
        };
        let (Which::Line(value) | Which::Product(value)) = which;
        let statement = format!(
            "DELETE FROM shop_cart_lines WHERE owner = $1 AND {condition}
                AND EXISTS (SELECT 1 FROM shop_carts WHERE owner = $1{}) RETURNING id",
            self.sql.dialect().lock()
        );
        Ok(self.sql.query(&statement, &[customer.owner().into(), value.into()]).await?.len())
    }

    /// Empties a cart.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn clear(&self, customer: &Customer) -> Result<(), SqlError> {
        let statement = format!(
            "DELETE FROM shop_cart_lines WHERE owner = $1
                AND EXISTS (SELECT 1 FROM shop_carts WHERE owner = $1{})",
            self.sql.dialect().lock()
        );
        self.sql.query(&statement, &[customer.owner().into()]).await.map(drop)
    }

    /// Gives what a guest has in the cart to the account whose owner logged in. What does not fit stays the guest's.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_over(&self, guest: &Customer, account: &Customer) -> Result<(), SqlError> {
        let statement = "UPDATE shop_cart_lines SET owner = $1 WHERE owner = $2";
        let moved = self.sql.query(statement, &[account.owner().into(), guest.owner().into()]).await;
        match moved.map_err(Refusal::from) {
            Ok(_) | Err(Refusal::Full) => Ok(()),
            Err(Refusal::Sql(error)) => Err(error),
            Err(_) => Err(SqlError::damaged("a cart")),
        }
    }

    /// What all customers have in their carts, by their owners; at most `limit` lines.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn all(&self, limit: i64) -> Result<Vec<OthersLine>, SqlError> {
        let statement = "SELECT c.owner, k.name AS customer, c.uuid, p.uuid AS product, p.name, c.quantity,
                c.price AS price_seen
            FROM shop_cart_lines c JOIN shop_products p ON p.id = c.product_id
            LEFT JOIN shop_customers k ON k.owner = c.owner ORDER BY c.owner, c.product_id, c.id LIMIT $1";
        self.sql.fetch(statement, &[limit.into()]).await
    }

    /// Removes a few lines of guests whose carts did not change since `before`, and carts that are empty since then; whether
    /// there may be more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self, before: UnixMillis) -> Result<bool, SqlError> {
        const SWEPT: i64 = 200;
        let statement = "DELETE FROM shop_cart_lines WHERE id IN (
            SELECT c.id FROM shop_carts k JOIN shop_cart_lines c ON c.owner = k.owner
            WHERE k.changed_at < $1 AND k.owner LIKE 'guest/%' LIMIT $2) RETURNING id";
        let lines = self.sql.query(statement, &[before.into(), SWEPT.into()]).await?;
        // The cart of somebody who adds a line at this moment has one, and stays.
        let statement = format!(
            "DELETE FROM shop_carts WHERE lines = 0 AND owner IN (
                SELECT owner FROM shop_carts WHERE changed_at < $1 AND lines = 0 LIMIT $2{}) RETURNING owner",
            self.sql.dialect().skip_locked()
        );
        let carts = self.sql.query(&statement, &[before.into(), SWEPT.into()]).await?;
        Ok(lines.len() as i64 == SWEPT || carts.len() as i64 == SWEPT)
    }
}

impl<'a> Which<'a> {
    /// The condition on a line `c` and its product `p`, with its value as `$2`.
    fn condition(self) -> (&'static str, &'a str) {
        match self {
            Self::Line(uuid) => ("c.uuid = $2", uuid),
            Self::Product(uuid) => ("p.uuid = $2", uuid),
        }
    }
}
