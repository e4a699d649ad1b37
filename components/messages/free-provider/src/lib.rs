//! The free provider: a REST service that takes N calls per window and then none for a while.
//! What it does is `octo_providers::rest::free`; it is private, and the router is its only caller.

#![cfg(target_family = "wasm")]

use octo_providers::rest;
use octo_spin::{Logged, SettingsBlock, SpinClock, SpinKeyValue, serve};

octo_spin::export!(async |exchange| {
    serve("free-provider", Logged::Every, rest::MAX_BODY, exchange, async |request| {
        rest::free(request, &SettingsBlock::default(), &SpinKeyValue::default(), &SpinClock).await
    })
    .await
});
