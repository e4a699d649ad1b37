//! The answer that repeats get.

use std::io::{Read, Write};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::{Response, prefer::PREFERENCE_APPLIED, respond};

/// Longest body stored, in bytes. An answer beyond is not stored, and its repeats find the outcome unknown.
pub const MAX_BODY_BYTES: usize = 512 * 1024;

/// The fields that belong to the answer. Others are about the moment it was given (limits, the request's
/// id), or are secrets (cookies), which must not lie in the store.
const KEPT: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_LANGUAGE,
    header::ETAG,
    header::LINK,
    header::LOCATION,
    PREFERENCE_APPLIED,
];
/// The mark of an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A body longer than this is compressed: a message of control characters, six bytes each in JSON, would else take
/// half a megabyte of the store.
const COMPRESSED_FROM: usize = 1024;

/// An answer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(with = "base64_text")]
    body: Vec<u8>,
    /// Whether the body is compressed (RFC 1951).
    #[serde(default)]
    deflated: bool,
}

/// Bytes as base64 in JSON; as a list of numbers they would be several times as long.
mod base64_text {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl StoredAnswer {
    /// What is kept of `response`; `None` when its body is longer than [`MAX_BODY_BYTES`].
    pub fn of(response: &Response) -> Option<Self> {
        let kept = KEPT.into_iter().filter_map(|name| {
            let value = response.headers().get(&name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        });
        let body = response.body();
        let deflated = body.len() > COMPRESSED_FROM;
        (body.len() <= MAX_BODY_BYTES).then(|| Self {
            status: response.status().as_u16(),
            headers: kept.collect(),
            body: if deflated { deflate(body) } else { body.clone() },
            deflated,
        })
    }

    /// About how many bytes of the store it takes.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        headers + self.body.len().div_ceil(3) * 4
    }

    /// The answer again, marked as a repetition.
    pub fn into_response(self) -> Response {
        // Both were valid when they were stored.
        let mut response = respond::empty(StatusCode::from_u16(self.status).unwrap_or_default());
        *response.body_mut() = if self.deflated { inflate(&self.body) } else { self.body };
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    // What was deflated here is whole, and never longer than this.
    let _ = DeflateDecoder::new(bytes).take(MAX_BODY_BYTES as u64).read_to_end(&mut body);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_the_answer_without_what_was_of_the_moment() {
        let mut response = respond::json(StatusCode::CREATED, &"ok");
        for (name, value) in [
            ("location", "/messages/1"),
            ("preference-applied", "wait=5"),
            ("set-cookie", "secret"),
            ("ratelimit", r#""free";r=1"#),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let replay = StoredAnswer::of(&response).unwrap().into_response();
        assert_eq!((replay.status(), replay.body()), (StatusCode::CREATED, response.body()));
        let mut names: Vec<_> = replay.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["cache-control", "content-type", "idempotency-replayed", "location", "preference-applied"]
        );
        assert_eq!(replay.headers()["idempotency-replayed"], "true");
        assert_eq!(replay.headers()["content-type"], "application/json");
    }

    #[test]
    fn a_long_body_is_stored_compressed_and_comes_back_as_it_was() {
        let control = |seed: usize| (0..64 * 1024).map(move |index| (index * index + seed) % 29 + 1);
        let escaped: String = control(3).map(|code| format!("\\u{code:04x}")).collect();
        for body in [vec![], vec![7; COMPRESSED_FROM], escaped.into_bytes(), vec![0xff; MAX_BODY_BYTES]] {
            let stored = StoredAnswer::of(&Response::new(body.clone())).unwrap();
            assert!(stored.size() <= 2 * 64 * 1024, "{} bytes for {}", stored.size(), body.len());
            assert!(serde_json::to_vec(&stored).unwrap().len() <= stored.size() + 100);
            assert_eq!(stored.into_response().body(), &body);
        }
        // As it was stored before bodies were compressed.
        let before = r#"{"status":200,"headers":[],"body":"aGk="}"#;
        let before: StoredAnswer = serde_json::from_str(before).unwrap();
        assert_eq!(before.into_response().body(), b"hi");
    }

    #[test]
    fn an_answer_too_long_is_not_stored() {
        assert!(StoredAnswer::of(&Response::new(vec![b'a'; MAX_BODY_BYTES])).is_some());
        assert!(StoredAnswer::of(&Response::new(vec![b'a'; MAX_BODY_BYTES + 1])).is_none());
    }
}
