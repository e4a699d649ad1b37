//! Sign-on: accounts, sessions and the keys that sign tokens.
//!
//! - [`accounts`], [`sessions`], [`tokens`], [`administration`]: our own routes.
//! - [`shared`]: routes that we share with the original systems, and whose client sends a request to them.
//! - [`message_handler`], [`shop`], [`loyalty`]: the same accounts for the clients of the original systems.
//! - [`figures`]: figures for Prometheus.
//! - [`internal`], [`upkeep`]: routes for the other components.
//! - [`guards`]: who sends a request, and whether they may.
//!
//! The rules are `octo-identity`; here is what HTTP makes of them.

mod accounts;
mod administration;
mod figures;
mod guards;
mod internal;
mod loyalty;
mod message_handler;
mod responses;
mod sessions;
mod shared;
mod shop;
mod tokens;
mod upkeep;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: names, a password, and what the originals' clients add (a small picture).
pub const MAX_BODY: usize = 256 * 1024;

octo_http::routes! {
    name: "accounts",
    about: "Accounts, sessions and tokens: one login for everything.",
    settings: guards::check_settings,
    refused: shared::refused;
    shared { register, log_in, refresh, log_out, me, change_me, user, change_user, delete_user }
    accounts { make_first_administrator, delete_me, change_password }
    sessions { sessions, end_sessions, end_session }
    tokens { revoke, introspect, keys }
    administration { users, user_sessions, end_user_sessions, replace_key, audit }
    message_handler { welcome, request_verify_token, verify }
    loyalty { register, info, ready, healthz }
    shop { root, health, register, token, admin_token, me, change_me }
    figures { metrics }
    internal { account_for_service, administers, token_state, note_subscribed, note_act }
    upkeep { settings, drain }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(
    octo_spin::Component::new("auth", &API, MAX_BODY)
        .gzip()
        .database()
        .key_value()
        .keys(guards::own_keys)
        .counts_requests()
);
