//! Answers first and works afterwards: it adds one to the counter `afterwards` when its answer is on its way.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

use spin_sdk::http::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};
use spin_sdk::http_component;
use spin_sdk::wit::wasi::keyvalue::{atomics, store};

/// Hands its whole answer to the host, then uses the store.
#[http_component]
async fn afterwards(_request: IncomingRequest, out: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    if out.set_with_body(response, b"ok".to_vec()).await.is_err() {
        return;
    }
    let counted = store::open("default").and_then(|bucket| atomics::increment(&bucket, "afterwards", 1));
    println!("afterwards: {counted:?}");
}
