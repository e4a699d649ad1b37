//! Sign-on for gRPC clients: the service `auth.Auth` of the original loyalty system, and server reflection.
//!
//! It has no accounts, no database and no rules of its own. Each call becomes one request to `auth`, which the HTTP clients
//! of that system send too ([`sign_on`]); so accounts, rules and throttling are the same whichever way somebody comes, and
//! what is left here is what one protocol makes of the other's responses ([`service`]).
//!
//! - [`call`]: one call from arrival to log line: what is refused before a method sees it, and how long it may take.
//! - [`service`]: the methods.
//! - [`sign_on`]: asking `auth`.
//! - [`reflection`]: what the service looks like, for programs such as `grpcurl`.
//! - [`proto`]: `auth.proto` as code.
//!
//! Only the lane of WASI 0.3 has it: gRPC needs HTTP/2 and trailers, which Spin's HTTP trigger has for components of WASI 0.3.

mod call;
mod proto;
mod reflection;
mod service;
mod sign_on;

#[cfg(test)]
mod tests;

pub use call::serve;

#[cfg(all(target_family = "wasm", wasi_0_3))]
octo_spin::export!(async |exchange| {
    let app = octo_spin::Component::without_routes("grpc").key_value().http().into_app();
    octo_spin::serve_streams(exchange, async |request| serve(&app, request).await).await
});
