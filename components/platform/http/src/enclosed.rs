//! An answer inside the body of another, for one whose head is sent before it is known.
//!
//! The first line is its head as JSON; what follows is its body as it is. Before it there may be padding.

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::{Response, respond};

/// A byte that means nothing before a response.
pub const PADDING: u8 = b'\n';

#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

/// The bytes that carry `response`.
pub fn pack(response: &Response) -> Vec<u8> {
    let headers = response.headers().iter();
    // What is not text is none of our own fields.
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let head = Head { status: response.status().as_u16(), headers: headers.collect() };
    let mut bytes = serde_json::to_vec(&head).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(response.body());
    bytes
}

/// The response that is in `bytes`; `None` when there is none, or not all of its head.
pub fn unpack(bytes: &[u8]) -> Option<Response> {
    let begin = bytes.iter().position(|byte| *byte != PADDING)?;
    let bytes = bytes.get(begin..)?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = bytes.split_at_checked(end)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let mut response = respond::empty(StatusCode::from_u16(head.status).ok()?);
    for (name, value) in head.headers {
        response.headers_mut().append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    *response.body_mut() = body.get(1..)?.to_vec();
    Some(response)
}

#[cfg(test)]
mod tests {
    use octo_core::Problem;

    use super::*;

    #[test]
    fn a_response_comes_out_as_it_went_in() {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow-down", "Slow", "down").retry_after(7);
        let mut twice = respond::json(StatusCode::OK, &"a\nb");
        for value in ["1", "2"] {
            twice.headers_mut().append("link", HeaderValue::from_static(value));
        }
        for response in
            [respond::problem(&problem), twice, Response::new(vec![]), Response::new(b"\n{}\n\xff".to_vec())]
        {
            assert!(unpack(&[&[PADDING; 3][..], &pack(&response)].concat()).is_some());
            let out = unpack(&pack(&response)).unwrap();
            assert_eq!((out.status(), out.body()), (response.status(), response.body()));
            assert_eq!(out.headers(), response.headers());
        }
    }

    #[test]
    fn what_was_cut_in_its_head_or_is_something_else_is_none() {
        let bytes = pack(&respond::json(StatusCode::OK, &1));
        for wrong in [&b""[..], b"\n", b"null\n", b"{}\n", b"<html>", bytes.get(..9).unwrap()] {
            assert!(unpack(wrong).is_none());
        }
    }
}
