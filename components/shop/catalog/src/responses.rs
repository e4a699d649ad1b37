//! Our own responses. Times are RFC 3339, money is decimal text with its currency.

use octo_core::UnixMillis;
use octo_http::money::{MoneyBody, roubles};
use octo_shop::{
    Product,
    catalogue::Category,
    imports::{Import, WrongRow},
    stock::StockChange,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A product.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductBody {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    id: String,
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = "Молочные продукты")]
    category: String,
    price: MoneyBody,
    /// How many there are.
    #[schema(example = 40)]
    stock: i64,
    #[schema(required)]
    description: Option<String>,
    #[schema(required)]
    manufacturer: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    changed_at: String,
}

impl From<&Product> for ProductBody {
    fn from(of: &Product) -> Self {
        Self {
            id: of.uuid.clone(),
            name: of.name.clone(),
            category: of.category.clone(),
            price: roubles(of.price),
            stock: of.stock,
            description: of.description.clone(),
            manufacturer: of.manufacturer.clone(),
            created_at: of.created_at.to_string(),
            changed_at: of.changed_at.to_string(),
        }
    }
}

/// A category.
#[derive(Serialize, ToSchema)]
#[schema(as = Category)]
pub(crate) struct CategoryBody {
    #[schema(example = "Молочные продукты")]
    name: String,
    /// How many products it has.
    #[schema(example = 120)]
    products: i64,
}

impl From<&Category> for CategoryBody {
    fn from(of: &Category) -> Self {
        Self { name: of.name.clone(), products: of.products }
    }
}

/// A change of a product's stock.
#[derive(Serialize, ToSchema)]
#[schema(as = StockChange)]
pub(crate) struct StockChangeBody {
    id: i64,
    /// What was added, or taken away.
    #[schema(example = -2)]
    change: i64,
    /// The stock afterwards.
    #[schema(example = 38)]
    stock: i64,
    /// `initial`, `set`, `correction`, `order` or `cancellation`.
    #[schema(example = "order")]
    reason: String,
    /// What a person says of it.
    note: String,
    /// The order that it is for.
    #[schema(required)]
    order: Option<String>,
    /// The account that did it; 0 for Octo itself.
    actor: i64,
    #[schema(format = DateTime)]
    at: String,
}

impl From<&StockChange> for StockChangeBody {
    fn from(of: &StockChange) -> Self {
        Self {
            id: of.id,
            change: of.change,
            stock: of.stock,
            reason: of.reason.clone(),
            note: of.note.clone(),
            order: of.order.clone(),
            actor: of.actor,
            at: UnixMillis::to_string(&of.at),
        }
    }
}

/// Whether the ledger of the stock adds up.
#[derive(Serialize, ToSchema)]
#[schema(as = StockCheck)]
pub(crate) struct CheckBody {
    /// Whether it does.
    pub(crate) balances: bool,
    /// The numbers of products for which it does not: the first hundred.
    pub(crate) wrong: Vec<i64>,
}

/// What is wrong with a row of an import.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportError)]
pub(crate) struct WrongRowBody {
    /// The row's number, from 1; the line with the names does not count.
    row: usize,
    #[schema(example = "/price")]
    pointer: String,
    #[schema(example = "is required")]
    rule: String,
}

/// How an import stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportState)]
pub(crate) enum ImportState {
    /// Its rows are being carried out.
    Running,
    /// All rows that could be were carried out.
    Done,
}

/// An import.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportBody {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    pub(crate) id: String,
    state: ImportState,
    /// Rows that can be carried out.
    rows: i64,
    /// Rows that were.
    done: i64,
    /// Rows that are wrong, and were left out.
    wrong: i64,
    /// What is wrong with them: the first thousand rules that are broken.
    errors: Vec<WrongRowBody>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    changed_at: String,
}

impl From<&Import> for ImportBody {
    fn from(of: &Import) -> Self {
        let wrong: Vec<WrongRow> = serde_json::from_str(&of.wrong).unwrap_or_default();
        let error = |WrongRow { row, pointer, rule }| WrongRowBody { row, pointer, rule };
        Self {
            id: of.uuid.clone(),
            state: if of.rows_done < of.rows_total { ImportState::Running } else { ImportState::Done },
            rows: of.rows_total,
            done: of.rows_done,
            wrong: of.rows_wrong,
            errors: wrong.into_iter().map(error).collect(),
            created_at: of.created_at.to_string(),
            changed_at: of.changed_at.to_string(),
        }
    }
}
