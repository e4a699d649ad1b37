//! The routes of the original's cart service, for its clients.
//!
//! Different on purpose: nobody is somebody else by a header, a quantity is above 0, what the cart has of a product counts
//! when more is added, a line can be changed, checkout takes the stock, and what was looked at is remembered once and in
//! order.

use axum::extract::{Path, State};
use http::{StatusCode, request::Parts};
use octo_core::Clock;
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    extract::Whole,
    fastapi::{self, Body, FastApiError, Links, UUID_4},
    respond,
};
use octo_shop::{
    Carts,
    cart::{Refusal, Way, Which},
    checkout::Agreement,
    views,
};
use octo_shop_http::{
    config,
    problems::of_cart,
    product_store::{
        Cart, Health, Item, Message, OrderBody, Profiles, Profiling, QUANTITY, healthy, message, no_profiles,
        no_profiling, no_such_product, order_refused, time,
    },
    shopper::{Client, Presented, is_administrator, presented},
    sql,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Most lines of all carts together that an administrator sees.
const MOST_LINES: i64 = 10_000;

/// What the original sends to a request under `/cart-api` that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    octo_shop_http::product_store::refused(request, mismatch, "/cart-api", &["/cart", "/carts"])
}

/// See what the original's cart service is
#[utoipa::path(
    get, path = "/cart-api/", tag = "cart", operation_id = "storeCartRoot",
    responses((status = 200, description = "Its name.", body = Message))
)]
pub(crate) async fn root() -> Response {
    message("Cart Service API")
}

/// See whether the original's cart service is there
#[utoipa::path(
    get, path = "/cart-api/health", tag = "cart", operation_id = "storeCartHealth",
    responses((status = 200, description = "It is.", body = Health))
)]
pub(crate) async fn health() -> Response {
    healthy("cart-service")
}

