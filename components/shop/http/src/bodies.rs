//! How our own routes show carts and orders. Times are RFC 3339, money is decimal text with its currency.

use octo_http::money::{MoneyBody, roubles};
use octo_shop::{
    Order, Status,
    checkout::{Quote, QuotedLine},
    orders::{OrderEvent, OrderLine},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a price since the product was put into the cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceChange)]
pub enum PriceChange {
    /// It costs more now.
    Rose,
    /// It costs less now.
    Fell,
}

/// A product in a cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CartItem)]
pub struct CartItemBody {
    /// The product.
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = 2)]
    quantity: i64,
    /// What one costs now.
    price: MoneyBody,
    /// What one cost when it was put into the cart.
    price_seen: MoneyBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    price_change: Option<PriceChange>,
    /// How many can be had; 0 when it is not sold any more.
    #[schema(example = 40)]
    available: i64,
    /// Whether there is enough of it.
    can_be_ordered: bool,
    /// What the line costs now.
    total: MoneyBody,
}

/// A cart, and what an order of it would come to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartBody {
    /// One line for each product.
    items: Vec<CartItemBody>,
    /// What the lines that can be had come to.
    subtotal: MoneyBody,
    /// What is taken off, for those who have paid access.
    discount: MoneyBody,
    /// What is to be paid.
    total: MoneyBody,
    /// Whether an order would be taken now: nothing is missing, and nothing costs more than it did.
    can_be_ordered: bool,
}

impl From<&Quote> for CartBody {
    fn from(quote: &Quote) -> Self {
        let mut products: Vec<&QuotedLine> = Vec::new();
        for line in &quote.lines {
            if !products.iter().any(|known| known.product_id == line.product_id) {
                products.push(line);
            }
        }
        let item = |first: &&QuotedLine| {
            let same: Vec<_> =
                quote.lines.iter().filter(|line| line.product_id == first.product_id).collect();
            let quantity = same.iter().fold(0_i64, |sum, line| sum.saturating_add(line.what.quantity));
            let price = first.what.price;
            // Of several lines the lowest price is what the customer has seen.
            let seen = same.iter().map(|line| line.price_seen).min().unwrap_or(price);
            CartItemBody {
                product_id: first.what.product.clone(),
                name: first.what.name.clone(),
                quantity,
                price: roubles(price),
                price_seen: roubles(seen),
                price_change: match price.cmp(&seen) {
                    std::cmp::Ordering::Less => Some(PriceChange::Fell),
                    std::cmp::Ordering::Equal => None,
                    std::cmp::Ordering::Greater => Some(PriceChange::Rose),
                },
                available: first.available,
                can_be_ordered: quantity <= first.available,
                total: roubles(if first.is_sold { price.saturating_mul(quantity) } else { 0 }),
            }
        };
        Self {
            items: products.iter().map(item).collect(),
            subtotal: roubles(quote.subtotal),
            discount: roubles(quote.discount),
            total: roubles(quote.total()),
            can_be_ordered: !quote.lines.is_empty()
                && quote.missing().next().is_none()
                && quote.risen().next().is_none(),
        }
    }
}

/// A line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderLine)]
pub struct OrderLineBody {
    /// The product.
    product_id: String,
    /// What it was called.
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = 2)]
    quantity: i64,
    /// What one cost.
    price: MoneyBody,
    /// What the line cost.
    total: MoneyBody,
}

impl From<&OrderLine> for OrderLineBody {
    fn from(of: &OrderLine) -> Self {
        Self {
            product_id: of.product.clone(),
            name: of.name.clone(),
            quantity: of.quantity,
            price: roubles(of.price),
            total: roubles(of.total()),
        }
    }
}

/// How an order stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStatus)]
pub enum StatusBody {
    /// It was made.
    Created,
    /// It is put together.
    Processing,
    /// It is on its way.
    Shipping,
    /// It has arrived.
    Delivered,
    /// It was canceled.
    Canceled,
}

impl StatusBody {
    /// The status of this name.
    pub fn named(name: &str) -> Option<Status> {
        Some(match name {
            "created" => Status::Created,
            "processing" => Status::Processing,
            "shipping" => Status::Shipping,
            "delivered" => Status::Delivered,
            "canceled" => Status::Canceled,
            _ => return None,
        })
    }
}

impl From<Status> for StatusBody {
    fn from(of: Status) -> Self {
        match of {
            Status::Created => Self::Created,
            Status::Processing => Self::Processing,
            Status::Shipping => Self::Shipping,
            Status::Delivered => Self::Delivered,
            Status::Canceled => Self::Canceled,
        }
    }
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderBody {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    id: String,
    /// The number of the account whose it is; null when there is none, or none any more.
    #[schema(required, example = 7)]
    account_id: Option<i64>,
    /// What the customer is called.
    #[schema(example = "ada")]
    customer: String,
    status: StatusBody,
    items: Vec<OrderLineBody>,
    /// What was taken off.
    discount: MoneyBody,
    /// What was to be paid.
    total: MoneyBody,
    #[schema(format = DateTime)]
    created_at: String,
    /// When its status last changed.
    #[schema(format = DateTime)]
    changed_at: String,
    /// When its next status follows by itself; null when none does.
    #[schema(required, format = DateTime)]
    next_at: Option<String>,
}

impl From<&Order> for OrderBody {
    fn from(of: &Order) -> Self {
        Self {
            id: of.uuid.clone(),
            account_id: of.account_id,
            customer: of.customer.clone(),
            status: of.status.into(),
            items: of.lines.iter().map(OrderLineBody::from).collect(),
            discount: roubles(of.discount),
            total: roubles(of.total),
            created_at: of.created_at.to_string(),
            changed_at: of.changed_at.to_string(),
            next_at: of.next_at.map(|at| at.to_string()),
        }
    }
}

/// A line of an order's timeline.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderEvent)]
pub struct OrderEventBody {
    id: i64,
    /// The status that it got.
    status: StatusBody,
    /// The account that gave it; 0 for Octo itself.
    #[schema(example = 0)]
    actor: i64,
    #[schema(format = DateTime)]
    at: String,
}

impl From<&OrderEvent> for OrderEventBody {
    fn from(of: &OrderEvent) -> Self {
        Self { id: of.id, status: of.status.into(), actor: of.actor, at: of.at.to_string() }
    }
}
