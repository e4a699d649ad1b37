//! Products, and the rules of what they consist of.

use octo_core::UnixMillis;

use crate::search;

/// Longest name, category and manufacturer, in characters.
pub const MAX_NAME: usize = 200;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 4_000;
/// Highest price, in kopecks: eight digits before the point.
pub const MAX_PRICE: i64 = 9_999_999_999;
/// Most of one product that there may be, or that a line may have.
pub const MAX_QUANTITY: i64 = 1_000_000_000;

/// A product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its number.
    pub id: i64,
    /// What it is called outside.
    pub uuid: String,
    /// What it is.
    pub name: String,
    /// Of what kind.
    pub category: String,
    /// In kopecks.
    pub price: i64,
    /// How many there are.
    pub stock: i64,
    /// More about it.
    pub description: Option<String>,
    /// Who makes it.
    pub manufacturer: Option<String>,
    /// When it was added.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub changed_at: UnixMillis,
    /// Since when it is not sold any more.
    pub withdrawn_at: Option<UnixMillis>,
}

octo_core::from_row!(Product {
    id,
    uuid,
    name,
    category,
    price,
    stock,
    description,
    manufacturer,
    created_at,
    changed_at,
    withdrawn_at,
});

/// A product that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    /// What it is.
    pub name: String,
    /// Of what kind.
    pub category: String,
    /// In kopecks, from 1 to [`MAX_PRICE`].
    pub price: i64,
    /// How many there are, from 0 to [`MAX_QUANTITY`].
    pub stock: i64,
    /// More about it.
    pub description: Option<String>,
    /// Who makes it.
    pub manufacturer: Option<String>,
}

/// What is to be changed of a product. `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What it is.
    pub name: Option<String>,
    /// Of what kind.
    pub category: Option<String>,
    /// In kopecks.
    pub price: Option<i64>,
    /// How many there are.
    pub stock: Option<i64>,
    /// More about it; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// Who makes it; `Some(None)` removes it.
    pub manufacturer: Option<Option<String>>,
}

impl Change {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What searches go by, and the words of it.
pub(crate) fn searched(
    name: &str,
    manufacturer: Option<&str>,
    description: Option<&str>,
) -> (String, String) {
    let texts = [Some(name), manufacturer, description];
    let folded: Vec<String> = texts.into_iter().flatten().map(search::folded).collect();
    let folded = folded.join("\n");
    let words = search::index(&folded);
    (folded, words)
}

/// The rule that a value of a product breaks, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A name, a category or a manufacturer.
    #[error("must have 1 to 200 characters, and no control characters")]
    Name,
    /// A description.
    #[error("must have at most 4000 characters, and no NUL")]
    Description,
}

/// A name, a category or a manufacturer, without the spaces around it.
///
/// # Errors
/// The rule that it breaks.
pub fn name(text: &str) -> Result<String, Broken> {
    let text = text.trim();
    let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Broken::Name) }
}

/// A description.
///
/// # Errors
/// The rule that it breaks.
pub fn description(text: &str) -> Result<String, Broken> {
    let fits = text.chars().count() <= MAX_DESCRIPTION && !text.contains('\0');
    if fits { Ok(text.to_owned()) } else { Err(Broken::Description) }
}
