//! The paid provider: a REST service that takes every call with its credential and meters each.
//! What it does is `octo_providers::rest::paid`; it is private, and the router is its only caller.

#![cfg(target_family = "wasm")]

use octo_providers::rest;
use octo_spin::{Logged, SettingsBlock, SpinClock, SpinKeyValue, serve};

octo_spin::export!(async |exchange| {
    serve("paid-provider", Logged::Every, rest::MAX_BODY, exchange, async |request| {
        rest::paid(request, &SettingsBlock::default(), &SpinKeyValue::default(), &SpinClock).await
    })
    .await
});
