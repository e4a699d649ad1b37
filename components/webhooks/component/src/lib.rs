//! Webhooks: sends what happens in Octo to a program outside, for the operator who named its address.
//!
//! The rules are `octo-webhooks`; here is what HTTP makes of them.

mod deliveries;

/// Largest body read, in bytes: there is none.
pub const MAX_BODY: usize = 1024;

octo_http::routes! {
    name: "webhooks",
    about: "Webhooks: what happens in Octo, sent to a program outside as signed requests.",
    settings: deliveries::check_settings;
    deliveries { test, drain }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(octo_spin::Component::new("webhooks", &API, MAX_BODY).database().key_value().http());
