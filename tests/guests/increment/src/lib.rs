//! Increments one counter of the key-value store: the floor of counting there.
//!
//! The benchmark measures it to learn how many messages a second can be counted one by one.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

use spin_sdk::http::{IntoResponse, Request, Response};
use spin_sdk::http_component;
use spin_sdk::wit::wasi::keyvalue::{atomics, store};

/// Answers `ok`, or 500 when the counter does not count.
#[http_component]
fn increment(_request: Request) -> impl IntoResponse {
    let counted = store::open("default").and_then(|bucket| atomics::increment(&bucket, "increments", 1));
    let (status, body) = if counted.is_ok() { (200, "ok") } else { (500, "no") };
    Response::builder().status(status).header("content-length", "2").body(body).build()
}
