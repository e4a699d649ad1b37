//! The rate of a demonstration: the central bank's daily JSON with a dollar at 84.004 roubles, dated today. It is private,
//! and only asked when `delivery_rate_origin` names it.

#![cfg(target_family = "wasm")]

use http::StatusCode;
use octo_core::{Clock, UnixMillis, UtcDay};
use octo_http::respond;
use octo_spin::{Logged, SpinClock, serve};

/// Largest body read, in bytes: none is looked at.
const MAX_BODY: usize = 1024;

/// Moscow is three hours ahead.
const AHEAD_MS: i64 = 3 * 3600 * 1000;

octo_spin::export!(async |exchange| {
    serve("rate-source", Logged::Failures, MAX_BODY, exchange, async |_| {
        let today = UtcDay::containing(UnixMillis(SpinClock.now().0 + AHEAD_MS));
        let daily = format!(
            r#"{{"Date":"{today}T11:30:00+03:00","Valute":{{"USD":{{"CharCode":"USD","Nominal":1,"Name":"A dollar, made up","Value":84.004}}}}}}"#
        );
        Ok(respond::with_body(StatusCode::OK, "application/json", daily.into_bytes()))
    })
    .await
});
