//! The catalogue. Every function is one statement, or says which crash may fall between its two.

use octo_core::{Sql, SqlError, SqlValue, UnixMillis, sql::Dialect};

use crate::{
    Key, NewProduct, Product,
    product::{Change, searched},
    search::Search,
};

/// The columns of a [`Product`].
pub(crate) const PRODUCTS: &str =
    "SELECT p.id, p.uuid, p.name, p.category, p.price, s.stock, p.description, p.manufacturer,
        p.created_at, p.changed_at, p.withdrawn_at
    FROM shop_products p JOIN shop_stock s ON s.product_id = p.id";

/// What a search finds on Postgres. By itself (`OFFSET 0`), or the planner goes through the products in their order and makes
/// the words of each into a vector until there are enough.
const FOUND: &str = "p.id IN (SELECT f.id FROM shop_products f WHERE f.withdrawn_at IS NULL
    AND shop_vector(f.words) @@ CAST(CAST(? AS TEXT) AS tsquery) OFFSET 0)";

/// The catalogue in the database.
#[derive(Debug)]
pub struct Catalogue<'a, S> {
    sql: &'a S,
}

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// By what products are sorted. Those that are alike follow each other by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By when they were added.
    #[default]
    Added,
    /// By their names, character by character.
    Name,
    /// By their prices.
    Price,
}

/// In which direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// Which products are wanted, in which order. Withdrawn ones never are.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this category.
    pub category: Option<String>,
    /// Only those that cost so much or more.
    pub min_price: Option<i64>,
    /// Only those that cost so much or less.
    pub max_price: Option<i64>,
    /// Only those that there are.
    pub in_stock: bool,
    /// Only those that this finds.
    pub search: Search,
    /// The order.
    pub sort: Sort,
    /// Its direction.
    pub direction: Direction,
}

/// Where in a sorted list a product stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Its number.
    pub id: i64,
    /// Its name, where the list is sorted by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its price, where the list is sorted by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
}

/// Conditions of a statement and their values.
struct Conditions {
    text: String,
    values: Vec<SqlValue>,
}

impl Conditions {
    /// The next parameter.
    fn parameter(&mut self, value: impl Into<SqlValue>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn and(&mut self, condition: &str, value: impl Into<SqlValue>) {
        let parameter = self.parameter(value);
        self.text.push_str(&format!(" AND {}", condition.replace('?', &parameter)));
    }
}

impl Filter {
    fn conditions(&self, dialect: Dialect) -> Conditions {
        let mut all = Conditions { text: "p.withdrawn_at IS NULL".to_owned(), values: Vec::new() };
        if let Some(category) = &self.category {
            all.and("p.category = ?", category.as_str());
        }
        if let Some(price) = self.min_price {
            all.and("p.price >= ?", price);
        }
        if let Some(price) = self.max_price {
            all.and("p.price <= ?", price);
        }
        if self.in_stock {
            all.text.push_str(" AND s.stock > 0");
        }
        let (found, occurs) = match dialect {
            Dialect::Sqlite => (
                self.search.fts5().map(|query| {
                    ("p.id IN (SELECT rowid FROM shop_search WHERE shop_search MATCH ?)", query)
                }),
                "instr(p.folded, ?) > 0",
            ),
            Dialect::Postgres => {
                (self.search.tsquery().map(|query| (FOUND, query)), "strpos(p.folded, ?) > 0")
            }
        };
        if let Some((condition, query)) = found {
            all.and(condition, query);
        }
        for literal in self.search.literals() {
            all.and(occurs, literal.as_str());
        }
        all
    }

    /// Whether it asks for nothing but a category.
    fn is_by_category_alone(&self) -> bool {
        self.min_price.is_none() && self.max_price.is_none() && !self.in_stock && self.search.is_empty()
    }

    fn order(&self) -> String {
        let direction = match self.direction {
            Direction::Ascending => "",
            Direction::Descending => " DESC",
        };
        match self.sort {
            Sort::Added => format!("p.id{direction}"),
            Sort::Name => format!("p.name{direction}, p.id{direction}"),
            Sort::Price => format!("p.price{direction}, p.id{direction}"),
        }
    }

    /// Where `product` stands in the list.
    pub fn place(&self, product: &Product) -> Place {
        Place {
            id: product.id,
            name: (self.sort == Sort::Name).then(|| product.name.clone()),
            price: (self.sort == Sort::Price).then_some(product.price),
        }
    }

