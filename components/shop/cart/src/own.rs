//! Our own routes for customers.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use octo_core::{Clock, Hundredths};
use octo_http::{
    App, Error, Items, Response,
    body::Fields,
    extract::Whole,
    idempotency::{Fingerprint, IdempotencyKey, Scope},
    respond,
};
use octo_shop::{
    Carts, Key,
    cart::{Way, Which},
    checkout::Agreement,
    product::MAX_QUANTITY,
    views,
};
use octo_shop_http::{
    bodies::{CartBody, OrderBody},
    config,
    problems::{no_such_product, of_cart, of_checkout},
    shopper::{Shopper, Visitor},
    sql,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A product that comes into the cart.
#[derive(ToSchema)]
#[schema(as = NewCartItem)]
#[allow(dead_code)]
pub(crate) struct AddBody {
    /// The product.
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
    /// How many: 1 to 1000000000; 1 when it is not given.
    #[schema(example = 2)]
    quantity: Option<i64>,
}

/// How many of a product the cart has.
#[derive(ToSchema)]
#[schema(as = CartQuantity)]
#[allow(dead_code)]
pub(crate) struct QuantityBody {
    /// 1 to 1000000000.
    #[schema(example = 2)]
    quantity: i64,
}

/// The visitor's cart as it is now.
async fn shown(app: &App, visitor: Visitor) -> Result<Response, Error> {
    let (sql, config) = (sql(app), config(app)?);
    let shopper = &visitor.shopper;
    let checkout = octo_shop_http::checkout(app, &sql, &config);
    let quote = checkout.quote(&shopper.customer, shopper.paid_access).await?;
    Ok(visitor.remembered(respond::json(StatusCode::OK, &CartBody::from(&quote))))
}

/// See the cart
///
/// With the prices and the stock as they are now. A visitor without an account has a cart too, by the cookie `cart`, and
/// takes it along when logging in.
#[utoipa::path(
    get, path = "/shop/cart", tag = "cart", operation_id = "getCart",
    responses((status = 200, description = "The cart.", body = CartBody)),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn cart(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    shown(&app, visitor).await
}

fn product_id(text: &str) -> Result<String, &'static str> {
    Uuid::try_parse(text).map(|uuid| uuid.to_string()).map_err(|_| "must be a UUID")
}

