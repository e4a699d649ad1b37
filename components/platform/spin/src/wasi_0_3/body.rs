//! Bodies, whole.

use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use spin_sdk_7::wasip3::http_compat::{IncomingBody, IncomingMessage};

/// Why a body was not read.
pub(super) enum ReadError {
    /// It has more bytes than allowed.
    TooLarge,
    /// It broke off.
    Broken,
}

/// Reads a body of at most `limit` bytes, which may have announced its length; dropping the future gives up.
pub(super) async fn read<T: IncomingMessage>(
    body: IncomingBody<T>,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    let announced: Option<usize> =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ReadError::TooLarge);
    }
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { ReadError::TooLarge } else { ReadError::Broken }
    })?;
    let body = Vec::from(body.to_bytes());
    // A body that is shorter than announced was cut.
    if announced.is_some_and(|length| body.len() < length) { Err(ReadError::Broken) } else { Ok(body) }
}

/// Announces the length of a body.
pub(super) fn with_length(headers: &mut HeaderMap, length: usize) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}
