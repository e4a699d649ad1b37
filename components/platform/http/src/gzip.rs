//! Bodies in gzip (RFC 9110, section 8.4.1.3), as the clients of the original loyalty system send and take them.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use octo_core::Problem;

use crate::{
    body::malformed,
    coding,
    exchange::{BodyError, Request, Response},
};

/// The request with its body as it was before it was compressed. `most` bytes of that are read. One in another coding has
/// not passed [`coding`](crate::coding).
pub fn decoded(mut request: Request, most: usize) -> Result<Request, Problem> {
    let Ok(bytes) = request.body() else { return Ok(request) };
    if bytes.is_empty() || !coding::is_gzip(request.headers()) {
        return Ok(request);
    }
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = GzDecoder::new(bytes.as_slice()).take(limit).read_to_end(&mut plain);
    read.map_err(|_| malformed("The body is not the gzip that `content-encoding` says it is."))?;
    *request.body_mut() = if plain.len() > most { Err(BodyError::TooLarge(most)) } else { Ok(plain) };
    request.headers_mut().remove(header::CONTENT_ENCODING);
    Ok(request)
}

/// Whether the client takes gzip.
pub fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let (coding, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|text| text.parse::<f32>().ok());
        coding.trim().eq_ignore_ascii_case("gzip") && weight.unwrap_or(1.0) > 0.0
    })
}

/// The answer in gzip, if it has a body.
pub fn encoded(mut response: Response) -> Response {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    if response.body().is_empty() || encoder.write_all(response.body()).is_err() {
        return response;
    }
    let Ok(bytes) = encoder.finish() else { return response };
    *response.body_mut() = bytes;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 100;

    fn sent(coding: &str, body: Vec<u8>) -> Request {
        http::Request::post("/").header("content-encoding", coding).body(Ok(body)).unwrap()
    }

    fn compressed(text: &str) -> Vec<u8> {
        encoded(Response::new(text.into())).into_body()
    }

    #[test]
    fn what_was_compressed_is_read() {
        for coding in ["gzip", "X-GZIP"] {
            let request = decoded(sent(coding, compressed("hello")), MOST).unwrap();
            assert_eq!(request.body().as_ref().unwrap(), b"hello");
            assert!(request.headers().is_empty());
        }
        let request = decoded(sent("identity", b"hello".into()), MOST).unwrap();
        assert_eq!(request.into_body().unwrap(), b"hello");
    }

    #[test]
    fn what_is_no_gzip_or_swells_is_refused() {
        let mut cut = compressed("hello");
        cut.truncate(12);
        for body in [b"hello".to_vec(), cut] {
            assert_eq!(decoded(sent("gzip", body), MOST).unwrap_err().status, 400);
        }
        assert!(decoded(sent("gzip", compressed(&"x".repeat(MOST))), MOST).unwrap().body().is_ok());
        for size in [MOST + 1, 10_000_000] {
            let request = decoded(sent("gzip", compressed(&"x".repeat(size))), MOST).unwrap();
            assert_eq!(request.into_body(), Err(BodyError::TooLarge(MOST)));
        }
    }

    #[test]
    fn who_takes_gzip_says_so() {
        let accepts = |value: &'static str| {
            is_accepted(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(accepts("gzip") && accepts("br, GZIP;q=0.5, *") && accepts("deflate,gzip"));
        assert!(!accepts("") && !accepts("br") && !accepts("gzip;q=0") && !is_accepted(&HeaderMap::new()));
    }
}
