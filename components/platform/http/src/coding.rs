//! Which bodies a component takes in: one that came too slowly, or in a coding (`Content-Encoding`) that is not taken, is
//! refused before anybody tries to read it as something else.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use octo_core::Problem;

use crate::exchange::{BodyError, Request};

/// What a component takes in of the bodies it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Bodies {
    /// Most bytes of one.
    pub most: usize,
    /// Whether it may be in gzip; the component decodes it.
    pub gzip: bool,
}

impl From<usize> for Bodies {
    fn from(most: usize) -> Self {
        Self { most, gzip: false }
    }
}

impl Bodies {
    /// Refuses a body that came too slowly, whether or not somebody would have read it; and one in a coding that is not
    /// taken: 415, with those that are (RFC 9110, section 15.5.16).
    ///
    /// # Errors
    /// When it is such a body.
    pub fn check(self, request: &Request) -> Result<(), Problem> {
        if let Err(late @ BodyError::Late(_)) = request.body() {
            return Err((*late).into());
        }
        let is_empty = request.body().as_ref().is_ok_and(Vec::is_empty);
        let headers = request.headers();
        if is_empty || codings(headers).next().is_none() || (self.gzip && is_gzip(headers)) {
            return Ok(());
        }
        let taken = if self.gzip { "gzip, identity" } else { "identity" };
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-content-encoding",
            "The body's coding is not supported",
            format!("Send the body in one of these codings (`content-encoding`): {taken}."),
        )
        .header(header::ACCEPT_ENCODING, taken))
    }
}

/// Whether a body is in gzip, and in nothing else.
pub(crate) fn is_gzip(headers: &HeaderMap) -> bool {
    let mut codings = codings(headers);
    let is_gzip =
        |coding: &[u8]| [&b"gzip"[..], b"x-gzip"].iter().any(|own| coding.eq_ignore_ascii_case(own));
    codings.next().is_some_and(is_gzip) && codings.next().is_none()
}

/// The codings of a body but for `identity`, which is none.
fn codings(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    let entries = lines.flat_map(|line| line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii));
    entries.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(gzip: bool, lines: &[&str], body: &[u8]) -> bool {
        let mut request = http::Request::post("/");
        for line in lines {
            request = request.header("content-encoding", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let result = Bodies { most: 100, gzip }.check(&request.body(Ok(body.to_vec())).unwrap());
        if let Err(problem) = &result {
            assert_eq!(problem.status, 415);
            let (name, taken) = &problem.headers[0];
            assert_eq!(name, "accept-encoding");
            assert_eq!(taken, if gzip { "gzip, identity" } else { "identity" });
        }
        result.is_err()
    }

    #[test]
    fn a_coding_that_is_not_taken_is_refused() {
        for lines in [&["gzip"][..], &["GZIP"], &["x-gzip"], &["identity, gzip"], &["identity", "gzip"]] {
            assert!(refused(false, lines, b"x"), "{lines:?}");
            assert!(!refused(true, lines, b"x"), "{lines:?}");
        }
        for lines in
            [&["br"][..], &["deflate"], &["gzip, gzip"], &["gzip", "br"], &["br, gzip"], &["ü"], &["zstd"]]
        {
            assert!(refused(false, lines, b"x") && refused(true, lines, b"x"), "{lines:?}");
        }
    }

    #[test]
    fn a_body_in_no_coding_is_taken_and_none_is_in_none() {
        for lines in [&[][..], &["identity"], &["Identity, identity"], &["", ","]] {
            assert!(!refused(false, lines, b"x") && !refused(true, lines, b"x"), "{lines:?}");
        }
        assert!(!refused(false, &["gzip"], b""));
    }

    #[test]
    fn a_body_that_came_too_slowly_is_refused_even_where_nobody_reads_it() {
        let of = |error| {
            let request = http::Request::post("/").body(Err(error)).unwrap();
            Bodies::from(100).check(&request).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(of(BodyError::Late(std::time::Duration::from_secs(15))), Err(408));
        assert_eq!([of(BodyError::TooLarge(100)), of(BodyError::Broken)], [Ok(()), Ok(())]);
    }
}