/// Put a product into the cart
///
/// What the cart has of it already stays. The stock is not kept for the customer until the order is made.
#[utoipa::path(
    post, path = "/shop/cart/items", tag = "cart", operation_id = "addToCart",
    request_body = AddBody,
    responses(
        (status = 200, description = "The cart as it is now.", body = CartBody),
        (status = 404, description = "There is no such product, or it is not sold any more."),
        (status = 409, description = "There are not so many, or the cart is full."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn add(
    State(app): State<App>,
    visitor: Visitor,
    mut fields: Fields,
) -> Result<Response, Error> {
    let product = fields.text("product_id", |text| product_id(&text));
    let quantity = fields.maybe_whole_number_within("quantity", 1..=MAX_QUANTITY);
    let (product, quantity) = fields.finish(product.zip(quantity))?;
    put(&app, &visitor, &product, quantity.unwrap_or(1), Way::Added).await?;
    shown(&app, visitor).await
}

async fn put(app: &App, visitor: &Visitor, product: &str, quantity: i64, way: Way) -> Result<(), Error> {
    let line = octo_shop::uuid(&app.entropy);
    let (sql, customer) = (sql(app), &visitor.shopper.customer);
    let put = Carts::new(&sql).put(customer, &line, product, quantity, way, app.clock.now()).await;
    put.map_err(of_cart)?;
    Ok(())
}

/// Say how many of a product the cart has
///
/// It is put into the cart if it is not there.
#[utoipa::path(
    put, path = "/shop/cart/items/{product_id}", tag = "cart", operation_id = "setInCart",
    params(("product_id" = String, Path, description = "The product's id.")),
    request_body = QuantityBody,
    responses(
        (status = 200, description = "The cart as it is now.", body = CartBody),
        (status = 404, description = "There is no such product, or it is not sold any more."),
        (status = 409, description = "There are not so many, or the cart is full."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn set(
    State(app): State<App>,
    visitor: Visitor,
    Path(product): Path<String>,
    mut fields: Fields,
) -> Result<Response, Error> {
    let quantity = fields.whole_number_within("quantity", 1..=MAX_QUANTITY);
    let quantity = fields.finish(quantity)?;
    let product = product_id(&product).map_err(|_| no_such_product())?;
    put(&app, &visitor, &product, quantity, Way::Replacing).await?;
    shown(&app, visitor).await
}

/// Take a product out of the cart
///
/// Also one that is not sold any more. To take it out twice changes nothing.
#[utoipa::path(
    delete, path = "/shop/cart/items/{product_id}", tag = "cart", operation_id = "removeFromCart",
    params(("product_id" = String, Path, description = "The product's id.")),
    responses((status = 200, description = "The cart as it is now.", body = CartBody)),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    visitor: Visitor,
    Path(product): Path<String>,
) -> Result<Response, Error> {
    if let Ok(product) = product_id(&product) {
        Carts::new(&sql(&app)).remove(&visitor.shopper.customer, Which::Product(&product)).await?;
    }
    shown(&app, visitor).await
}

/// Empty the cart
#[utoipa::path(
    delete, path = "/shop/cart", tag = "cart", operation_id = "clearCart",
    responses((status = 200, description = "The cart, empty.", body = CartBody)),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn clear(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    Carts::new(&sql(&app)).clear(&visitor.shopper.customer).await?;
    shown(&app, visitor).await
}

/// See what an order would come to
///
/// Nothing is ordered: the same as the cart, for those who have an account and thus perhaps a discount.
#[utoipa::path(
    get, path = "/shop/checkout", tag = "cart", operation_id = "quoteCheckout",
    responses((status = 200, description = "What it would come to, what is missing, and which prices changed.", body = CartBody)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn quote(State(app): State<App>, _: Shopper, visitor: Visitor) -> Result<Response, Error> {
    shown(&app, visitor).await
}

/// What the customer agrees to.
#[derive(ToSchema)]
#[schema(as = CheckoutAgreement)]
#[allow(dead_code)]
pub(crate) struct AgreementBody {
    /// The most that the customer pays for all of it, in roubles. When it is not given, no product may cost more than when it
    /// was put into the cart.
    #[schema(example = "301.00")]
    total: Option<String>,
}

/// Order what is in the cart
///
/// All of it, or nothing: the order takes the stock and empties the cart at once. What is missing, or costs more than the
/// customer has seen, is told, and nothing is ordered. What costs less is charged less.
#[utoipa::path(
    post, path = "/shop/checkout", tag = "cart", operation_id = "checkout",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body(content = Option<AgreementBody>),
    responses(
        (status = 201, description = "The order.", body = OrderBody,
            headers(("Location" = String, description = "Where the order is."))),
        (status = 409, description = "The cart is empty, something is missing, or it costs more than was seen."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn order(
    State(app): State<App>,
    shopper: Shopper,
    visitor: Visitor,
    headers: HeaderMap,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let mut fields = Fields::read_optional(request)?;
    let most = fields.maybe_decimal("total");
    let most = fields.finish(most)?;
    let agreement = most.map_or(Agreement::AsSeen, |Hundredths(most)| Agreement::UpTo(most));
    let caller = shopper.customer.owner();
    let scope = Scope { caller: &caller, route: "POST /shop/checkout" };
    let key = IdempotencyKey::read(&headers)?.map(|key| key.scoped(scope));
    let fingerprint = Fingerprint::of(&[format!("{agreement:?}").as_bytes()]);
    let key = key.as_deref().map(|key| Key { key, fingerprint: fingerprint.as_str() });
    let (sql, config) = (sql(&app), config(&app)?);
    let checkout = octo_shop_http::checkout(&app, &sql, &config);
    let (order, repeated) =
        checkout.order_cart(&shopper.buyer(&app).await?, agreement, key).await.map_err(of_checkout)?;
    let location = format!("/shop/orders/{}", order.uuid);
    Ok(visitor.remembered(respond::created(&OrderBody::from(&order), &location, repeated)))
}

/// A product that was looked at.
#[derive(Serialize, ToSchema)]
#[schema(as = ProductView)]
pub(crate) struct ViewBody {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
    #[schema(example = "Молоко")]
    name: String,
    #[schema(format = DateTime)]
    viewed_at: String,
}

/// See what was looked at
///
/// The last ten products, each once, the last first.
#[utoipa::path(
    get, path = "/shop/views", tag = "cart", operation_id = "listViews",
    responses((status = 200, description = "All of them.", body = Items<ViewBody>)),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn views(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    let found = views::recent(&sql(&app), &visitor.shopper.customer).await?;
    let body = |view: views::View| ViewBody {
        product_id: view.product,
        name: view.name,
        viewed_at: view.at.to_string(),
    };
    let items = Items { items: found.into_iter().map(body).collect(), next: None };
    Ok(visitor.remembered(respond::json(StatusCode::OK, &items)))
}

/// Say that a product was looked at
#[utoipa::path(
    put, path = "/shop/views/{product_id}", tag = "cart", operation_id = "addView",
    params(("product_id" = String, Path, description = "The product's id.")),
    responses(
        (status = 204, description = "It is remembered."),
        (status = 404, description = "There is no such product, or it is not sold any more."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn look(
    State(app): State<App>,
    visitor: Visitor,
    Path(product): Path<String>,
) -> Result<Response, Error> {
    let product = product_id(&product).map_err(|_| no_such_product())?;
    let (sql, now) = (sql(&app), app.clock.now());
    if !views::remember(&sql, &visitor.shopper.customer, &product, now).await? {
        return Err(no_such_product().into());
    }
    Ok(visitor.remembered(respond::empty(StatusCode::NO_CONTENT)))
}