/// See the cart, as the original's clients do
#[utoipa::path(
    get, path = "/cart-api/cart/", tag = "cart", operation_id = "storeGetCart",
    responses(
        (status = 200, description = "The cart, with the prices as they are now.", body = Cart),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn get_cart(State(app): State<App>, Client(shopper): Client) -> Result<Response, Error> {
    let lines = Carts::new(&sql(&app)).lines(&shopper.customer).await?;
    Ok(respond::json(StatusCode::OK, &Cart::from(&lines[..])))
}

/// The total of a cart.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreCartTotal)]
pub(crate) struct TotalBody {
    #[schema(example = 451.5)]
    total: f64,
}

/// See what the cart comes to, as the original's clients do
#[utoipa::path(
    get, path = "/cart-api/cart/total", tag = "cart", operation_id = "storeCartTotal",
    responses(
        (status = 200, description = "The total.", body = TotalBody),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn total(State(app): State<App>, Client(shopper): Client) -> Result<Response, Error> {
    let lines = Carts::new(&sql(&app)).lines(&shopper.customer).await?;
    Ok(respond::json(StatusCode::OK, &TotalBody { total: Cart::from(&lines[..]).total }))
}

/// The body of `POST /cart-api/cart/items`.
#[derive(ToSchema)]
#[schema(as = StoreNewCartItem)]
#[allow(dead_code)]
pub(crate) struct NewItemBody {
    /// A UUID of version 4.
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
    #[schema(example = 2)]
    quantity: i64,
}

/// The body of `PUT /cart-api/cart/items/{id}`.
#[derive(ToSchema)]
#[schema(as = StoreCartQuantity)]
#[allow(dead_code)]
pub(crate) struct QuantityBody {
    #[schema(example = 2)]
    quantity: i64,
}

/// A refusal as the original sends it.
fn refusal(refusal: Refusal, product: &str) -> Error {
    match refusal {
        Refusal::NoSuchProduct => no_such_product(product).into(),
        Refusal::NoSuchLine => fastapi::detail(StatusCode::NOT_FOUND, "Item not found in cart").into(),
        Refusal::NotEnough(_) => fastapi::detail(StatusCode::BAD_REQUEST, "Not enough items in stock").into(),
        refusal => of_cart(refusal).into(),
    }
}

/// Put a product into the cart, as the original's clients do
///
/// Each time it is a line of its own.
#[utoipa::path(
    post, path = "/cart-api/cart/items", tag = "cart", operation_id = "storeAddItem",
    request_body = NewItemBody,
    responses(
        (status = 200, description = "The line.", body = Item),
        (status = 400, description = "There are not so many.", body = FastApiError),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 404, description = "There is no such product.", body = FastApiError),
        (status = 409, description = "The cart is full."),
        (status = 422, description = "A field is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn add_item(
    State(app): State<App>,
    Client(shopper): Client,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let mut body = Body::read(request, Links::None)?.showing_input();
    let (product, quantity) = (body.required("product_id", &UUID_4), body.required("quantity", &QUANTITY));
    let (product, quantity) = body.finish(product.zip(quantity))?;
    let (product, line) = (product.to_string(), octo_shop::uuid(&app.entropy));
    // So that administrators see whose cart it is; it is no reason not to fill it.
    drop(shopper.name(&app).await);
    let (sql, now) = (sql(&app), app.clock.now());
    let put = Carts::new(&sql).put(&shopper.customer, &line, &product, quantity, Way::Added, now).await;
    let line = put.map_err(|error| refusal(error, &product))?;
    Ok(respond::json(StatusCode::OK, &Item::from(&line)))
}

/// The UUID in a path, as it is kept.
fn uuid(name: &str, text: &str) -> Result<String, Error> {
    match UUID_4.read(Value::from(text)) {
        Ok(uuid) => Ok(uuid.to_string()),
        Err(rule) => Err(fastapi::in_path(name, rule, text).into()),
    }
}

/// Change how many a line has, as the original's clients do
#[utoipa::path(
    put, path = "/cart-api/cart/items/{item_id}", tag = "cart", operation_id = "storeUpdateItem",
    params(("item_id" = String, Path, description = "The UUID of a line, or of a product: then its first line.")),
    request_body = QuantityBody,
    responses(
        (status = 200, description = "The line as it is now.", body = Item),
        (status = 400, description = "There are not so many.", body = FastApiError),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 404, description = "The cart has no such line, or its product is not sold any more.", body = FastApiError),
        (status = 422, description = "A field is wrong, or it is no UUID.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn update_item(
    State(app): State<App>,
    Client(shopper): Client,
    Path(item_id): Path<String>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let id = uuid("item_id", &item_id)?;
    let mut body = Body::read(request, Links::None)?.showing_input();
    let quantity = body.required("quantity", &QUANTITY);
    let quantity = body.finish(quantity)?;
    let sql = sql(&app);
    let (carts, customer) = (Carts::new(&sql), &shopper.customer);
    let line = match carts.line(customer, Which::Line(&id)).await {
        Err(Refusal::NoSuchLine) => carts.line(customer, Which::Product(&id)).await,
        found => found,
    };
    let line = line.map_err(|error| refusal(error, &id))?;
    let changed = carts.change(customer, &line, quantity).await;
    let changed = changed.map_err(|error| refusal(error, &line.product))?;
    Ok(respond::json(StatusCode::OK, &Item::from(&changed)))
}

/// Take a line out of the cart, as the original's clients do
#[utoipa::path(
    delete, path = "/cart-api/cart/items/{item_id}", tag = "cart", operation_id = "storeRemoveItem",
    params(("item_id" = String, Path, description = "The UUID of a line, or of a product: then all of its lines.")),
    responses(
        (status = 200, description = "It is out.", body = Message),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 404, description = "The cart has no such line.", body = FastApiError),
        (status = 422, description = "It is no UUID.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn remove_item(
    State(app): State<App>,
    Client(shopper): Client,
    Path(item_id): Path<String>,
) -> Result<Response, Error> {
    let id = uuid("item_id", &item_id)?;
    let sql = sql(&app);
    let carts = Carts::new(&sql);
    if carts.remove(&shopper.customer, Which::Line(&id)).await? > 0 {
        return Ok(message("Item removed from cart"));
    }
    match carts.remove(&shopper.customer, Which::Product(&id)).await? {
        0 => Err(refusal(Refusal::NoSuchLine, &id)),
        removed => Ok(message(format!("Removed {removed} items from cart"))),
    }
}

/// Empty the cart, as the original's clients do
#[utoipa::path(
    delete, path = "/cart-api/cart/", tag = "cart", operation_id = "storeClearCart",
    responses(
        (status = 200, description = "It is empty.", body = Message),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn clear_cart(State(app): State<App>, Client(shopper): Client) -> Result<Response, Error> {
    Carts::new(&sql(&app)).clear(&shopper.customer).await?;
    Ok(message("Cart cleared"))
}

/// Order what is in the cart, as the original's clients do
///
/// At the prices as they are now.
#[utoipa::path(
    post, path = "/cart-api/cart/checkout", tag = "cart", operation_id = "storeCheckout",
    responses(
        (status = 200, description = "The order.", body = OrderBody),
        (status = 400, description = "The cart is empty, or there is not enough in stock.", body = FastApiError),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 404, description = "A product is not sold any more.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn checkout(State(app): State<App>, Client(shopper): Client) -> Result<Response, Error> {
    let (sql, config) = (sql(&app), config(&app)?);
    let buyer = shopper.buyer(&app).await?;
    let ordered =
        octo_shop_http::checkout(&app, &sql, &config).order_cart(&buyer, Agreement::Any, None).await;
    let (order, _) = ordered.map_err(order_refused)?;
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&order)))
}

