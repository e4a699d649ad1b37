//! Where a request comes from: the client's network address.
//!
//! By default the one of the connection, which the platform puts into `spin-client-addr`; Spin removes what a client
//! sends under that name. Behind proxies that is the last proxy's address; each of them appends to
//! `X-Forwarded-For` the address it was called from, so with N trusted proxies the Nth entry from the end is the
//! client. What stands before it anybody may have written.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

const CONNECTION: &str = "spin-client-addr";
const FORWARDED: &str = "x-forwarded-for";

/// The address, as far as it tells clients apart: of IPv6 the first 64 bits, for the rest is the client's to choose.
/// Empty when nothing is known.
pub fn of(headers: &HeaderMap, trusted_proxies: usize) -> String {
    let address = match trusted_proxies {
        0 => None,
        proxies => forwarded(headers, proxies),
    };
    match address.or_else(|| parse(headers.get(CONNECTION)?.to_str().ok()?)) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        },
        None => String::new(),
    }
}

fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    parse(entries.iter().rev().nth(proxies - 1)?)
}

/// An address with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn source(connection: &'static str, forwarded: &[&'static str], proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
        for line in forwarded {
            headers.append(FORWARDED, HeaderValue::from_static(line));
        }
        of(&headers, proxies)
    }

    #[test]
    fn the_connection_counts_unless_proxies_are_trusted() {
        assert_eq!(source("192.0.2.1:80", &["198.51.100.7"], 0), "192.0.2.1");
        assert_eq!(source("192.0.2.1:80", &["203.0.113.9, 198.51.100.7"], 1), "198.51.100.7");
        assert_eq!(source("192.0.2.1:80", &["203.0.113.9, 198.51.100.7"], 2), "203.0.113.9");
        assert_eq!(source("192.0.2.1:80", &["203.0.113.9", "198.51.100.7"], 2), "203.0.113.9");
        assert_eq!(source("192.0.2.1:80", &["198.51.100.7"], 2), "192.0.2.1", "no such entry");
        assert_eq!(source("192.0.2.1:80", &["nonsense"], 1), "192.0.2.1");
    }

    #[test]
    fn of_ipv6_the_network_counts() {
        assert_eq!(source("[2001:db8:1:2:3:4:5:6]:80", &[], 0), "2001:db8:1:2::");
        assert_eq!(source("[::ffff:192.0.2.1]:80", &[], 0), "192.0.2.1");
        assert_eq!(of(&HeaderMap::new(), 1), "");
    }
}
