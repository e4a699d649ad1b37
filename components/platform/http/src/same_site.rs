//! Cross-site request forgery: a page of another site must not use the cookies of a person's browser.
//!
//! Browsers say where a request comes from, in `Sec-Fetch-Site` (Fetch Metadata) and, older ones, in `Origin`.
//! Programs say neither, and nobody makes them send cookies they did not choose; so clients without a browser work
//! as ever. The cookie's `SameSite=lax` is a second barrier.

use http::{HeaderMap, Method, header};

use crate::platform;

/// Whether a page of another site made this request, and it could change something.
pub fn is_forged(method: &Method, headers: &HeaderMap) -> bool {
    !method.is_safe() && is_from_another_site(headers)
}

fn is_from_another_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        // `none`: the person's own doing, such as a bookmark.
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or("");
    // Without the scheme: a proxy that speaks TLS for us changes it.
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    authority.is_empty() || !authority.eq_ignore_ascii_case(own_authority(headers))
}

/// Host and port that the request was sent to, as the platform says; `Host` where it hides nothing.
fn own_authority(headers: &HeaderMap) -> &str {
    let full_url = platform::full_url(headers).and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    let host = || headers.get(header::HOST).and_then(|value| value.to_str().ok());
    full_url.map(|rest| rest.split(['/', '?']).next().unwrap_or("")).or_else(host).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn forged(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        is_forged(request.method(), request.headers())
    }

    #[test]
    fn only_other_sites_are_kept_out_and_only_from_what_changes_something() {
        let host = ("host", "octo.example");
        assert!(!forged("POST", &[host]), "a program");
        assert!(!forged("POST", &[host, ("sec-fetch-site", "same-origin")]));
        assert!(!forged("POST", &[host, ("sec-fetch-site", "none")]));
        assert!(!forged("POST", &[host, ("origin", "https://octo.example")]));
        let full_url = ("spin-full-url", "http://octo.example/messages?x=1");
        assert!(!forged("POST", &[full_url, ("origin", "https://octo.example")]));
        assert!(forged("POST", &[full_url, ("origin", "https://evil.example")]));
        let own = ("spin-full-url", "http://evil.example/");
        assert!(
            forged("POST", &[own, full_url, ("origin", "https://evil.example")]),
            "a line of the client's"
        );
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "https://octo.example.evil.example"),
            ("origin", "null"),
            ("origin", ""),
        ] {
            for method in ["POST", "PATCH", "PUT", "DELETE"] {
                assert!(forged(method, &[host, (name, value)]), "{method} {name}: {value}");
            }
            assert!(!forged("GET", &[host, (name, value)]), "{name}: {value}");
        }
    }
}
