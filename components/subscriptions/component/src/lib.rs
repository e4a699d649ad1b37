//! Subscriptions: what gives users paid access.
//!
//! - [`own`]: our own routes, under `/subscriptions`.
//! - [`subscription_service`]: the routes of the original subscription service, under `/api/v1/subscriptions`, with
//!   [`marshmallow`], [`python_json`] and [`werkzeug`] for what its bodies look like.
//! - [`guards`]: whose subscriptions a caller may see and change.
//! - [`accounts`]: what `auth` is asked and told.
//! - [`notifications`]: performing them, also after the response.
//!
//! The rules are `octo-subscriptions`; here is what HTTP makes of them.

mod accounts;
mod guards;
mod marshmallow;
mod notifications;
mod own;
mod python_json;
mod responses;
mod subscription_service;
mod werkzeug;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: all of them are small.
pub const MAX_BODY: usize = 16 * 1024;

octo_http::routes! {
    name: "subscriptions",
    about: "Subscriptions: buying, canceling and restarting what gives paid access.",
    settings: own::check_settings,
    refused: subscription_service::refused;
    // Of two paths with one parameter each, the first counts: `/subscriptions/replies/history` is a reply's.
    own { purchase, list, reply, subscription, history, cancel, restart, drain }
    subscription_service { index, purchase_for_user, change_status }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(
    octo_spin::Component::new("subscriptions", &API, MAX_BODY).database().key_value().http()
);
