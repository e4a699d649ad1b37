//! The routes of the original's order service, for its clients.
//!
//! Different on purpose: nobody is somebody else or an administrator by a header, an order has something in it at the prices
//! of the catalogue, and takes the stock; what an administrator decides stays. A delivered order is hidden after a while, as
//! the original deletes it; it is kept all the same.

use axum::extract::{Path, State};
use http::{StatusCode, request::Parts};
use octo_core::{Clock, UnixMillis};
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    audit,
    extract::Whole,
    fastapi::{self, Body, Errors, FastApiError, Kind, Links, Place, Rule, STRING},
    query::Query,
    respond,
};
use octo_shop::{
    Config, Order, Orders, Status,
    orders::{Filter, Refusal},
    schema::MAX_LINES,
};
use octo_shop_http::{
    config,
    problems::{not_enough, of_orders},
    product_store::{
        Health, Message, OrderBody, Profiles, Profiling, QUANTITY, healthy, message, no_profiles,
        no_profiling, no_such_product, order_refused,
    },
    shopper::{Client, Presented, Shopper, is_administrator, presented},
    sql,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::own::{by_uuid, found};

/// Most orders in a list of the original's, which has no pages: the newest.
const MOST: i64 = 1000;

/// What the original sends to a request under `/order-api` or `/user-api` that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let shop = |prefix, slashed| octo_shop_http::product_store::refused(request, mismatch, prefix, slashed);
    shop("/order-api", &["/orders"]).or_else(|| shop("/user-api", &[]))
}

/// See what the original's order service is
#[utoipa::path(
    get, path = "/order-api/", tag = "orders", operation_id = "storeOrderRoot",
    responses((status = 200, description = "Its name.", body = Message))
)]
pub(crate) async fn root() -> Response {
    message("Order Service API")
}

/// See whether the original's order service is there
#[utoipa::path(
    get, path = "/order-api/health", tag = "orders", operation_id = "storeOrderHealth",
    responses((status = 200, description = "It is.", body = Health))
)]
pub(crate) async fn health() -> Response {
    healthy("order-service")
}

/// Since when an order may have been delivered that the original's clients still see.
fn shown_since(app: &App, config: &Config) -> UnixMillis {
    app.clock.now() - config.delivered_shown
}

/// A customer's orders as the original's clients see them, the oldest first.
pub(crate) async fn shown(app: &App, owner: Option<String>) -> Result<Vec<Order>, Error> {
    let delivered_since = Some(shown_since(app, &config(app)?));
    let mut orders = found(app, &Filter { owner, status: None, delivered_since }, i64::MAX, MOST).await?;
    orders.reverse();
    Ok(orders)
}

/// See orders, as the original's clients do
///
/// One's own; administrators see everybody's. At most a thousand, the newest, the oldest of them first.
#[utoipa::path(
    get, path = "/order-api/orders/", tag = "orders", operation_id = "storeListOrders",
    responses(
        (status = 200, description = "All of them.", body = Vec<OrderBody>),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 422, description = "The header `admin` is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn list_orders(
    State(app): State<App>,
    Client(shopper): Client,
    parts: Parts,
) -> Result<Response, Error> {
    let all = is_administrator(&parts.headers, &app, Some(&shopper))?;
    let orders = shown(&app, (!all).then(|| shopper.customer.owner())).await?;
    Ok(respond::json(StatusCode::OK, &orders.iter().map(OrderBody::from).collect::<Vec<_>>()))
}

/// A product to be ordered.
#[derive(ToSchema)]
#[schema(as = StoreNewOrderItem)]
#[allow(dead_code)]
pub(crate) struct NewItemBody {
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
    /// The catalogue's is taken.
    name: String,
    /// The catalogue's is taken.
    price: f64,
    #[schema(example = 2)]
    quantity: i64,
}

/// The body of `POST /order-api/orders/`.
#[derive(ToSchema)]
#[schema(as = StoreNewOrder)]
#[allow(dead_code)]
pub(crate) struct NewOrderBody {
    items: Vec<NewItemBody>,
    /// What the catalogue's prices come to is taken.
    total: f64,
}

/// Any number; it is not used.
const NUMBER: Kind<()> = Kind::new(|value| match value {
    Value::Number(_) => Ok(()),
    Value::String(text) if text.trim().parse::<f64>().is_ok() => Ok(()),
    Value::String(_) => {
        Err(Rule::new("float_parsing", "Input should be a valid number, unable to parse string as a number"))
    }
    _ => Err(Rule::new("float_type", "Input should be a valid number")),
});

