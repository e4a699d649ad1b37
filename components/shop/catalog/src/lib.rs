//! The catalogue: products, categories and stock.
//!
//! - [`own`]: our own routes, under `/shop`; [`administration`]: what administrators may do; [`imports`]: many products.
//! - [`product_store`]: the routes of the original's catalogue, under `/api`.
//! - [`figures`]: figures for Prometheus; [`reading`]: what requests say of products; [`responses`]: how they look.
//!
//! The rules are `octo-shop`; here is what HTTP makes of them.

mod administration;
mod figures;
mod imports;
mod own;
mod product_store;
mod reading;
mod responses;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: a file of some twenty thousand products. A request may have ten million on the clouds.
pub const MAX_BODY: usize = 9 * 1024 * 1024;

octo_http::routes! {
    name: "catalog",
    about: "The shop's catalogue: products, categories, stock.",
    settings: octo_shop_http::check_settings,
    refused: product_store::refused;
    own { products, product, categories }
    administration { add, change, withdraw, correct_stock, stock_ledger, low_stock, check }
    imports { begin, progress }
    figures { metrics }
    product_store {
        root, health, list_products, create_product, get_product, update_product, delete_product, list_categories,
        by_category, profiling_status, profiling_profiles, swagger, openapi
    }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(
    octo_spin::Component::new("catalog", &API, MAX_BODY).database().key_value().http().counts_requests()
);
