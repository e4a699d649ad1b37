//! From a cart to an order, in one statement.

use octo_core::{Clock, Entropy, Sql, SqlError, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    Carts, Config, Customer, Key, Line, Order, Orders, Status,
    catalogue::PRODUCTS,
    orders::{self, OrderLine},
    product::Product,
};

/// How often an order is tried anew because something changed between the look at the cart and the order.
const ATTEMPTS: usize = 40;

/// Who orders, and on what terms.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// Whose order it is.
    pub customer: Customer,
    /// What the customer is called.
    pub name: String,
    /// Whether the customer has paid access, which may give a discount.
    pub paid_access: bool,
}

/// What a customer agrees to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// For each product no more than it cost when it was put into the cart.
    AsSeen,
    /// No more than this in all, in kopecks.
    UpTo(i64),
    /// Whatever it costs.
    Any,
}

/// A line as it would be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedLine {
    /// The line of the cart; `None` where the order is not from a cart.
    pub line: Option<i64>,
    /// The product's number.
    pub product_id: i64,
    /// What is ordered, and at which price.
    pub what: OrderLine,
    /// What one cost when the customer put it there.
    pub price_seen: i64,
    /// How many of the product can be had; 0 when it is not sold any more.
    pub available: i64,
    /// Whether it is sold at all.
    pub is_sold: bool,
}

/// What an order would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Its lines.
    pub lines: Vec<QuotedLine>,
    /// What the lines come to that can be bought, in kopecks.
    pub subtotal: i64,
    /// What is taken off.
    pub discount: i64,
}

impl Quote {
    fn of(lines: Vec<QuotedLine>, discount: impl FnOnce(i64) -> i64) -> Self {
        let sold = lines.iter().filter(|line| line.is_sold);
        let subtotal = sold.fold(0_i64, |sum, line| sum.saturating_add(line.what.total()));
        Self { lines, subtotal, discount: discount(subtotal) }
    }

    /// What is to be paid.
    pub fn total(&self) -> i64 {
        self.subtotal - self.discount
    }

    /// How many of a product the quote has in all.
    fn wanted(&self, product: i64) -> i64 {
        let lines = self.lines.iter().filter(|line| line.product_id == product);
        lines.fold(0, |sum, line| sum.saturating_add(line.what.quantity))
    }

    /// The lines of which there is not enough.
    pub fn missing(&self) -> impl Iterator<Item = &QuotedLine> {
        self.lines.iter().filter(|line| self.wanted(line.product_id) > line.available)
    }

    /// The lines whose product costs more than when it was put into the cart.
    pub fn risen(&self) -> impl Iterator<Item = &QuotedLine> {
        self.lines.iter().filter(|line| line.what.price > line.price_seen)
    }

    fn is_within(&self, agreement: Agreement) -> bool {
        match agreement {
            Agreement::AsSeen => self.risen().next().is_none(),
            Agreement::UpTo(most) => self.total() <= most,
            Agreement::Any => true,
        }
    }
}

/// Why there is no order.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is nothing to order.
    #[error("the cart is empty")]
    Empty,
    /// There is no such product.
    #[error("there is no product {0}")]
    NoSuchProduct(String),
    /// Something is not sold any more, or there is not enough of it.
    #[error("something cannot be had")]
    Missing(Quote),
    /// It costs more than the customer agreed to.
    #[error("it costs more")]
    Dearer(Quote),
    /// It costs more than can be reckoned with.
    #[error("it costs too much")]
    TooMuch,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl From<orders::Refusal> for Refusal {
    fn from(refusal: orders::Refusal) -> Self {
        match refusal {
            orders::Refusal::Sql(error) => Self::Sql(error),
            _ => Self::Sql(SqlError::damaged("an order")),
        }
    }
}

/// Makes orders.
#[derive(Debug)]
pub struct Checkout<'a, S, C, E> {
    /// Where everything is.
    pub sql: &'a S,
    /// The time.
    pub clock: &'a C,
    /// What the names of orders are made of.
    pub entropy: &'a E,
    /// The variables.
    pub config: &'a Config,
}

/// What is to be ordered.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// Everything in the cart.
    Cart,
    /// Products by their UUIDs, and how many of each.
    Products(&'a [(String, i64)]),
}

/// A line as the statement takes it.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    position: usize,
    product: i64,
    line: Option<i64>,
    price: i64,
    quantity: i64,
    uuid: &'a str,
    name: &'a str,
}

