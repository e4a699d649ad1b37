//! Orders: what customers bought, and what becomes of it.
//!
//! - [`own`]: our own routes, under `/shop/orders`.
//! - [`product_store`]: the routes of the original's order service, under `/order-api`; [`users`]: those of its user service
//!   that are about orders and carts, under `/user-api`.
//! - [`figures`]: figures for Prometheus; [`worker`]: the shop's jobs.
//!
//! The rules are `octo-shop`; here is what HTTP makes of them.

mod figures;
mod own;
mod product_store;
mod users;
mod worker;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: an order of two hundred products.
pub const MAX_BODY: usize = 64 * 1024;

octo_http::routes! {
    name: "orders",
    about: "The shop's orders.",
    settings: octo_shop_http::check_settings,
    refused: product_store::refused;
    own { orders, order, timeline, cancel, set_status }
    figures { metrics }
    worker { drain }
    product_store {
        root, health, list_orders, create_order, get_order, update_status, cancel_order, statuses, profiling_status,
        profiling_profiles
    }
    users {
        me, change_me, profile, my_orders, my_cart, order_cart, total_spent, notify, user_profiling_status,
        user_profiling_profiles
    }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(
    octo_spin::Component::new("orders", &API, MAX_BODY).database().key_value().http().counts_requests()
);
