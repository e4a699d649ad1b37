//! Increments one counter of the key-value store: the floor of counting there.
//!
//! The benchmark measures it to learn how many messages a second can be counted one by one.
#![cfg(target_family = "wasm")]

use octo_core::{KeyValue, Problem};
use octo_http::{Request, Response};
use octo_spin::{Logged, SpinKeyValue, serve};

octo_spin::export!(async |exchange| serve("increment", Logged::Failures, 0, exchange, increment).await);

async fn increment(_: Request) -> Result<Response, Problem> {
    SpinKeyValue::default().increment("increments", 1).await?;
    Ok(Response::new(b"ok".to_vec()))
}