/// See all carts, as the original's administrators do
///
/// By the names of their owners; at most ten thousand lines.
#[utoipa::path(
    get, path = "/cart-api/carts/", tag = "cart", operation_id = "storeAllCarts",
    responses(
        (status = 200, description = "The lines of each cart, by their UUIDs.", body = Value),
        (status = 403, description = "An administrator is needed.", body = FastApiError),
        (status = 422, description = "The header `admin` is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn all_carts(State(app): State<App>, mut parts: Parts) -> Result<Response, Error> {
    let shopper = match presented(&mut parts, &app).await? {
        Presented::Shopper(shopper) => Some(shopper),
        Presented::Nothing | Presented::Unusable => None,
    };
    if !is_administrator(&parts.headers, &app, shopper.as_ref())? {
        return Err(fastapi::detail(StatusCode::FORBIDDEN, "Admin access required").into());
    }
    let mut carts: Map<String, Value> = Map::new();
    for line in Carts::new(&sql(&app)).all(MOST_LINES).await? {
        let name = line.customer.as_deref().or_else(|| line.owner.strip_prefix("named/"));
        let owner = name.unwrap_or(&line.owner).to_owned();
        let cart = carts.entry(owner).or_insert_with(|| json!({ "items": {} }));
        if let Some(items) = cart.get_mut("items").and_then(Value::as_object_mut) {
            items.insert(line.uuid.clone(), json!(Item::as_seen(&line)));
        }
    }
    Ok(respond::json(StatusCode::OK, &carts))
}

/// Say that a product was looked at, as the original's clients do
#[utoipa::path(
    post, path = "/cart-api/products/{product_id}/view", tag = "cart", operation_id = "storeViewProduct",
    params(("product_id" = String, Path, description = "The product's UUID.")),
    responses(
        (status = 200, description = "It is remembered.", body = Message),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 404, description = "There is no such product.", body = FastApiError),
        (status = 422, description = "It is no UUID.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn view_product(
    State(app): State<App>,
    Client(shopper): Client,
    Path(product_id): Path<String>,
) -> Result<Response, Error> {
    let product = uuid("product_id", &product_id)?;
    if !views::remember(&sql(&app), &shopper.customer, &product, app.clock.now()).await? {
        return Err(no_such_product(&product).into());
    }
    Ok(message("Product view recorded"))
}

/// A product that was looked at.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreView)]
pub(crate) struct ViewBody {
    product_id: String,
    #[schema(example = "2026-11-27T10:15:30.123000")]
    viewed_at: String,
}

/// See what was looked at, as the original's clients do
///
/// The last ten products, the last first.
#[utoipa::path(
    get, path = "/cart-api/products/recent-views", tag = "cart", operation_id = "storeRecentViews",
    responses(
        (status = 200, description = "All of them.", body = Vec<ViewBody>),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn recent_views(State(app): State<App>, Client(shopper): Client) -> Result<Response, Error> {
    let found = views::recent(&sql(&app), &shopper.customer).await?;
    let body = |view: views::View| ViewBody { product_id: view.product, viewed_at: time(view.at) };
    Ok(respond::json(StatusCode::OK, &found.into_iter().map(body).collect::<Vec<_>>()))
}

/// See whether the original's profiler runs
///
/// Octo has none.
#[utoipa::path(
    get, path = "/cart-api/profiling/status", tag = "cart", operation_id = "storeCartProfilingStatus",
    responses((status = 200, description = "It does not.", body = Profiling))
)]
pub(crate) async fn profiling_status() -> Response {
    no_profiling()
}

/// See what the original's profiler has written
///
/// Octo has none.
#[utoipa::path(
    get, path = "/cart-api/profiling/profiles", tag = "cart", operation_id = "storeCartProfiles",
    responses((status = 200, description = "Nothing.", body = Profiles))
)]
pub(crate) async fn profiling_profiles() -> Response {
    no_profiles()
}
