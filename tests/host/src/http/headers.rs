//! The `spin-*` headers: how a component learns of the route its request came by.
//!
//! As on Spin they are appended: what a caller has sent under the same names reaches the component too, in lines before
//! ours. A component that believes the first line believes the caller.

use http::header::HeaderName;
use http::{HeaderValue, Request, header};

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
    pub(crate) names: &'a [(String, String)],
    /// Who sent it.
    pub(crate) client: HeaderValue,
}

impl Arrival<'_> {
    /// Appends them to whatever of the family the caller has sent.
    pub(crate) fn write<B>(self, request: &mut Request<B>) {
        let full_url = full_url(request);
        let headers = request.headers_mut();
        let mut set = |name, text: &str| {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                headers.append(name, value);
            }
        };
        set(PATH_INFO, self.rest);
        set(FULL_URL, &full_url);
        set(MATCHED_ROUTE, self.pattern.strip_suffix('/').unwrap_or(self.pattern));
        set(RAW_COMPONENT_ROUTE, self.pattern);
        set(COMPONENT_ROUTE, self.prefix);
        for (name, value) in self.names {
            let name = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
            if let Ok(name) = HeaderName::try_from(name) {
                set(name, value);
            }
        }
        headers.append(BASE_PATH, HeaderValue::from_static("/"));
        headers.append(CLIENT_ADDR, self.client);
    }
}

fn full_url<B>(request: &Request<B>) -> String {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    format!("http://{}{path}", host.unwrap_or("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: Request<()>, names: &[(String, String)]) -> Vec<String> {
        let mut request = request;
        let arrival = Arrival {
            pattern: "/users/:user_id/...",
            prefix: "/users/:user_id",
            rest: "/posts",
            names,
            client: HeaderValue::from_static("127.0.0.1:5"),
        };
        arrival.write(&mut request);
        let mut headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", str::from_utf8(value.as_bytes()).unwrap()))
            .collect();
        // A stable sort by name: the lines of one name stay in their order.
        headers.sort_by_key(|line| line.split(": ").next().unwrap().to_owned());
        headers
    }

    #[test]
    fn the_headers_tell_the_route() {
        let request = Request::builder().uri("/users/7/posts?x=1").header("host", "localhost:3000");
        assert_eq!(
            written(request.header("accept", "*/*").body(()).unwrap(), &[("user_id".into(), "7".into())]),
            [
                "accept: */*",
                "host: localhost:3000",
                "spin-base-path: /",
                "spin-client-addr: 127.0.0.1:5",
                "spin-component-route: /users/:user_id",
                "spin-full-url: http://localhost:3000/users/7/posts?x=1",
                "spin-matched-route: /users/:user_id/...",
                "spin-path-info: /posts",
                "spin-path-match-user-id: 7",
                "spin-raw-component-route: /users/:user_id/...",
            ]
        );
    }

    #[test]
    fn what_a_caller_sends_under_the_same_names_stands_before() {
        let mut request = Request::builder().uri("/users/ü");
        for name in ["spin-client-addr", "spin-full-url", "spin-path-match-admin", "spin-anything"] {
            request = request.header(name, "forged");
        }
        let headers = written(request.body(()).unwrap(), &[]);
        let of = |name: &str| {
            let name = format!("{name}: ");
            headers.iter().filter_map(|line| line.strip_prefix(&name)).collect::<Vec<_>>()
        };
        assert_eq!(of("spin-client-addr"), ["forged", "127.0.0.1:5"]);
        assert_eq!(of("spin-full-url"), ["forged", "http://localhost/users/ü"]);
        assert_eq!([of("spin-path-match-admin"), of("spin-anything")], [["forged"], ["forged"]]);
    }
}
