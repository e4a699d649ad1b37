//! Which addresses a component may call: `allowed_outbound_hosts`.
//!
//! An entry is `scheme://host[:port]`, each part `*` or exact; the host may be `*.domain`, an address
//! range (`10.0.0.0/8`) or `self`; the port may be a range (`8000..8100`, end excluded). A missing port
//! is the scheme's own. A path is refused. An entry may be a template over application variables; as
//! in every released Spin it must not come out empty.

use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use url::{Host, Url};

use crate::template::Template;

/// The domain of chained calls: `http://COMPONENT.spin.internal`.
pub(crate) const CHAINING_SUFFIX: &str = ".spin.internal";

/// One entry as the manifest has it.
#[derive(Clone, Debug)]
pub(crate) enum HostEntry {
    Fixed(HostRule),
    Template(Template),
}

/// One entry, ready to check calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRule {
    scheme: Option<String>,
    host: HostPattern,
    port: PortPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Any,
    Subdomain(String),
    Range(AddressRange),
    Exact(Host),
    SelfOnly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PortPattern {
    Any,
    Range(std::ops::Range<u32>),
}

/// The addresses whose first `prefix` bits are those of `network`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AddressRange {
    network: IpAddr,
    prefix: u32,
}

/// All entries of a component.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedHosts {
    rules: Vec<HostRule>,
}

impl HostEntry {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        ensure!(
            text != "insecure:allow-all",
            "'insecure:allow-all' is not allowed; '*://*:*' allows everything"
        );
        let template = Template::parse(text)?;
        if template.is_literal() {
            HostRule::parse(text).map(Self::Fixed)
        } else {
            Ok(Self::Template(template))
        }
    }

    /// The rule, once the variables of a template are known.
    pub(crate) fn resolve(&self, value_of: impl FnMut(&str) -> Result<String>) -> Result<HostRule> {
        match self {
            Self::Fixed(rule) => Ok(rule.clone()),
            Self::Template(template) => {
                let text = template.render(value_of)?;
                HostRule::parse(&text).with_context(|| {
                    format!("the template \"{template}\" comes out as {text:?}, which is not an allowed outbound host")
                })
            }
        }
    }
}

impl HostRule {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            bail!("{text:?} does not contain a scheme (e.g., 'http://' or '*://')");
        };
        let scheme_rule = match scheme {
            "*" => None,
            _ if scheme.chars().all(char::is_alphabetic) && !scheme.is_empty() => Some(scheme.to_owned()),
            _ => bail!("{text:?} has an invalid scheme: only letters, or '*'"),
        };
        let (host, port) = split_port(rest);
        let port = port.strip_suffix('/').unwrap_or(port);
        ensure!(!port.contains('/'), "{text:?} has a path but is not allowed to");
        Ok(Self {
            scheme: scheme_rule,
            host: HostPattern::parse(host).with_context(|| format!("in {text:?}"))?,
            port: PortPattern::parse(port, scheme).with_context(|| format!("in {text:?}"))?,
        })
    }

    fn allows(&self, scheme: &str, host: &Host<&str>, port: Option<u16>) -> bool {
        self.scheme.as_deref().is_none_or(|own| own == scheme)
            && self.host.allows(host)
            && self.port.allows(port)
    }
}

