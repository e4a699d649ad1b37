//! The paid provider: a REST service that takes every call with its credential and meters each.
//! What it does is `octo_providers::rest::paid`; it is private, and the router is its only caller.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

use octo_providers::rest;
use octo_spin::{Logged, SettingsBlock, SpinClock, SpinKeyValue, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    serve("paid-provider", Logged::Every, rest::MAX_BODY, incoming, out, async |request| {
        rest::paid(request, &SettingsBlock::default(), &SpinKeyValue::default(), &SpinClock).await
    })
    .await;
}
