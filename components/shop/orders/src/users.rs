//! The routes of the original's user service that are about orders and carts. The others are `auth`'s.

use axum::extract::{FromRequestParts, State};
use http::StatusCode;
use octo_core::{Problem, settings::switch};
use octo_http::{
    App, Error, Response,
    extract::{Service, Whole},
    fastapi::{Body, FastApiError, Links},
    respond,
};
use octo_shop::{Carts, Order, checkout::Agreement, customer};
use octo_shop_http::{
    config,
    product_store::{
        Cart, Message, OrderBody, Profiles, Profiling, User, message, no_profiles, no_profiling, number,
        order_refused, time,
    },
    shopper::{self, UserClient},
    sql,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::product_store::shown;

/// An order in a list of the user service, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreOrderSummary)]
pub(crate) struct SummaryBody {
    id: String,
    #[schema(example = "CREATED")]
    status: &'static str,
    #[schema(example = 301.0)]
    total: f64,
    created_at: String,
}

impl From<&Order> for SummaryBody {
    fn from(of: &Order) -> Self {
        Self {
            id: of.uuid.clone(),
            status: of.status.name(),
            total: number(of.total),
            created_at: time(of.created_at),
        }
    }
}

/// An account with what it has bought, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreProfile)]
pub(crate) struct ProfileBody {
    #[serde(flatten)]
    user: User,
    #[schema(example = 451.5)]
    current_cart_total: f64,
    orders: Vec<SummaryBody>,
}

/// What `auth` says of the account whose token a request carries: the response as it is, but for what the account has spent.
async fn account(app: &App, request: octo_http::Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let body = body.map_err(Problem::from)?;
    let response = shopper::ask_auth(app, parts.method.clone(), &parts.headers, body).await?;
    if response.status() != StatusCode::OK {
        return Ok(response.into());
    }
    let mut user: User = serde_json::from_slice(response.body()).map_err(|error| {
        Problem::unavailable().because(format!("`auth` does not say whose account it is: {error}"))
    })?;
    let UserClient(shopper) = UserClient::from_request_parts(&mut parts, app).await?;
    user.total_spent = number(customer::spent(&sql(app), &shopper.customer).await?);
    Ok(respond::json(StatusCode::OK, &user))
}

/// See one's account, as the original's clients do
#[utoipa::path(
    get, path = "/user-api/users/me", tag = "orders", operation_id = "storeGetMe",
    responses(
        (status = 200, description = "The account.", body = User),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn me(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    account(&app, request).await
}

/// The form of `PUT /user-api/users/me`.
#[derive(ToSchema)]
#[schema(as = StoreUserChange)]
#[allow(dead_code)]
pub(crate) struct ChangeBody {
    full_name: Option<String>,
    phone: Option<String>,
}

/// Change one's account, as the original's clients do
///
/// What is empty or no form changes nothing.
#[utoipa::path(
    put, path = "/user-api/users/me", tag = "orders", operation_id = "storeChangeMe",
    request_body(content = ChangeBody, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The account as it is now.", body = User),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
        (status = 422, description = "A field is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn change_me(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    account(&app, request).await
}

/// See one's account, cart and orders, as the original's clients do
#[utoipa::path(
    get, path = "/user-api/users/me/profile", tag = "orders", operation_id = "storeProfile",
    responses(
        (status = 200, description = "The account.", body = ProfileBody),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn profile(
    State(app): State<App>,
    UserClient(shopper): UserClient,
) -> Result<Response, Error> {
    let sql = sql(&app);
    let mut user = shopper.user(&app).await?;
    let lines = Carts::new(&sql).lines(&shopper.customer).await?;
    let orders = shown(&app, Some(shopper.customer.owner())).await?;
    user.total_spent = number(customer::spent(&sql, &shopper.customer).await?);
    let body = ProfileBody {
        user,
        current_cart_total: Cart::from(&lines[..]).total,
        orders: orders.iter().map(SummaryBody::from).collect(),
    };
    Ok(respond::json(StatusCode::OK, &body))
}

/// See one's orders, as the original's clients do
#[utoipa::path(
    get, path = "/user-api/users/me/orders", tag = "orders", operation_id = "storeMyOrders",
    responses(
        (status = 200, description = "All of them.", body = Vec<SummaryBody>),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn my_orders(
    State(app): State<App>,
    UserClient(shopper): UserClient,
) -> Result<Response, Error> {
    let orders = shown(&app, Some(shopper.customer.owner())).await?;
    Ok(respond::json(StatusCode::OK, &orders.iter().map(SummaryBody::from).collect::<Vec<_>>()))
}

/// See one's cart, as the original's clients do
#[utoipa::path(
    get, path = "/user-api/users/me/cart", tag = "orders", operation_id = "storeMyCart",
    responses(
        (status = 200, description = "The cart.", body = Cart),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn my_cart(
    State(app): State<App>,
    UserClient(shopper): UserClient,
) -> Result<Response, Error> {
    let lines = Carts::new(&sql(&app)).lines(&shopper.customer).await?;
    Ok(respond::json(StatusCode::OK, &Cart::from(&lines[..])))
}

/// Order what is in one's cart, as the original's clients do
#[utoipa::path(
    post, path = "/user-api/users/me/orders", tag = "orders", operation_id = "storeOrderCart",
    responses(
        (status = 200, description = "The order.", body = OrderBody),
        (status = 400, description = "The cart is empty, or there is not enough in stock.", body = FastApiError),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
        (status = 404, description = "A product is not sold any more.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn order_cart(
    State(app): State<App>,
    UserClient(shopper): UserClient,
) -> Result<Response, Error> {
    let (sql, config) = (sql(&app), config(&app)?);
    let buyer = shopper.buyer(&app).await?;
    let ordered =
        octo_shop_http::checkout(&app, &sql, &config).order_cart(&buyer, Agreement::Any, None).await;
    let (order, _) = ordered.map_err(order_refused)?;
    Ok(respond::json(StatusCode::OK, &OrderBody::from(&order)))
}

/// What an account has spent.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreTotalSpent)]
pub(crate) struct SpentBody {
    #[schema(example = 301.0)]
    total_spent: f64,
}

/// See what one has spent, as the original's clients do
///
/// The sum of the orders that are not canceled.
#[utoipa::path(
    get, path = "/user-api/users/me/total-spent", tag = "orders", operation_id = "storeTotalSpent",
    responses(
        (status = 200, description = "The sum.", body = SpentBody),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn total_spent(
    State(app): State<App>,
    UserClient(shopper): UserClient,
) -> Result<Response, Error> {
    let spent = customer::spent(&sql(&app), &shopper.customer).await?;
    Ok(respond::json(StatusCode::OK, &SpentBody { total_spent: number(spent) }))
}

/// Say that the status of an order changed, as the original's order service does
///
/// For services; for anyone under `legacy_rules`. Nothing is stored: the shop tells of its orders by the event
/// `order.changed`.
#[utoipa::path(
    post, path = "/user-api/users/notify/order-status", tag = "orders", operation_id = "storeNotify",
    request_body = Value,
    responses(
        (status = 200, description = "It was heard.", body = Message),
        (status = 422, description = "The body is no JSON object.", body = FastApiError),
    ),
    security(("access_token" = []), ("service_key" = []))
)]
pub(crate) async fn notify(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    if !switch(&app.settings, "legacy_rules")? {
        Service::from_request_parts(&mut parts, &app).await?;
    }
    let body = Body::read(octo_http::Request::from_parts(parts, body), Links::None)?;
    body.finish(Some(()))?;
    Ok(message("Order status update received"))
}

/// See whether the original's profiler runs
///
/// Octo has none.
#[utoipa::path(
    get, path = "/user-api/profiling/status", tag = "orders", operation_id = "storeUserProfilingStatus",
    responses((status = 200, description = "It does not.", body = Profiling))
)]
pub(crate) async fn user_profiling_status() -> Response {
    no_profiling()
}

/// See what the original's profiler has written
///
/// Octo has none.
#[utoipa::path(
    get, path = "/user-api/profiling/profiles", tag = "orders", operation_id = "storeUserProfiles",
    responses((status = 200, description = "Nothing.", body = Profiles))
)]
pub(crate) async fn user_profiling_profiles() -> Response {
    no_profiles()
}
