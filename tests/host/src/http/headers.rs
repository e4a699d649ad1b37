//! The `spin-*` headers: how a component learns of the route its request came by.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Request};

/// The start of the names of all of them. None passes through from a caller.
const FAMILY: &str = "spin-";
const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");

/// How a request came to a component.
pub(crate) struct Arrival<'a> {
    /// The route's pattern.
    pub(crate) pattern: &'a str,
    /// The pattern without its wildcard.
    pub(crate) prefix: &'a str,
    /// What the wildcard stood for.
    pub(crate) rest: &'a str,
    /// What the names in the pattern stood for.
    pub(crate) names: &'a [(&'a str, &'a str)],
    /// Who sent it.
    pub(crate) client: HeaderValue,
}

impl Arrival<'_> {
    /// Replaces whatever of the family the caller has sent.
    pub(crate) fn write<B>(self, request: &mut Request<B>) {
        let full_url = full_url(request);
        let headers = request.headers_mut();
        remove_family(headers);
        let mut set = |name, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        set(PATH_INFO, self.rest);
        set(FULL_URL, &full_url);
        set(MATCHED_ROUTE, self.pattern.strip_suffix('/').unwrap_or(self.pattern));
        set(RAW_COMPONENT_ROUTE, self.pattern);
        set(COMPONENT_ROUTE, self.prefix);
        for (name, value) in self.names {
            let name = format!("spin-path-match-{}", name.to_ascii_lowercase());
            if let Ok(name) = HeaderName::try_from(name) {
                set(name, value);
            }
        }
        headers.insert(BASE_PATH, HeaderValue::from_static("/"));
        headers.insert(CLIENT_ADDR, self.client);
    }
}

fn full_url<B>(request: &Request<B>) -> String {
    let host =
        request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    format!("http://{host}{path}")
}

fn remove_family(headers: &mut HeaderMap) {
    let sent: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(FAMILY)).cloned().collect();
    for name in sent {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_tell_the_route_and_nothing_of_the_family_is_forwarded() {
        let mut request = Request::builder()
            .uri("/users/7/posts?x=1")
            .header("host", "localhost:3000")
            .header("spin-path-match-admin", "yes")
            .header("spin-client-addr", "8.8.8.8:1")
            .header("accept", "*/*")
            .body(())
            .unwrap();
        let arrival = Arrival {
            pattern: "/users/:id/...",
            prefix: "/users/:id",
            rest: "/posts",
            names: &[("id", "7")],
            client: HeaderValue::from_static("127.0.0.1:5"),
        };
        arrival.write(&mut request);
        let mut headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        assert_eq!(
            headers,
            [
                "accept: */*",
                "host: localhost:3000",
                "spin-base-path: /",
                "spin-client-addr: 127.0.0.1:5",
                "spin-component-route: /users/:id",
                "spin-full-url: http://localhost:3000/users/7/posts?x=1",
                "spin-matched-route: /users/:id/...",
                "spin-path-info: /posts",
                "spin-path-match-id: 7",
                "spin-raw-component-route: /users/:id/...",
            ]
        );
    }
}