impl<S: Sql, C: Clock, E: Entropy> Checkout<'_, S, C, E> {
    /// What an order of everything in the cart would come to. Nothing is ordered.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn quote(&self, customer: &Customer, paid_access: bool) -> Result<Quote, SqlError> {
        let lines = Carts::new(self.sql).lines(customer).await?;
        Ok(Quote::of(lines.iter().map(QuotedLine::from).collect(), |total| {
            self.config.discount(total, paid_access)
        }))
    }

    /// Orders everything in the cart. Whether an earlier request with the key did it.
    ///
    /// # Errors
    /// When the cart is empty, something cannot be had, it costs more than agreed, the key was used for something else, and
    /// when the database is away. Only with a key is it safe to ask again after that.
    pub async fn order_cart(
        &self,
        buyer: &Buyer,
        agreement: Agreement,
        key: Option<Key<'_>>,
    ) -> Result<(Order, bool), Refusal> {
        self.until_it_holds(buyer, Wanted::Cart, agreement, key).await
    }

    /// Orders products that are in no cart, at their prices: UUIDs and quantities.
    ///
    /// # Errors
    /// As [`order_cart`](Self::order_cart), and when there is no such product.
    pub async fn order_products(
        &self,
        buyer: &Buyer,
        wanted: &[(String, i64)],
        key: Option<Key<'_>>,
    ) -> Result<(Order, bool), Refusal> {
        self.until_it_holds(buyer, Wanted::Products(wanted), Agreement::Any, key).await
    }

    async fn quote_of(&self, buyer: &Buyer, wanted: Wanted<'_>) -> Result<Quote, Refusal> {
        let wanted = match wanted {
            Wanted::Cart => return Ok(self.quote(&buyer.customer, buyer.paid_access).await?),
            Wanted::Products(wanted) => wanted,
        };
        let mut lines = Vec::with_capacity(wanted.len());
        for (uuid, quantity) in wanted {
            let statement = format!("{PRODUCTS} WHERE p.uuid = $1 AND p.withdrawn_at IS NULL");
            let product: Option<Product> = self.sql.first(&statement, &[uuid.as_str().into()]).await?;
            let product = product.ok_or_else(|| Refusal::NoSuchProduct(uuid.clone()))?;
            lines.push(QuotedLine {
                line: None,
                product_id: product.id,
                what: OrderLine {
                    product: product.uuid,
                    name: product.name,
                    price: product.price,
                    quantity: *quantity,
                },
                price_seen: product.price,
                available: product.stock,
                is_sold: true,
            });
        }
        Ok(Quote::of(lines, |total| self.config.discount(total, buyer.paid_access)))
    }

    async fn until_it_holds(
        &self,
        buyer: &Buyer,
        wanted: Wanted<'_>,
        agreement: Agreement,
        key: Option<Key<'_>>,
    ) -> Result<(Order, bool), Refusal> {
        for _ in 0..ATTEMPTS {
            let quote = self.quote_of(buyer, wanted).await;
            // After the look at the cart: what another request with the key ordered may not be in it any more.
            if let Some(order) = self.earlier(key).await? {
                return Ok((order, true));
            }
            let quote = quote?;
            if quote.lines.is_empty() {
                return Err(Refusal::Empty);
            }
            if quote.missing().next().is_some() {
                return Err(Refusal::Missing(quote));
            }
            if !quote.is_within(agreement) {
                return Err(Refusal::Dearer(quote));
            }
            if quote.subtotal > orders::MAX_TOTAL {
                return Err(Refusal::TooMuch);
            }
            match self.place(buyer, &quote, key, self.clock.now()).await {
                Ok(Some(id)) => return Ok((Orders::new(self.sql).by_id(id).await?, false)),
                // The same request was carried out meanwhile, or somebody bought, changed a price or the cart.
                Ok(None) | Err(SqlError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Refusal::Sql(SqlError::Busy))
    }

    async fn earlier(&self, key: Option<Key<'_>>) -> Result<Option<Order>, Refusal> {
        let Some(key) = key else { return Ok(None) };
        let statement = "SELECT id, fingerprint FROM shop_orders WHERE request = $1";
        match self.sql.first::<(i64, String)>(statement, &[key.key.into()]).await? {
            Some((id, fingerprint)) if fingerprint == key.fingerprint => {
                Ok(Some(Orders::new(self.sql).by_id(id).await?))
            }
            Some(_) => Err(Refusal::KeyReused),
            None => Ok(None),
        }
    }

    /// The one statement. `None` when the key is known.
    async fn place(
        &self,
        buyer: &Buyer,
        quote: &Quote,
        key: Option<Key<'_>>,
        now: UnixMillis,
    ) -> Result<Option<i64>, SqlError> {
        let lines = quote.lines.iter().enumerate().map(|(position, line)| Written {
            position,
            product: line.product_id,
            line: line.line,
            price: line.what.price,
            quantity: line.what.quantity,
            uuid: &line.what.product,
            name: &line.what.name,
        });
        let lines: Vec<Written<'_>> = lines.collect();
        let text = serde_json::to_string(&lines).map_err(|error| SqlError::Failed(error.to_string()))?;
        let customer = &buyer.customer;
        let statement =
            "INSERT INTO shop_orders (uuid, owner, account_id, customer, status, total, discount, lines,
                line_count, revision, next_at, created_at, changed_by, changed_at, request, fingerprint)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $11, $13, $14)
            ON CONFLICT (request) DO NOTHING RETURNING id";
        let parameters = [
            crate::uuid(self.entropy).into(),
            customer.owner().into(),
            customer.account().into(),
            buyer.name.as_str().into(),
            Status::Created.name().into(),
            quote.total().into(),
            quote.discount.into(),
            text.into(),
            (lines.len() as i64).into(),
            (now + self.config.processing).into(),
            now.into(),
            customer.number().into(),
            key.map(|key| key.key).into(),
            key.map(|key| key.fingerprint).into(),
        ];
        Ok(self.sql.first::<(i64,)>(statement, &parameters).await?.map(|(id,)| id))
    }
}

impl From<&Line> for QuotedLine {
    fn from(line: &Line) -> Self {
        Self {
            line: Some(line.id),
            product_id: line.product_id,
            what: OrderLine {
                product: line.product.clone(),
                name: line.name.clone(),
                price: line.price,
                quantity: line.quantity,
            },
            price_seen: line.price_seen,
            available: if line.withdrawn { 0 } else { line.stock },
            is_sold: !line.withdrawn,
        }
    }
}
