//! Our own routes for customers and administrators.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_core::{Clock, Problem};
use octo_http::{
    App, Error, Items, Page, Response, audit, body::Fields, extract::Admin, page::PageParams, query::Query,
    respond,
};
use octo_shop::{
    Order, Orders,
    orders::{Filter, Refusal},
};
use octo_shop_http::{
    bodies::{OrderBody, OrderEventBody, StatusBody},
    config,
    problems::{no_such_order, of_orders},
    shopper::Shopper,
    sql,
};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::worker::{catch_up, is_due};

/// The orders that a filter finds, with the steps that are due taken.
pub(crate) async fn found(app: &App, filter: &Filter, before: i64, limit: i64) -> Result<Vec<Order>, Error> {
    let sql = sql(app);
    let orders = Orders::new(&sql);
    let found = orders.list(filter, before, limit).await?;
    if !is_due(&found, app.clock.now()) {
        return Ok(found);
    }
    catch_up(app, &config(app)?).await?;
    Ok(orders.list(filter, before, limit).await?)
}

/// The order with this UUID, with the steps that are due taken.
pub(crate) async fn by_uuid(app: &App, id: &str) -> Result<Order, Refusal> {
    let uuid = Uuid::try_parse(id).map_err(|_| Refusal::NoSuchOrder)?.to_string();
    let sql = sql(app);
    let orders = Orders::new(&sql);
    let order = orders.by_uuid(&uuid).await?;
    if !is_due(std::slice::from_ref(&order), app.clock.now()) {
        return Ok(order);
    }
    // What is wrong with the variables is told by all other routes.
    if let Ok(config) = config(app) {
        catch_up(app, &config).await?;
    }
    orders.by_uuid(&uuid).await
}

/// The order with this UUID, if the shopper may see it.
async fn visible(app: &App, shopper: &Shopper, id: &str) -> Result<Order, Error> {
    let order = by_uuid(app, id).await.map_err(of_orders)?;
    if shopper.may_see(&order.owner) { Ok(order) } else { Err(no_such_order().into()) }
}

/// See the orders
///
/// One's own, the newest first; administrators see everybody's.
#[utoipa::path(
    get, path = "/shop/orders", tag = "orders", operation_id = "listOrders",
    params(
        PageParams,
        ("status" = Option<String>, Query, description = "`created`, `processing`, `shipping`, `delivered` or `canceled`."),
        ("own" = Option<bool>, Query, description = "`true`: only one's own, for administrators too."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = Items<OrderBody>),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn orders(
    State(app): State<App>,
    shopper: Shopper,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let status = match query.get("status") {
        None => None,
        Some(name) => Some(StatusBody::named(name).ok_or_else(|| {
            Problem::invalid("/status", "must be created, processing, shipping, delivered or canceled")
        })?),
    };
    let own = match query.get("own") {
        None | Some("false") => !shopper.is_administrator,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("/own", "must be true or false").into()),
    };
    let filter = Filter { owner: own.then(|| shopper.customer.owner()), status, delivered_since: None };
    let found = found(&app, &filter, page.before_number()?, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&found, OrderBody::from, |order| order.id)))
}

/// See an order
#[utoipa::path(
    get, path = "/shop/orders/{id}", tag = "orders", operation_id = "getOrder",
    params(("id" = String, Path, description = "The order's id.")),
    responses(
        (status = 200, description = "The order.", body = OrderBody),
        (status = 404, description = "There is no such order, or it is somebody else's."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn order(
    State(app): State<App>,
    shopper: Shopper,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&visible(&app, &shopper, &id).await?)))
}

/// See what happened to an order
///
/// Who gave it which status, and when; the oldest first.
#[utoipa::path(
    get, path = "/shop/orders/{id}/timeline", tag = "orders", operation_id = "getOrderTimeline",
    params(("id" = String, Path, description = "The order's id."), PageParams),
    responses(
        (status = 200, description = "A page of it.", body = Items<OrderEventBody>),
        (status = 404, description = "There is no such order, or it is somebody else's."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn timeline(
    State(app): State<App>,
    shopper: Shopper,
    Path(id): Path<String>,
    page: Page,
) -> Result<Response, Error> {
    let order = visible(&app, &shopper, &id).await?;
    let found = Orders::new(&sql(&app)).timeline(order.id, page.after_number()?, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&found, OrderEventBody::from, |event| event.id)))
}

/// Cancel an order
///
/// Its stock is there again, and what it cost counts as not spent: once. For its owner and for administrators, until it is
/// delivered.
#[utoipa::path(
    post, path = "/shop/orders/{id}/cancel", tag = "orders", operation_id = "cancelOrder",
    params(("id" = String, Path, description = "The order's id.")),
    responses(
        (status = 200, description = "The order, canceled.", body = OrderBody),
        (status = 404, description = "There is no such order, or it is somebody else's."),
        (status = 409, description = "It was delivered, or canceled already."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    shopper: Shopper,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let order = visible(&app, &shopper, &id).await?;
    let (sql, actor) = (sql(&app), shopper.customer.number());
    let canceled = Orders::new(&sql).cancel(&order, actor, app.clock.now()).await.map_err(of_orders)?;
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&canceled)))
}

/// The status that an order is to have.
#[derive(ToSchema)]
#[schema(as = NewOrderStatus)]
#[allow(dead_code)]
pub(crate) struct NewStatusBody {
    status: StatusBody,
}

/// Give an order a status
///
/// Any, whatever it has. The automatic steps go on from there, and never back. An order that is not canceled any more takes
/// its stock again, if it is there.
#[utoipa::path(
    put, path = "/shop/orders/{id}/status", tag = "orders", operation_id = "setOrderStatus",
    params(("id" = String, Path, description = "The order's id.")),
    request_body = NewStatusBody,
    responses(
        (status = 200, description = "The order as it is now.", body = OrderBody),
        (status = 404, description = "There is no such order."),
        (status = 409, description = "It was canceled, and what it had is not there any more."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn set_status(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Error> {
    let status = fields.text("status", |name| {
        StatusBody::named(&name).ok_or("must be created, processing, shipping, delivered or canceled")
    });
    let status = fields.finish(status)?;
    let order = by_uuid(&app, &id).await.map_err(of_orders)?;
    let subject = [("order", json!(order.uuid)), ("status", json!(status.name()))];
    audit::note(&app, actor, "order-status-set", &subject).await?;
    let (sql, stays) = (sql(&app), status.stays(&config(&app)?, &app.entropy));
    let set = Orders::new(&sql).set_status(&order, status, actor, stays, app.clock.now()).await;
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&set.map_err(of_orders)?)))
}