/// Products and quantities. What is wrong with an item is told with its place.
fn items(value: Value) -> Result<Vec<(String, i64)>, Errors> {
    let mut errors = Errors::new(Place::Body, Links::None);
    let Value::Array(values) = value else {
        errors.refuse_value("items", Rule::new("list_type", "Input should be a valid list"), value);
        return Err(errors);
    };
    let most = usize::try_from(MAX_LINES).unwrap_or(0);
    if values.is_empty() || values.len() > most {
        let rule = if values.is_empty() {
            Rule::new("too_short", "List should have at least 1 item after validation, not 0")
                .with("min_length", 1)
        } else {
            Rule::new("too_long", "List should have at most 200 items after validation")
                .with("max_length", MAX_LINES)
        };
        errors.refuse_value("items", rule, Value::Null);
        return Err(errors);
    }
    let mut wanted = Vec::with_capacity(values.len());
    let mut is_wrong = false;
    for (index, value) in values.into_iter().enumerate() {
        let place = |member: &'static str| [Value::from("items"), Value::from(index), Value::from(member)];
        let Value::Object(members) = value else {
            let rule = Rule::new(
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
            );
            errors.refuse_at(&[Value::from("items"), Value::from(index)], rule, value);
            is_wrong = true;
            continue;
        };
        let product = errors.member(&members, &place("product_id"), &STRING);
        errors.member(&members, &place("name"), &STRING);
        errors.member(&members, &place("price"), &NUMBER);
        match product.zip(errors.member(&members, &place("quantity"), &QUANTITY)) {
            Some(item) => wanted.push(item),
            None => is_wrong = true,
        }
    }
    if is_wrong || !errors.is_empty() { Err(errors) } else { Ok(wanted) }
}

/// Order products, as the original's clients do
///
/// At the catalogue's names and prices, whatever is sent.
#[utoipa::path(
    post, path = "/order-api/orders/", tag = "orders", operation_id = "storeCreateOrder",
    request_body = NewOrderBody,
    responses(
        (status = 200, description = "The order.", body = OrderBody),
        (status = 400, description = "There is not enough in stock.", body = FastApiError),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 404, description = "There is no such product.", body = FastApiError),
        (status = 422, description = "A field is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn create_order(
    State(app): State<App>,
    Client(shopper): Client,
    Whole(request): Whole,
) -> Result<Response, Error> {
    const ANY: Kind<Value> = Kind::new(Ok);
    let mut body = Body::read(request, Links::None)?.showing_input();
    let (wanted, total) = (body.required("items", &ANY), body.required("total", &NUMBER));
    let (wanted, ()) = body.finish(wanted.zip(total))?;
    let mut wanted = items(wanted).map_err(Errors::into_response)?;
    for (product, _) in &mut wanted {
        let uuid = Uuid::try_parse(product).map_err(|_| no_such_product(product))?;
        *product = uuid.to_string();
    }
    let (sql, config) = (sql(&app), config(&app)?);
    let buyer = shopper.buyer(&app).await?;
    let ordered = octo_shop_http::checkout(&app, &sql, &config).order_products(&buyer, &wanted, None).await;
    let (order, _) = ordered.map_err(order_refused)?;
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&order)))
}

/// A refusal as the original sends it.
fn refusal(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NoSuchOrder => fastapi::detail(StatusCode::NOT_FOUND, "Order not found").into(),
        Refusal::NotCancelable(status) => {
            let text = format!("Cannot cancel order with status {}", status.name());
            fastapi::detail(StatusCode::BAD_REQUEST, text).into()
        }
        Refusal::Missing => {
            not_enough("The order was canceled, and what it had is not there any more.").into()
        }
        refusal => of_orders(refusal).into(),
    }
}

/// The order, if the original still has it.
async fn kept(app: &App, id: &str) -> Result<Order, Error> {
    let order = by_uuid(app, id).await.map_err(refusal)?;
    let is_over = order.status == Status::Delivered && order.changed_at < shown_since(app, &config(app)?);
    if is_over { Err(refusal(Refusal::NoSuchOrder)) } else { Ok(order) }
}

/// The order, if the shopper may see it.
async fn visible(app: &App, parts: &Parts, shopper: &Shopper, id: &str) -> Result<Order, Error> {
    let is_administrator = is_administrator(&parts.headers, app, Some(shopper))?;
    let order = kept(app, id).await?;
    if is_administrator || shopper.may_see(&order.owner) {
        return Ok(order);
    }
    Err(fastapi::detail(StatusCode::FORBIDDEN, "Access denied").into())
}

/// See an order, as the original's clients do
#[utoipa::path(
    get, path = "/order-api/orders/{order_id}", tag = "orders", operation_id = "storeGetOrder",
    params(("order_id" = String, Path, description = "The order's UUID.")),
    responses(
        (status = 200, description = "The order.", body = OrderBody),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 403, description = "It is somebody else's.", body = FastApiError),
        (status = 404, description = "There is no such order, or not any more.", body = FastApiError),
        (status = 422, description = "The header `admin` is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn get_order(
    State(app): State<App>,
    Client(shopper): Client,
    Path(order_id): Path<String>,
    parts: Parts,
) -> Result<Response, Error> {
    let order = visible(&app, &parts, &shopper, &order_id).await?;
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&order)))
}

