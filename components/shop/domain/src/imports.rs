//! Many products from a file: what can be read of it is kept at once and carried out as jobs, some hundred rows each.

use octo_core::{Clock, Entropy, Sql, SqlError, UnixMillis, async_trait};
use octo_jobs::{Delivery, Failure, Job, Run};
use serde::{Deserialize, Serialize};

use crate::{Key, NewProduct, Shop, product::searched};

/// Rows that are carried out together: a few tenths of a second of a database's time.
const CHUNK: usize = 250;

/// Most rows of an import.
pub const MAX_ROWS: usize = 50_000;

/// Most rows that are wrong and of which is said why.
pub const MAX_WRONG: usize = 1_000;

/// A row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The product's UUID; one that is known is changed.
    pub uuid: String,
    /// The product.
    pub product: NewProduct,
    /// Whether the row says how many there are. If it does not, a product that is known keeps its stock.
    pub has_stock: bool,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongRow {
    /// Its number in the file, from 1.
    pub row: usize,
    /// The member or column, as a JSON pointer.
    pub pointer: String,
    /// The rule.
    pub rule: String,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// What it is called outside.
    pub uuid: String,
    /// Rows that can be carried out.
    pub rows_total: i64,
    /// Rows that were.
    pub rows_done: i64,
    /// Rows that are wrong.
    pub rows_wrong: i64,
    /// What is wrong with the first of them: JSON.
    pub wrong: String,
    /// When it began.
    pub created_at: UnixMillis,
    /// When something was last done.
    pub changed_at: UnixMillis,
}

octo_core::from_row!(Import { uuid, rows_total, rows_done, rows_wrong, wrong, created_at, changed_at });

/// Why an import is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such import.
    #[error("there is no such import")]
    NoSuchImport,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    uuid: &'a str,
    name: &'a str,
    category: &'a str,
    price: i64,
    description: Option<&'a str>,
    manufacturer: Option<&'a str>,
    folded: String,
    words: String,
    stock: Option<i64>,
}

#[derive(Serialize)]
struct WrittenChunk {
    products: String,
    size: usize,
}

/// Begins an import, with its jobs, in one statement; whether an earlier request with the key did.
///
/// # Errors
/// When the key was used for something else, and when the database is away.
pub async fn begin(
    sql: &impl Sql,
    uuid: &str,
    rows: &[Row],
    wrong: &[WrongRow],
    actor: i64,
    key: Option<Key<'_>>,
    now: UnixMillis,
) -> Result<(Import, bool), Refusal> {
    let damaged = |error: serde_json::Error| SqlError::Failed(error.to_string());
    let mut chunks = Vec::new();
    for chunk in rows.chunks(CHUNK) {
        let rows: Vec<_> = chunk.iter().map(WrittenRow::from).collect();
        let products = serde_json::to_string(&rows).map_err(damaged)?;
        chunks.push(WrittenChunk { products, size: rows.len() });
    }
    let told: Vec<_> = wrong.iter().take(MAX_WRONG).collect();
    let statement = "INSERT INTO shop_imports (uuid, actor, chunks, rows_total, rows_wrong, wrong, created_at, changed_at,
            request, fingerprint)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) ON CONFLICT (request) DO NOTHING RETURNING id";
    let mut wrong_rows: Vec<usize> = wrong.iter().map(|wrong| wrong.row).collect();
    wrong_rows.dedup();
    let parameters = [
        uuid.into(),
        actor.into(),
        serde_json::to_string(&chunks).map_err(damaged)?.into(),
        (rows.len() as i64).into(),
        (wrong_rows.len() as i64).into(),
        serde_json::to_string(&told).map_err(damaged)?.into(),
        now.into(),
        key.map(|key| key.key).into(),
        key.map(|key| key.fingerprint).into(),
    ];
    if sql.first::<(i64,)>(statement, &parameters).await?.is_some() {
        return Ok((by_uuid(sql, uuid).await?, false));
    }
    let statement = "SELECT uuid, fingerprint FROM shop_imports WHERE request = $1";
    let earlier: Option<(String, String)> = sql.first(statement, &[key.map(|key| key.key).into()]).await?;
    match (earlier, key) {
        (Some((uuid, fingerprint)), Some(key)) if fingerprint == key.fingerprint => {
            Ok((by_uuid(sql, &uuid).await?, true))
        }
        _ => Err(Refusal::KeyReused),
    }
}

impl<'a> From<&'a Row> for WrittenRow<'a> {
    fn from(row: &'a Row) -> Self {
        let Row { uuid, product, has_stock } = row;
        let (description, manufacturer) = (product.description.as_deref(), product.manufacturer.as_deref());
        let (folded, words) = searched(&product.name, manufacturer, description);
        Self {
            uuid,
            name: &product.name,
            category: &product.category,
            price: product.price,
            description,
            manufacturer,
            folded,
            words,
            stock: has_stock.then_some(product.stock),
        }
    }
}

/// The import with this UUID.
///
/// # Errors
/// When there is none, and when the database is away.
pub async fn by_uuid(sql: &impl Sql, uuid: &str) -> Result<Import, Refusal> {
    let statement =
        "SELECT uuid, rows_total, rows_done, rows_wrong, wrong, created_at, changed_at FROM shop_imports
        WHERE uuid = $1";
    sql.first(statement, &[uuid.into()]).await?.ok_or(Refusal::NoSuchImport)
}

/// Carries out a part of an import.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ImportProducts {
    chunk: i64,
}

impl Job for ImportProducts {
    const QUEUE: &'static str = "shop/imports";
    const NAME: &'static str = "import-products/1";
    type Reply = ();
}

#[async_trait]
impl<'a, S: Sql, C: Clock, E: Entropy> Run<Shop<'a, S, C, E>> for ImportProducts {
    async fn run(self, _: &Delivery, shop: &Shop<'a, S, C, E>) -> Result<(), Failure> {
        // Once, with its products: they are made by the trigger of this.
        let statement = "UPDATE shop_import_chunks SET done_at = $1 WHERE id = $2 AND done_at IS NULL";
        shop.sql.query(statement, &[shop.clock.now().into(), self.chunk.into()]).await?;
        Ok(())
    }
}
