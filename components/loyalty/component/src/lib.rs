//! Loyalty: points that members earn, set aside and spend.
//!
//! - [`own`]: our own routes for members, under `/points`; [`statement`]: a member's statement of account.
//! - [`administration`]: what administrators may do; [`figures`]: figures for Prometheus.
//! - [`loyalty_service`]: the routes of the original loyalty service, under `/loyalty`.
//! - [`members`]: whose points a caller may see; [`worker`]: the events of other systems.
//!
//! The rules are `octo-loyalty`; here is what HTTP makes of them.

mod administration;
mod figures;
mod loyalty_service;
mod members;
mod own;
mod responses;
mod statement;
mod worker;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes.
pub const MAX_BODY: usize = 16 * 1024;

octo_http::routes! {
    name: "loyalty",
    about: "Points: what members have, earn, set aside and spend.",
    settings: worker::check_settings,
    refused: loyalty_service::refused;
    own { balance, history, redeem, hold, see_hold, capture, release }
    statement { statement }
    administration { accounts, account, account_history, award, adjust, transfer, reverse, check }
    figures { metrics }
    worker { drain }
    loyalty_service { operate, account, ready, healthz }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(
    octo_spin::Component::new("loyalty", &API, MAX_BODY).gzip().database().key_value().http()
);
