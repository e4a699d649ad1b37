//! Delivery: registers parcels, has them priced in the background, and lets the first company that asks carry them.
//!
//! - [`own`]: our own routes, under `/parcels`; [`batch`]: many parcels in one request.
//! - [`administration`]: what administrators and services may do.
//! - [`parcel_service`]: the routes of the original delivery service, `/packages/`, `/types/` and `/sessions/new/`.
//! - [`guards`]: whose parcels a caller may see.
//! - [`pricing`]: the jobs, and where the rate is from.
//!
//! The rules are `octo-delivery`; here is what HTTP makes of them.

mod administration;
mod batch;
mod figures;
mod guards;
mod own;
mod parcel_service;
mod pricing;
mod reading;
mod responses;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: a batch of two hundred parcels.
pub const MAX_BODY: usize = 256 * 1024;

octo_http::routes! {
    name: "delivery",
    about: "Parcels: registering them, what it costs to send them, and who carries them.",
    settings: pricing::check_settings,
    refused: parcel_service::refused;
    own { register, quote, list, types, rate, parcel, history, receipt, cancel }
    batch { register_many }
    administration { bind_carrier, add_type, rename_type, set_rate, retry_failed, sums, rebuild_sums, prices }
    figures { metrics }
    pricing { drain }
    parcel_service {
        new_session, package_types, register_package, list_packages, package_status, package
    }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(octo_spin::Component::new("delivery", &API, MAX_BODY).database().key_value().http());
