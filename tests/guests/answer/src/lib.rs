//! Answers every request with `ok`: the floor of the host.
//!
//! The benchmark measures it to learn what a request costs before a component does any work.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

use spin_sdk::http::{IntoResponse, Request, Response};
use spin_sdk::http_component;

/// Sends the length with the body, so that head and body leave the host in one piece.
#[http_component]
fn answer(_request: Request) -> impl IntoResponse {
    Response::builder()
        .status(200)
        .header("content-type", "text/plain")
        .header("content-length", "2")
        .body("ok")
        .build()
}