/// Give an order a status, as the original's administrators do
#[utoipa::path(
    put, path = "/order-api/orders/{order_id}/status", tag = "orders", operation_id = "storeSetStatus",
    params(
        ("order_id" = String, Path, description = "The order's UUID."),
        ("status" = String, Query, description = "`CREATED`, `PROCESSING`, `SHIPPING`, `DELIVERED` or `CANCELLED`."),
    ),
    responses(
        (status = 200, description = "It has it.", body = Message),
        (status = 400, description = "There is no such status.", body = FastApiError),
        (status = 403, description = "An administrator is needed.", body = FastApiError),
        (status = 404, description = "There is no such order, or not any more.", body = FastApiError),
        (status = 409, description = "It was canceled, and what it had is not there any more."),
        (status = 422, description = "The status is missing, or the header `admin` is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn update_status(
    State(app): State<App>,
    Path(order_id): Path<String>,
    query: Query,
    mut parts: Parts,
) -> Result<Response, Error> {
    let shopper = match presented(&mut parts, &app).await? {
        Presented::Shopper(shopper) => Some(shopper),
        Presented::Nothing | Presented::Unusable => None,
    };
    let mut errors = Errors::new(Place::Query, Links::None);
    if query.get("status").is_none() {
        errors.missing("status");
    }
    let name = errors.finish(query.get("status"))?;
    if !is_administrator(&parts.headers, &app, shopper.as_ref())? {
        return Err(fastapi::detail(StatusCode::FORBIDDEN, "Admin access required").into());
    }
    let order = kept(&app, &order_id).await?;
    let Some(status) = Status::named(name) else {
        let all = Status::ALL.map(Status::name).join(", ");
        let text = format!("Invalid status. Available statuses: {all}");
        return Err(fastapi::detail(StatusCode::BAD_REQUEST, text).into());
    };
    // 0 where nobody is known: under `legacy_rules`, by a header.
    let actor =
        shopper.filter(|shopper| shopper.is_administrator).map_or(0, |shopper| shopper.customer.number());
    let subject = [("order", json!(order.uuid)), ("status", json!(status.name()))];
    audit::note(&app, actor, "order-status-set", &subject).await?;
    let (sql, stays) = (sql(&app), status.stays(&config(&app)?, &app.entropy));
    let set = Orders::new(&sql).set_status(&order, status, actor, stays, app.clock.now()).await;
    set.map_err(refusal)?;
    Ok(message(format!("Order status updated to {}", status.name())))
}

/// That an order was canceled.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreCanceled)]
pub(crate) struct CanceledBody {
    #[schema(example = "Order cancelled")]
    message: &'static str,
    order: OrderBody,
}

/// Cancel an order, as the original's clients do
#[utoipa::path(
    put, path = "/order-api/orders/{order_id}/cancel", tag = "orders", operation_id = "storeCancelOrder",
    params(("order_id" = String, Path, description = "The order's UUID.")),
    responses(
        (status = 200, description = "It is canceled.", body = CanceledBody),
        (status = 400, description = "It was delivered, or canceled already.", body = FastApiError),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 403, description = "It is somebody else's.", body = FastApiError),
        (status = 404, description = "There is no such order, or not any more.", body = FastApiError),
        (status = 422, description = "The header `admin` is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn cancel_order(
    State(app): State<App>,
    Client(shopper): Client,
    Path(order_id): Path<String>,
    parts: Parts,
) -> Result<Response, Error> {
    let order = visible(&app, &parts, &shopper, &order_id).await?;
    let (sql, actor) = (sql(&app), shopper.customer.number());
    let canceled = Orders::new(&sql).cancel(&order, actor, app.clock.now()).await.map_err(refusal)?;
    let body = CanceledBody { message: "Order cancelled", order: OrderBody::from(&canceled) };
    Ok(respond::json(StatusCode::OK, &body))
}

/// What each status is called, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = StoreStatuses)]
pub(crate) struct StatusesBody {
    #[schema(example = "Создан")]
    created: &'static str,
    processing: &'static str,
    shipping: &'static str,
    delivered: &'static str,
    cancelled: &'static str,
}

/// See the statuses of orders, as the original's clients do
#[utoipa::path(
    get, path = "/order-api/orders/statuses/list", tag = "orders", operation_id = "storeStatuses",
    responses((status = 200, description = "What each is called.", body = StatusesBody))
)]
pub(crate) async fn statuses() -> Response {
    let body = StatusesBody {
        created: "Создан",
        processing: "Обрабатывается",
        shipping: "Доставляется",
        delivered: "Доставлен",
        cancelled: "Отменен",
    };
    respond::json(StatusCode::OK, &body)
}

/// See whether the original's profiler runs
///
/// Octo has none.
#[utoipa::path(
    get, path = "/order-api/profiling/status", tag = "orders", operation_id = "storeOrderProfilingStatus",
    responses((status = 200, description = "It does not.", body = Profiling))
)]
pub(crate) async fn profiling_status() -> Response {
    no_profiling()
}

/// See what the original's profiler has written
///
/// Octo has none.
#[utoipa::path(
    get, path = "/order-api/profiling/profiles", tag = "orders", operation_id = "storeOrderProfiles",
    responses((status = 200, description = "Nothing.", body = Profiles))
)]
pub(crate) async fn profiling_profiles() -> Response {
    no_profiles()
}
