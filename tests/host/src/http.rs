//! HTTP, in and out.

mod authority;
pub(crate) mod guest;
mod headers;
pub(crate) mod inbound;
mod network;
pub(crate) mod outbound;
pub(crate) mod workers;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::Error;

/// A body that may still be on its way.
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// A body that is all there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer of the host itself, with a constant text.
pub(crate) fn plain(status: http::StatusCode, text: &'static str) -> http::Response<Body> {
    let mut response = http::Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    response
}
