//! Where a request comes from: the client's network address.
//!
//! By default the one of the connection, which the platform says ([`platform::client_address`]). Behind proxies that is the
//! last proxy's address; each of them appends to `X-Forwarded-For` the address it was called from, so with N trusted
//! proxies the Nth entry from the end is the client. What stands before it anybody may have written.
//!
//! A component that calls another for a client, as `site` and `grpc` do, is one more such proxy ([`relayed`]). Spin gives the connection of a chained
//! request the address `0.0.0.0`, which no connection from outside has.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

use crate::platform;

const FORWARDED: &str = "x-forwarded-for";
/// Bytes of addresses that are passed on.
const LONGEST: usize = 1024;
/// The source of all requests of which nothing can be read: one that they share, so that hiding is no way around a delay.
const UNKNOWN: &str = "unknown";

/// The address, as far as it tells clients apart: of IPv6 the first 64 bits, for the rest is the client's to choose.
/// Never empty.
pub fn of(headers: &HeaderMap, trusted_proxies: usize) -> String {
    let connection = platform::client_address(headers).and_then(parse);
    let is_chained = connection.is_some_and(|address| address.is_unspecified());
    let address = match trusted_proxies + usize::from(is_chained) {
        0 => None,
        proxies => forwarded(headers, proxies),
    };
    match address.or(connection) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        },
        None => UNKNOWN.to_owned(),
    }
}

/// The `X-Forwarded-For` of a call that a component makes for the client of this request: the one that came, and the
/// address of the connection, as each proxy adds it. What stands before that may be anything; who reads it counts from the end.
pub fn relayed(headers: &HeaderMap) -> String {
    let before = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok());
    let address = platform::client_address(headers).unwrap_or(UNKNOWN);
    let all = before.chain([address]).collect::<Vec<_>>().join(", ");
    let cut = all.len().saturating_sub(LONGEST);
    all.get(cut..).unwrap_or(address).to_owned()
}

/// The entry that the outermost trusted proxy wrote. As bytes: what a client has put before it need not be text.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED).iter();
    let entries: Vec<&[u8]> = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).collect();
    parse(str::from_utf8(entries.iter().rev().nth(proxies - 1)?).ok()?)
}

/// An address with or without a port, that of IPv6 with or without brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn source(connection: &[&str], forwarded: &[&[u8]], proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        for line in connection {
            headers.append("spin-client-addr", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        for line in forwarded {
            headers.append(FORWARDED, HeaderValue::from_bytes(line).unwrap());
        }
        of(&headers, proxies)
    }

    #[test]
    fn the_connection_counts_unless_proxies_are_trusted() {
        let source = |forwarded: &[&str], proxies| {
            let forwarded: Vec<&[u8]> = forwarded.iter().map(|line| line.as_bytes()).collect();
            source(&["192.0.2.1:80"], &forwarded, proxies)
        };
        assert_eq!(source(&["198.51.100.7"], 0), "192.0.2.1");
        assert_eq!(source(&["203.0.113.9, 198.51.100.7"], 1), "198.51.100.7");
        assert_eq!(source(&["203.0.113.9, 198.51.100.7"], 2), "203.0.113.9");
        assert_eq!(source(&["203.0.113.9", "198.51.100.7"], 2), "203.0.113.9");
        assert_eq!(source(&["203.0.113.9,, 198.51.100.7:1234"], 1), "198.51.100.7");
        assert_eq!(source(&["198.51.100.7"], 2), "192.0.2.1", "no such entry");
        assert_eq!(source(&["nonsense"], 1), "192.0.2.1");
        assert_eq!(source(&["\"quoted, 198.51.100.7"], 1), "198.51.100.7");
    }

    #[test]
    fn what_a_client_puts_before_the_proxys_entry_does_not_matter() {
        for before in [&b"n\xc3\xbc"[..], b"\xff", b"\t,;=", b""] {
            let line = [before, b", 198.51.100.7"].concat();
            assert_eq!(source(&["192.0.2.1:80"], &[&line], 1), "198.51.100.7", "{before:?}");
            assert_eq!(
                source(&["192.0.2.1:80"], &[before, b"198.51.100.7"], 1),
                "198.51.100.7",
                "{before:?}"
            );
        }
    }

    #[test]
    fn of_ipv6_the_network_counts() {
        assert_eq!(source(&["[2001:db8:1:2:3:4:5:6]:80"], &[], 0), "2001:db8:1:2::");
        assert_eq!(source(&["[2001:db8:1:2:3:4:5:6]"], &[], 0), "2001:db8:1:2::");
        assert_eq!(source(&["[::ffff:192.0.2.1]:80"], &[], 0), "192.0.2.1");
    }

    #[test]
    fn a_client_cannot_say_where_it_comes_from() {
        assert_eq!(source(&["203.0.113.9:1", "192.0.2.1:80"], &[], 0), "192.0.2.1");
        assert_eq!(source(&["nonsense", "192.0.2.1:80"], &[], 0), "192.0.2.1");
    }

    #[test]
    fn a_component_that_calls_for_a_client_is_one_more_proxy() {
        let chained = ["203.0.113.9:1", "0.0.0.0:0"];
        assert_eq!(source(&chained, &[b"203.0.113.9, 192.0.2.1:80"], 0), "192.0.2.1");
        assert_eq!(source(&chained, &[b"198.51.100.7, 192.0.2.1:80"], 1), "198.51.100.7");
        assert_eq!(source(&chained, &[b"203.0.113.9, 198.51.100.7", b"192.0.2.1:80"], 1), "198.51.100.7");
        // One that does not say for whom it calls, or does not know.
        assert_eq!(source(&chained, &[], 0), "0.0.0.0");
        assert_eq!(source(&chained, &[b"203.0.113.9, unknown"], 0), "0.0.0.0");
    }

    #[test]
    fn what_is_passed_on_ends_with_the_connections_address_and_is_bounded() {
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", HeaderValue::from_static("192.0.2.1:80"));
        assert_eq!(relayed(&headers), "192.0.2.1:80");
        for line in ["203.0.113.9", "198.51.100.7"] {
            headers.append(FORWARDED, HeaderValue::from_static(line));
        }
        assert_eq!(relayed(&headers), "203.0.113.9, 198.51.100.7, 192.0.2.1:80");
        headers.insert(FORWARDED, HeaderValue::from_str(&"x, ".repeat(2_000)).unwrap());
        let long = relayed(&headers);
        assert!(long.len() <= LONGEST && long.ends_with(", 192.0.2.1:80"), "{}", long.len());
    }

    #[test]
    fn what_cannot_be_read_is_one_source() {
        assert_eq!(of(&HeaderMap::new(), 1), UNKNOWN);
        assert_eq!(source(&["203.0.113.9:1", "nonsense"], &[], 0), UNKNOWN);
        assert_eq!(source(&["ü"], &[], 0), UNKNOWN);
    }
}
