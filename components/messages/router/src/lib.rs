//! The router: takes messages and sends each to the free or the paid provider.
//!
//! - [`own`]: our routes. [`message_handler`]: those of the earlier system of that name.
//! - [`dispatch`]: the way of one message, whichever route it came by.
//!
//! The rules are `octo-gateway`; the stores are asked through `octo-admission-backend`.

mod dispatch;
mod message_handler;
mod metered;
mod own;
mod responses;
mod stats;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: a message of the largest size whose every byte is escaped as `\u00XX`, and
/// room for the JSON around it.
pub const MAX_BODY: usize = 6 * octo_gateway::message::MAX_BYTES + 1024;

octo_http::routes! {
    name: "messages",
    about: "Messages: each goes to the free provider while its quota lasts, and to the paid one otherwise.",
    settings: own::check_settings, refused: message_handler::refused;
    own { send, quota, stats, metrics }
    message_handler { send_free, send_paid, redirected_free, redirected_paid }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(octo_spin::Component::new("router", &API, MAX_BODY).key_value().redis().http());