/// Splits `host[:port]`, leaving the colons of an IPv6 address alone.
fn split_port(rest: &str) -> (&str, &str) {
    if HostPattern::parse(rest).is_ok() {
        return (rest, "");
    }
    rest.rsplit_once(':').unwrap_or((rest, ""))
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::SelfOnly),
            _ => {}
        }
        if let Some(range) = AddressRange::parse(text) {
            return Ok(Self::Range(range));
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        ensure!(!text.contains('/'), "{text:?} has a path but is not allowed to");
        if let Some(domain) = text.strip_prefix("*.") {
            return match Host::parse(domain) {
                Ok(Host::Domain(domain)) if !domain.contains('*') => {
                    Ok(Self::Subdomain(format!(".{domain}")))
                }
                _ => bail!("{text:?} is not a wildcard for a domain"),
            };
        }
        ensure!(!text.contains('*'), "wildcards are allowed only as subdomains");
        Host::parse(text).map(Self::Exact).with_context(|| format!("invalid host {text:?}"))
    }

    fn allows(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Subdomain(suffix), Host::Domain(domain)) => domain.ends_with(suffix.as_str()),
            (Self::Range(range), Host::Ipv4(address)) => range.contains(IpAddr::V4(*address)),
            (Self::Range(range), Host::Ipv6(address)) => range.contains(IpAddr::V6(*address)),
            (Self::Exact(Host::Domain(own)), Host::Domain(domain)) => own == domain,
            (Self::Exact(Host::Ipv4(own)), Host::Ipv4(address)) => own == address,
            (Self::Exact(Host::Ipv6(own)), Host::Ipv6(address)) => own == address,
            _ => false,
        }
    }
}

impl PortPattern {
    fn parse(text: &str, scheme: &str) -> Result<Self> {
        let range = match text {
            "*" => return Ok(Self::Any),
            "" => {
                let port = default_port(scheme).with_context(|| {
                    format!("no port was given and the scheme {scheme:?} has no default one")
                })?;
                port..port + 1
            }
            _ => match text.split_once("..") {
                Some((start, end)) => number(start)?..number(end)?,
                None => number(text)?..number(text)? + 1,
            },
        };
        Ok(Self::Range(range))
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::Range(range), Some(port)) => range.contains(&u32::from(port)),
            (Self::Range(_), None) => false,
        }
    }
}

fn number(text: &str) -> Result<u32> {
    let port: u16 = text.parse().with_context(|| format!("port {text:?} is not a number"))?;
    Ok(u32::from(port))
}

fn default_port(scheme: &str) -> Option<u32> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}

