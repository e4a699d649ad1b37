//! The shop's jobs.

use std::time::Duration;

use axum::extract::State;
use octo_core::{Clock, SqlError, UnixMillis};
use octo_http::{App, Error, Response, drained::Drained, extract::Internal};
use octo_shop::{Carts, Config, Order};
use octo_shop_http::{config, shop, sql};

/// How long one request for it carries out jobs.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// How long the request of somebody who reads an order does, when a step of it is due.
const CAUGHT_UP_FOR: Duration = Duration::from_secs(1);

/// How long a guest's cart is kept that nobody changes.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Carry out the jobs that wait
///
/// It also forgets the carts of guests who did not come back.
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "internal", operation_id = "drainOrders",
    responses((status = 200, description = "What was done.", body = Drained))
)]
pub(crate) async fn drain(State(app): State<App>, _: Internal) -> Result<Response, Error> {
    let (sql, config) = (sql(&app), config(&app)?);
    let shop = shop(&app, &sql, &config);
    let jobs = shop.jobs();
    let now = app.clock.now();
    let drained = jobs.performer(&sql, &app.clock, &app.entropy).drain(now + DRAINED_FOR).await?;
    Carts::new(&sql).sweep(now - KEPT).await?;
    let drained = Drained { performed: drained.performed, failed: drained.failed, more: drained.more };
    Ok(drained.into_response())
}

/// Whether an automatic step of one of these orders is due: then it should be taken before the order is shown, whether or
/// not a scheduler comes by.
pub(crate) fn is_due(orders: &[Order], now: UnixMillis) -> bool {
    orders.iter().any(|order| order.next_at.is_some_and(|at| at <= now))
}

/// Takes the automatic steps that are due.
pub(crate) async fn catch_up(app: &App, config: &Config) -> Result<(), SqlError> {
    let sql = sql(app);
    let shop = shop(app, &sql, config);
    let steps = shop.steps();
    let until = app.clock.now() + CAUGHT_UP_FOR;
    steps.performer(&sql, &app.clock, &app.entropy).drain(until).await.map(drop)
}
