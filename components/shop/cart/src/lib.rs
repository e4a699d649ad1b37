//! The cart: what customers want to buy, what they looked at, and checkout.
//!
//! - [`own`]: our own routes, under `/shop/cart`, `/shop/checkout` and `/shop/views`.
//! - [`product_store`]: the routes of the original's cart service, under `/cart-api`.
//! - [`figures`]: figures for Prometheus.
//!
//! The rules are `octo-shop`; here is what HTTP makes of them.

mod figures;
mod own;
mod product_store;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes.
pub const MAX_BODY: usize = 16 * 1024;

octo_http::routes! {
    name: "cart",
    about: "The shop's carts, and checkout.",
    settings: octo_shop_http::check_settings,
    refused: product_store::refused;
    own { cart, add, set, remove, clear, quote, order, views, look }
    figures { metrics }
    product_store {
        root, health, get_cart, add_item, update_item, remove_item, clear_cart, checkout, total, all_carts, view_product,
        recent_views, profiling_status, profiling_profiles
    }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(
    octo_spin::Component::new("cart", &API, MAX_BODY).database().key_value().http().counts_requests()
);
