//! How the original shop shows things, and what it sends to a request that no route takes.

use http::StatusCode;
use octo_core::UnixMillis;
use octo_http::{
    Error, Request, Response,
    api::Mismatch,
    fastapi::{self, INTEGER, Kind, Rule, greater_than_0},
    respond,
};
use octo_shop::{Line, Order, checkout::Refusal, orders::OrderLine, product::MAX_QUANTITY};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problems::of_checkout;

/// An amount as the original's clients read it: a number.
pub fn number(minor: i64) -> f64 {
    minor as f64 / 100.0
}

/// A time as the original's clock writes it: microseconds and no zone.
pub fn time(at: UnixMillis) -> String {
    at.to_string().replace('Z', "000")
}

/// A text for people.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreMessage)]
pub struct Message {
    /// The text.
    pub message: String,
}

/// 200, with a text for people.
pub fn message(text: impl Into<String>) -> Response {
    respond::json(StatusCode::OK, &Message { message: text.into() })
}

/// An account as `auth` shows it to the original's clients, the keys in the original's order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StoreUser)]
pub struct User {
    /// What it is called.
    #[schema(example = "ada")]
    pub username: String,
    full_name: String,
    phone: String,
    #[schema(example = "00000007")]
    id: String,
    created_at: String,
    /// What its orders that are not canceled come to.
    #[schema(example = 301.0)]
    pub total_spent: f64,
    is_admin: bool,
}

/// Whether a service is there.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreHealth)]
pub struct Health {
    status: &'static str,
    service: &'static str,
}

/// 200: the service of this name is there.
pub fn healthy(service: &'static str) -> Response {
    respond::json(StatusCode::OK, &Health { status: "ok", service })
}

/// A line of a cart, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreCartItem)]
pub struct Item {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    id: String,
    product_id: String,
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = 150.5)]
    price: f64,
    #[schema(example = 2)]
    quantity: i64,
    #[schema(example = 301.0)]
    total_price: f64,
}

impl From<&Line> for Item {
    fn from(of: &Line) -> Self {
        Self {
            id: of.uuid.clone(),
            product_id: of.product.clone(),
            name: of.name.clone(),
            price: number(of.price_seen),
            quantity: of.quantity,
            total_price: number(of.total()),
        }
    }
}

impl Item {
    /// The same for a line of which only the price at which it was put there is known.
    pub fn as_seen(line: &octo_shop::cart::OthersLine) -> Self {
        Self {
            id: line.uuid.clone(),
            product_id: line.product.clone(),
            name: line.name.clone(),
            price: number(line.price_seen),
            quantity: line.quantity,
            total_price: number(line.price_seen.saturating_mul(line.quantity)),
        }
    }
}

/// A cart.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreCart)]
pub struct Cart {
    /// Its lines.
    pub items: Vec<Item>,
    /// What they come to.
    pub total: f64,
}

impl From<&[Line]> for Cart {
    fn from(lines: &[Line]) -> Self {
        let total = lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.total()));
        Self { items: lines.iter().map(Item::from).collect(), total: number(total) }
    }
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreOrderItem)]
pub struct OrderItem {
    product_id: String,
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = 150.5)]
    price: f64,
    #[schema(example = 2)]
    quantity: i64,
}

impl From<&OrderLine> for OrderItem {
    fn from(of: &OrderLine) -> Self {
        Self {
            product_id: of.product.clone(),
            name: of.name.clone(),
            price: number(of.price),
            quantity: of.quantity,
        }
    }
}

/// An order, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreOrder)]
pub struct OrderBody {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    id: String,
    /// The name of the user.
    #[schema(example = "ada")]
    user_id: String,
    items: Vec<OrderItem>,
    #[schema(example = 301.0)]
    total: f64,
    #[schema(example = "CREATED")]
    status: &'static str,
    #[schema(example = "2026-11-27T10:15:30.123000")]
    created_at: String,
    updated_at: String,
}

impl From<&Order> for OrderBody {
    fn from(of: &Order) -> Self {
        Self {
            id: of.uuid.clone(),
            user_id: of.customer.clone(),
            items: of.lines.iter().map(OrderItem::from).collect(),
            total: number(of.total),
            status: of.status.name(),
            created_at: time(of.created_at),
            updated_at: time(of.changed_at),
        }
    }
}

/// How many of a product are wanted.
pub const QUANTITY: Kind<i64> = Kind::new(|value| match INTEGER.read(value)? {
    ..=0 => Err(greater_than_0()),
    quantity if quantity <= MAX_QUANTITY => Ok(quantity),
    _ => Err(Rule::new("less_than_equal", "Input should be less than or equal to 1000000000")
        .with("le", MAX_QUANTITY)),
});

/// 404: there is no such product.
pub fn no_such_product(uuid: &str) -> Response {
    fastapi::detail(StatusCode::NOT_FOUND, format!("Product with id {uuid} not found"))
}

/// Why there is no order, as the original's clients are told.
pub fn order_refused(refusal: Refusal) -> Error {
    let bad = |text: &str| fastapi::detail(StatusCode::BAD_REQUEST, text).into();
    match refusal {
        Refusal::Empty => bad("Cart is empty"),
        Refusal::NoSuchProduct(uuid) => no_such_product(&uuid).into(),
        Refusal::Missing(quote) => match quote.missing().find(|line| line.available == 0 && !line.is_sold) {
            Some(line) => no_such_product(&line.what.product).into(),
            None => bad("Not enough items in stock"),
        },
        refusal => of_checkout(refusal).into(),
    }
}

/// What there is to say of profiling.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreProfiling)]
pub struct Profiling {
    enabled: bool,
}

/// What the original's profiler has written.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreProfiles)]
pub struct Profiles {
    profiles: [String; 0],
}

/// 200: the original's profiler does not run. Octo has none.
pub fn no_profiling() -> Response {
    respond::json(StatusCode::OK, &Profiling { enabled: false })
}

/// 200: it has written nothing.
pub fn no_profiles() -> Response {
    respond::json(StatusCode::OK, &Profiles { profiles: [] })
}

/// What the original sends to a request under `prefix` that no route takes; `slashed` are its routes that end with a slash.
/// Its redirects lose the prefix; ours keep it.
pub fn refused(
    request: &Request,
    mismatch: Mismatch<'_>,
    prefix: &str,
    slashed: &[&str],
) -> Option<Response> {
    let path = request.uri().path();
    if path == prefix {
        return Some(fastapi::moved(&format!("{prefix}/")));
    }
    let rest = path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))?;
    Some(match mismatch {
        Mismatch::Path if slashed.contains(&rest) => fastapi::redirect(request, &format!("{path}/")),
        Mismatch::Path => fastapi::not_found(),
        Mismatch::Method(allow) => fastapi::method_not_allowed(allow),
        Mismatch::Slash => fastapi::redirect(request, path.trim_end_matches('/')),
    })
}