impl AddressRange {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let network: IpAddr = address.parse().ok()?;
        let prefix: u32 = prefix.parse().ok()?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then_some(Self { network, prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

impl AllowedHosts {
    /// `components` is what `*.spin.internal` stands for.
    pub(crate) fn new(
        rules: impl IntoIterator<Item = HostRule>,
        components: impl Iterator<Item = String> + Clone,
    ) -> Self {
        let rules = rules.into_iter().flat_map(|rule| match &rule.host {
            HostPattern::Subdomain(suffix) if suffix == CHAINING_SUFFIX => components
                .clone()
                .map(|id| HostRule {
                    host: HostPattern::Exact(Host::Domain(format!("{id}{CHAINING_SUFFIX}"))),
                    ..rule.clone()
                })
                .collect(),
            _ => vec![rule],
        });
        Self { rules: rules.collect() }
    }

    /// Whether `address` may be called; `scheme` is meant where it names none.
    pub(crate) fn allow(&self, address: &str, scheme: &str) -> bool {
        let parsed = match Url::parse(address) {
            Ok(url) if url.has_host() => Ok(url),
            _ => Url::parse(&format!("{scheme}://{address}")),
        };
        let Ok(url) = parsed else { return false };
        let Some(host) = url.host_str() else {
            return false;
        };
        // An unusual scheme's host is opaque to `url`; an address in it is still an address.
        let Ok(host) = Host::parse(host) else {
            return false;
        };
        let host = match &host {
            Host::Domain(domain) => Host::Domain(domain.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        };
        let port =
            url.port().or_else(|| default_port(url.scheme()).and_then(|port| u16::try_from(port).ok()));
        self.rules.iter().any(|rule| rule.allows(url.scheme(), &host, port))
    }

    /// Whether the component may call its own application over HTTP.
    pub(crate) fn allow_self(&self) -> bool {
        self.rules.iter().any(|rule| {
            matches!(rule.scheme.as_deref(), None | Some("http" | "https"))
                && matches!(rule.host, HostPattern::Any | HostPattern::SelfOnly)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rules: &[&str]) -> AllowedHosts {
        let components = ["router", "free-provider"].map(str::to_owned);
        AllowedHosts::new(rules.iter().map(|rule| HostRule::parse(rule).unwrap()), components.into_iter())
    }

    #[test]
    fn a_missing_port_is_the_one_of_the_scheme() {
        let hosts = allowed(&["http://example.com", "redis://cache"]);
        assert!(hosts.allow("http://example.com/a?b", "https"));
        assert!(hosts.allow("http://example.com:80/", "https"));
        assert!(!hosts.allow("http://example.com:8080/", "https"));
        assert!(!hosts.allow("https://example.com/", "https"));
        assert!(hosts.allow("redis://cache:6379/0", "redis"));
        assert!(hosts.allow("cache", "redis"));
        assert!(!hosts.allow("redis://cache:6380", "redis"));
    }

    #[test]
    fn wildcards_stand_for_one_part() {
        let hosts = allowed(&["*://*.example.com:*"]);
        assert!(hosts.allow("http://a.example.com:99/", "https"));
        assert!(hosts.allow("https://a.b.example.com/", "https"));
        assert!(!hosts.allow("http://example.com/", "https"));
        assert!(allowed(&["*://*:*"]).allow("http://anything:1", "https"));
    }

    #[test]
    fn ports_and_addresses_may_be_ranges() {
        let hosts = allowed(&["http://10.0.0.0/8:8000..8010", "http://[::1]:80"]);
        assert!(hosts.allow("http://10.2.3.4:8000/", "https"));
        assert!(!hosts.allow("http://10.2.3.4:8010/", "https"));
        assert!(!hosts.allow("http://11.2.3.4:8000/", "https"));
        assert!(hosts.allow("http://[::1]/", "https"));
    }

    #[test]
    fn chaining_is_allowed_by_name_or_for_every_known_component() {
        let one = allowed(&["http://free-provider.spin.internal"]);
        assert!(one.allow("http://free-provider.spin.internal/x", "https"));
        assert!(!one.allow("http://router.spin.internal/x", "https"));
        let all = allowed(&["http://*.spin.internal"]);
        assert!(all.allow("http://router.spin.internal/x", "https"));
        assert!(!all.allow("http://nobody.spin.internal/x", "https"));
    }

    #[test]
    fn a_user_name_in_the_address_does_not_hide_the_host() {
        let hosts = allowed(&["redis://cache"]);
        assert!(hosts.allow("redis://user:word@cache", "redis"));
        assert!(!hosts.allow("redis://cache@elsewhere", "redis"));
    }

    #[test]
    fn self_is_apart_from_hosts() {
        assert!(allowed(&["http://self"]).allow_self());
        assert!(!allowed(&["http://example.com"]).allow_self());
    }

    #[test]
    fn a_path_a_missing_scheme_and_nonsense_are_refused() {
        for (text, reason) in [
            ("http://a/b", "path"),
            ("http://a:80/b", "path"),
            ("example.com", "scheme"),
            ("*", "scheme"),
            ("ftp2://a", "scheme"),
            ("foo://a", "no port"),
            ("http://a:x", "not a number"),
            ("http://a.*.b", "wildcards"),
            ("http://", "invalid host"),
        ] {
            let refusal = format!("{:#}", HostRule::parse(text).unwrap_err());
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
        assert!(HostEntry::parse("insecure:allow-all").is_err());
        HostRule::parse("http://a/").unwrap();
        HostRule::parse("http://a:80/").unwrap();
    }

    #[test]
    fn a_template_must_come_out_as_an_entry() {
        let entry = HostEntry::parse("{{ url }}").unwrap();
        assert_eq!(entry.resolve(|_| Ok("http://a".into())).unwrap(), HostRule::parse("http://a").unwrap());
        for wrong in ["", "http://", "http://a/b"] {
            let refusal = entry.resolve(|_| Ok(wrong.into())).unwrap_err();
            assert!(format!("{refusal:#}").contains("{{ url }}"), "{wrong}");
        }
    }
}