    /// What follows `place`; `None` when the place is another list's.
    fn behind(&self, place: &Place, all: &mut Conditions) -> Option<()> {
        let follows = match self.direction {
            Direction::Ascending => ">",
            Direction::Descending => "<",
        };
        let condition = match (self.sort, &place.name, place.price) {
            (Sort::Added, None, None) => format!("p.id {follows} {}", all.parameter(place.id)),
            (Sort::Name, Some(name), None) => {
                let (name, id) = (all.parameter(name.as_str()), all.parameter(place.id));
                format!("(p.name, p.id) {follows} ({name}, {id})")
            }
            (Sort::Price, None, Some(price)) => {
                let (price, id) = (all.parameter(price), all.parameter(place.id));
                format!("(p.price, p.id) {follows} ({price}, {id})")
            }
            _ => return None,
        };
        all.text.push_str(&format!(" AND {condition}"));
        Some(())
    }
}

/// A category with the number of its products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// What it is called.
    pub name: String,
    /// How many products it has.
    pub products: i64,
}

octo_core::from_row!(Category { name, products });

impl<'a, S: Sql> Catalogue<'a, S> {
    /// The catalogue in `sql`, which has the tables [`TABLES`](crate::TABLES).
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Adds a product, once for each key; whether an earlier request did it.
    ///
    /// # Errors
    /// When the key was used for something else, and when the database is away. Only with a key is it safe to ask again
    /// after that.
    pub async fn add(
        &self,
        new: &NewProduct,
        uuid: &str,
        actor: i64,
        key: Option<Key<'_>>,
        now: UnixMillis,
    ) -> Result<(Product, bool), Refusal> {
        let (folded, words) = searched(&new.name, new.manufacturer.as_deref(), new.description.as_deref());
        let statement = "INSERT INTO shop_products (uuid, name, category, price, description, manufacturer, folded, words,
                stock_asked, created_at, changed_by, changed_at, request, fingerprint)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, $12, $13)
            ON CONFLICT (request) DO NOTHING RETURNING id";
        let parameters = [
            uuid.into(),
            new.name.as_str().into(),
            new.category.as_str().into(),
            new.price.into(),
            new.description.as_deref().into(),
            new.manufacturer.as_deref().into(),
            folded.into(),
            words.into(),
            new.stock.into(),
            now.into(),
            actor.into(),
            key.map(|key| key.key).into(),
            key.map(|key| key.fingerprint).into(),
        ];
        if self.sql.first::<(i64,)>(statement, &parameters).await?.is_some() {
            return Ok((self.any(uuid).await?, false));
        }
        let statement = "SELECT uuid, fingerprint FROM shop_products WHERE request = $1";
        let earlier: Option<(String, String)> =
            self.sql.first(statement, &[key.map(|key| key.key).into()]).await?;
        match (earlier, key) {
            (Some((uuid, fingerprint)), Some(key)) if fingerprint == key.fingerprint => {
                Ok((self.any(&uuid).await?, true))
            }
            _ => Err(Refusal::KeyReused),
        }
    }

    /// The product with this UUID, withdrawn or not.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn any(&self, uuid: &str) -> Result<Product, Refusal> {
        let found = self.sql.first(&format!("{PRODUCTS} WHERE p.uuid = $1"), &[uuid.into()]).await?;
        found.ok_or(Refusal::NoSuchProduct)
    }

    /// The product with this UUID, if it is sold.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn sold(&self, uuid: &str) -> Result<Product, Refusal> {
        let product = self.any(uuid).await?;
        if product.withdrawn_at.is_some() { Err(Refusal::NoSuchProduct) } else { Ok(product) }
    }

    /// Changes a product that is sold.
    ///
    /// # Errors
    /// When there is none, and when the database is away.
    pub async fn change(
        &self,
        uuid: &str,
        change: &Change,
        actor: i64,
        now: UnixMillis,
    ) -> Result<Product, Refusal> {
        let before = self.sold(uuid).await?;
        if change.is_empty() {
            return Ok(before);
        }
        // Of two changes of texts at once the searched text is the last one's.
        let name = change.name.as_deref().unwrap_or(&before.name);
        let description = change.description.as_ref().unwrap_or(&before.description);
        let manufacturer = change.manufacturer.as_ref().unwrap_or(&before.manufacturer);
        let (folded, words) = searched(name, manufacturer.as_deref(), description.as_deref());
        let statement = "UPDATE shop_products SET name = COALESCE($1, name), category = COALESCE($2, category),
                price = COALESCE($3, price), description = CASE WHEN CAST($4 AS BIGINT) = 1 THEN $5 ELSE description END,
                manufacturer = CASE WHEN CAST($6 AS BIGINT) = 1 THEN $7 ELSE manufacturer END, folded = $8, words = $9,
                stock_asked = $10, changed_by = $11, changed_at = $12
            WHERE uuid = $13 AND withdrawn_at IS NULL RETURNING id";
        let parameters = [
            change.name.as_deref().into(),
            change.category.as_deref().into(),
            change.price.into(),
            change.description.is_some().into(),
            change.description.as_ref().and_then(|text| text.as_deref()).into(),
            change.manufacturer.is_some().into(),
            change.manufacturer.as_ref().and_then(|text| text.as_deref()).into(),
            folded.into(),
            words.into(),
            change.stock.into(),
            actor.into(),
            now.into(),
            uuid.into(),
        ];
        self.sql.first::<(i64,)>(statement, &parameters).await?.ok_or(Refusal::NoSuchProduct)?;
        self.any(uuid).await
    }

    /// Takes a product off the catalogue: carts and orders that have it stay as they are. Whether it was sold until now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn withdraw(&self, uuid: &str, actor: i64, now: UnixMillis) -> Result<bool, SqlError> {
        let statement = "UPDATE shop_products SET withdrawn_at = $1, changed_at = $1, changed_by = $2
            WHERE uuid = $3 AND withdrawn_at IS NULL RETURNING id";
        Ok(!self.sql.query(statement, &[now.into(), actor.into(), uuid.into()]).await?.is_empty())
    }

    /// The products after `place`, at most `limit`; `None` when the place is another list's. It costs the same at any depth.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        filter: &Filter,
        place: Option<&Place>,
        limit: i64,
    ) -> Result<Option<Vec<Product>>, SqlError> {
        let mut all = filter.conditions(self.sql.dialect());
        if let Some(place) = place
            && filter.behind(place, &mut all).is_none()
        {
            return Ok(None);
        }
        let limit = all.parameter(limit);
        let order = filter.order();
        let statement = if filter.in_stock {
            format!("{PRODUCTS} WHERE {} ORDER BY {order} LIMIT {limit}", all.text)
        } else {
            // First the page, then the stock of what is on it: a plan that no planner has to think about for long.
            let page = format!(
                "(SELECT * FROM shop_products p WHERE {} ORDER BY {order} LIMIT {limit}) p",
                all.text
            );
            format!("{} ORDER BY {order}", PRODUCTS.replace("shop_products p", &page))
        };
        self.sql.fetch(&statement, &all.values).await.map(Some)
    }

    /// The products behind the first `skipped`, at most `limit`, and how many there are in all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn page(
        &self,
        filter: &Filter,
        skipped: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Product>), SqlError> {
        let total = self.count(filter).await?;
        let mut all = filter.conditions(self.sql.dialect());
        let (limit, skipped) = (all.parameter(limit), all.parameter(skipped));
        let statement = format!(
            "{PRODUCTS} WHERE {} ORDER BY {} LIMIT {limit} OFFSET {skipped}",
            all.text,
            filter.order()
        );
        Ok((total, self.sql.fetch(&statement, &all.values).await?))
    }

    /// How many products a filter finds. Those of a category are counted already.
    async fn count(&self, filter: &Filter) -> Result<i64, SqlError> {
        if filter.is_by_category_alone() {
            let statement = "SELECT COALESCE(CAST(SUM(products) AS BIGINT), 0) FROM shop_categories
                WHERE $1 = '' OR name = $1";
            let category = filter.category.as_deref().unwrap_or("");
            let found = self.sql.first::<(i64,)>(statement, &[category.into()]).await?;
            return Ok(found.map_or(0, |(count,)| count));
        }
        let all = filter.conditions(self.sql.dialect());
        let statement = format!(
            "SELECT COUNT(*) FROM shop_products p JOIN shop_stock s ON s.product_id = p.id WHERE {}",
            all.text
        );
        Ok(self.sql.first::<(i64,)>(&statement, &all.values).await?.map_or(0, |(count,)| count))
    }

    /// The categories that have products, by their names; at most `limit` after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn categories(&self, after: &str, limit: i64) -> Result<Vec<Category>, SqlError> {
        let statement = "SELECT name, products FROM shop_categories WHERE products > 0 AND name > $1
            ORDER BY name LIMIT $2";
        self.sql.fetch(statement, &[after.into(), limit.into()]).await
    }
}
