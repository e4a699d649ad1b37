//! What the platform itself says of a request: where it comes from, and the whole URL it was sent to.
//!
//! Spin says so in fields of its own, which it appends after those of the client. A client may send lines under the same
//! names, and they arrive: only the **last** line of a name is the platform's.

use http::HeaderMap;

const CLIENT_ADDRESS: &str = "spin-client-addr";
const FULL_URL: &str = "spin-full-url";

/// The address and port of the connection, as text.
pub fn client_address(headers: &HeaderMap) -> Option<&str> {
    last(headers, CLIENT_ADDRESS)
}

/// The URL with scheme and host. WASI keeps `Host` from components.
pub fn full_url(headers: &HeaderMap) -> Option<&str> {
    last(headers, FULL_URL)
}

/// Whether the client speaks TLS, to us or to the proxy in front.
pub fn is_https(headers: &HeaderMap) -> bool {
    let by_proxy =
        headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes().starts_with(b"https"));
    by_proxy || full_url(headers).is_some_and(|url| url.starts_with("https:"))
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    str::from_utf8(headers.get_all(name).iter().next_back()?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(lines: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_last_line_is_the_platforms_whatever_a_client_sends_before_it() {
        let sent = headers(&[
            (CLIENT_ADDRESS, b"192.0.2.1:1"),
            (FULL_URL, b"https://evil.example/"),
            (CLIENT_ADDRESS, b"192.0.2.2:2"),
            (FULL_URL, b"http://octo.example/users/\xc3\xbc"),
        ]);
        assert_eq!(client_address(&sent), Some("192.0.2.2:2"));
        assert_eq!(full_url(&sent), Some("http://octo.example/users/ü"));
        assert!(!is_https(&sent));
    }

    #[test]
    fn what_cannot_be_read_is_not_replaced_by_an_earlier_line() {
        let sent = headers(&[(CLIENT_ADDRESS, b"192.0.2.1:1"), (CLIENT_ADDRESS, b"\xff")]);
        assert_eq!(client_address(&sent), None);
        assert_eq!(client_address(&headers(&[])), None);
    }

    #[test]
    fn tls_is_known_from_the_url_or_from_the_proxy() {
        assert!(is_https(&headers(&[(FULL_URL, b"https://octo.example/")])));
        assert!(is_https(&headers(&[("x-forwarded-proto", b"https"), (FULL_URL, b"http://octo.example/")])));
        assert!(!is_https(&headers(&[("x-forwarded-proto", b"http")])));
    }
}
