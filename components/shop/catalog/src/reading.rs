//! What requests say of products.

use octo_core::{Hundredths, Problem};
use octo_http::body::Fields;
use octo_shop::{
    NewProduct,
    product::{self, Change, MAX_QUANTITY},
};
use serde_json::Value;
use utoipa::ToSchema;

/// A product to be added.
#[derive(ToSchema)]
#[schema(as = NewProduct)]
#[allow(dead_code)]
pub(crate) struct NewProductBody {
    /// 1 to 200 characters.
    #[schema(example = "Молоко")]
    name: String,
    /// 1 to 200 characters.
    #[schema(example = "Молочные продукты")]
    category: String,
    /// In roubles: a decimal with at most 8 digits before the point and 2 after it, as text or as a number.
    #[schema(example = "150.50")]
    price: String,
    /// How many there are: 0 to 1000000000; 0 when it is not given.
    #[schema(example = 40)]
    stock: Option<i64>,
    /// At most 4000 characters.
    description: Option<String>,
    /// 1 to 200 characters.
    manufacturer: Option<String>,
}

/// What is to be changed of a product.
#[derive(ToSchema)]
#[schema(as = ProductChange)]
#[allow(dead_code)]
pub(crate) struct ChangeBody {
    name: Option<String>,
    category: Option<String>,
    /// In roubles: a decimal as text or as a number.
    #[schema(example = "149.90")]
    price: Option<String>,
    /// How many there are. To add or take away some, correct the stock.
    stock: Option<i64>,
    /// Null removes it.
    description: Option<String>,
    /// Null removes it.
    manufacturer: Option<String>,
}

/// The product that the members of a body, or the cells of a row, describe; and whether they say how many there are.
pub(crate) fn new_product(mut fields: Fields) -> Result<(NewProduct, bool), Problem> {
    let name = fields.text("name", |text| product::name(&text));
    let category = fields.text("category", |text| product::name(&text));
    let price = fields.decimal("price");
    let has_stock = fields.has("stock");
    let stock = fields.maybe_whole_number_within("stock", 0..=MAX_QUANTITY);
    let description = fields.maybe_text("description", |text| product::description(&text));
    let manufacturer = fields.maybe_text("manufacturer", |text| product::name(&text));
    let values = name.zip(category).zip(price.zip(stock)).zip(description.zip(manufacturer));
    let (((name, category), (Hundredths(price), stock)), (description, manufacturer)) =
        fields.finish(values)?;
    let new = NewProduct { name, category, price, stock: stock.unwrap_or(0), description, manufacturer };
    Ok((new, has_stock && stock.is_some()))
}

/// What the members of a body change. Null removes a text that need not be there, and says nothing otherwise.
pub(crate) fn change(mut fields: Fields) -> Result<Change, Problem> {
    let name = fields.maybe_text("name", |text| product::name(&text));
    let category = fields.maybe_text("category", |text| product::name(&text));
    let price = fields.maybe_decimal("price");
    let stock = fields.maybe_whole_number_within("stock", 0..=MAX_QUANTITY);
    let removable = |is_there: bool, value: Option<String>| is_there.then_some(value);
    let has = [fields.has("description"), fields.has("manufacturer")];
    let description = fields.maybe_text("description", |text| product::description(&text));
    let manufacturer = fields.maybe_text("manufacturer", |text| product::name(&text));
    let values = name.zip(category).zip(price.zip(stock)).zip(description.zip(manufacturer));
    let (((name, category), (price, stock)), (description, manufacturer)) = fields.finish(values)?;
    Ok(Change {
        name,
        category,
        price: price.map(|Hundredths(price)| price),
        stock,
        description: removable(has[0], description),
        manufacturer: removable(has[1], manufacturer),
    })
}

/// A cell of a table as the member of a body that it would be. An empty one is none.
pub(crate) fn cell(name: &str, text: &str) -> Option<Value> {
    match (name, text) {
        (_, "") => None,
        ("stock", text) => Some(text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)),
        (_, text) => Some(Value::from(text)),
    }
}
