//! What the three components of the shop share.
//!
//! - [`shopper`]: who asks, on our own routes and on the original's.
//! - [`product_store`]: how the original shows things, and what it sends to a request that no route takes.
//! - [`bodies`]: how our own routes show carts, orders and amounts.
//! - [`metrics`]: the figures of orders.
//! - [`problems`]: refusals of the domain as problems.
//!
//! The rules are `octo-shop`.

pub mod bodies;
pub mod metrics;
pub mod problems;
pub mod product_store;
pub mod shopper;

use std::sync::Arc;

use octo_core::{
    Clock, Entropy, Problem, SettingError, Settings, Sql,
    settings::{switch, text},
    sql::{Database, Migrated},
};
use octo_http::{App, request_metrics};
use octo_shop::{Checkout, Config, Shop, TABLES};

/// The tables of the shop.
pub fn sql(app: &App) -> Migrated<'_, Arc<dyn Sql>> {
    Migrated::new(&app.sql, TABLES)
}

/// The variables of the shop.
///
/// # Errors
/// When one of them is wrong.
pub fn config(app: &App) -> Result<Config, Problem> {
    Ok(Config::read(&app.settings)?)
}

/// Whether the variables are right.
///
/// # Errors
/// Names the variable and its rule.
pub fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings)?;
    switch(&settings, "legacy_rules")?;
    text(&settings, "metrics_key")?;
    request_metrics::check(&settings)?;
    Database::read(&settings).map(drop)
}

/// The tables as they are used here.
pub type ShopSql<'a> = Migrated<'a, Arc<dyn Sql>>;

/// Checkout on the ports of a component.
pub fn checkout<'a>(
    app: &'a App,
    sql: &'a ShopSql<'a>,
    config: &'a Config,
) -> Checkout<'a, ShopSql<'a>, Arc<dyn Clock>, Arc<dyn Entropy>> {
    Checkout { sql, clock: &app.clock, entropy: &app.entropy, config }
}

/// What jobs are carried out with, on the ports of a component.
pub fn shop<'a>(
    app: &'a App,
    sql: &'a ShopSql<'a>,
    config: &'a Config,
) -> Shop<'a, ShopSql<'a>, Arc<dyn Clock>, Arc<dyn Entropy>> {
    Shop { sql, clock: &app.clock, entropy: &app.entropy, config }
}
