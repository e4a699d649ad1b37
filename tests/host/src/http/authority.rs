//! Whom a request is for: the host and port in its `Host` header or its target (RFC 9112, sections 3.2 and 3.3; RFC 9113, section
//! 8.3.1).

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version, header};

use crate::allowed_hosts::CHAINING_SUFFIX;

/// `Host` is missing, there twice, or no host and port; or the target names another one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadHost;

/// The request's URI with scheme and authority. As on Spin the two places must agree, and the name of a component is no
/// host. HTTP/1.0 knows no `Host`, and HTTP/2 has it in the target.
pub(crate) fn absolute<B>(request: &Request<B>) -> Result<Uri, BadHost> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let named = match (lines.next(), lines.next()) {
        (Some(line), None) => Some(read(line.as_bytes())?),
        (None, _) => None,
        (Some(_), Some(_)) => return Err(BadHost),
    };
    let mut parts = request.uri().clone().into_parts();
    let target = parts.authority.take().map(|authority| read(authority.as_str().as_bytes())).transpose()?;
    let authority = match (named, target) {
        (Some(named), Some(target)) if named != target => return Err(BadHost),
        (Some(named), _) => named,
        (None, target) if request.version() < Version::HTTP_11 => {
            target.unwrap_or_else(|| Authority::from_static("localhost"))
        }
        (None, Some(target)) if request.version() >= Version::HTTP_2 => target,
        (None, _) => return Err(BadHost),
    };
    if authority.host().to_ascii_lowercase().ends_with(CHAINING_SUFFIX) {
        return Err(BadHost);
    }
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|_| BadHost)
}

fn read(text: &[u8]) -> Result<Authority, BadHost> {
    let authority = Authority::try_from(text).map_err(|_| BadHost)?;
    let (host, text) = (authority.host(), authority.as_str());
    // The parser takes user names, and a port of any letters.
    let port = text.strip_prefix(host).ok_or(BadHost)?;
    let is_port = |port: &str| port.is_empty() || (port.parse::<u16>().is_ok() && !port.starts_with('+'));
    let valid = !host.is_empty() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    if valid { Ok(authority) } else { Err(BadHost) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(version: Version, target: &str, hosts: &[&[u8]]) -> Option<String> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header("host", http::HeaderValue::from_bytes(host).unwrap());
        }
        absolute(&request.body(()).unwrap()).ok().map(|uri| uri.to_string())
    }

    #[test]
    fn one_valid_host_is_needed() {
        let sent = |hosts: &[&[u8]]| uri(Version::HTTP_11, "/a?b", hosts);
        for host in ["x", "octo.example:3000", "127.0.0.1:80", "[::1]:3000", "[::1]", "x:", "X"] {
            assert_eq!(sent(&[host.as_bytes()]).unwrap(), format!("http://{host}/a?b"), "{host}");
        }
        for host in [
            &b""[..],
            b"a b",
            b"x/y",
            b"http://x",
            b"user@x",
            b"x:port",
            b"x:99999",
            b"x:+80",
            b":80",
            b"[::1",
            b"x\xff",
            b"free-provider.spin.internal",
            b"Free-Provider.Spin.Internal:80",
        ] {
            assert_eq!(sent(&[host]), None, "{:?}", String::from_utf8_lossy(host));
        }
        assert_eq!(sent(&[]), None);
        assert_eq!(sent(&[b"x", b"x"]), None);
        assert_eq!(sent(&[b"x", b"y"]), None);
    }

    #[test]
    fn a_target_with_a_host_must_name_the_same() {
        let sent = |hosts: &[&[u8]]| uri(Version::HTTP_11, "http://x:1/a", hosts);
        assert_eq!(sent(&[b"x:1"]).as_deref(), Some("http://x:1/a"));
        assert_eq!((sent(&[b"y"]), sent(&[])), (None, None));
    }

    #[test]
    fn http_2_has_it_in_the_target() {
        let sent = |target: &str, hosts: &[&[u8]]| uri(Version::HTTP_2, target, hosts);
        assert_eq!(sent("http://x:1/a", &[]).as_deref(), Some("http://x:1/a"));
        assert_eq!(sent("http://x:1/a", &[b"x:1"]).as_deref(), Some("http://x:1/a"));
        assert_eq!(sent("/a", &[b"x:1"]).as_deref(), Some("http://x:1/a"));
        for (target, hosts) in
            [("http://x/a", &[&b"y"[..]][..]), ("/a", &[]), ("http://hidden.spin.internal/a", &[])]
        {
            assert_eq!(sent(target, hosts), None, "{target}");
        }
    }

    #[test]
    fn http_1_0_needs_none() {
        assert_eq!(uri(Version::HTTP_10, "/a", &[]).as_deref(), Some("http://localhost/a"));
        assert_eq!(uri(Version::HTTP_10, "http://x/a", &[]).as_deref(), Some("http://x/a"));
        assert_eq!(uri(Version::HTTP_10, "/a", &[b"x"]).as_deref(), Some("http://x/a"));
        assert_eq!(uri(Version::HTTP_10, "/a", &[b"x", b"y"]), None);
    }
}
