//! What a provider's response says of its limit, read from its header fields.
//!
//! Providers speak several dialects; the first one that tells something counts:
//! 1. `RateLimit: "main";r=50;t=30` with `RateLimit-Policy: "main";q=100;w=60`, lists of policies
//!    (draft-ietf-httpapi-ratelimit-headers, 08 on);
//! 2. `RateLimit: limit=100, remaining=50, reset=5` (the same draft, 07);
//! 3. `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (the same draft, to 06);
//! 4. the same three with the prefix `X-`, as many services have them without any specification.
//!
//! Each is read into policies, and of these one [`RateLimitHints`] is made. A field that is malformed, or says what cannot
//! be, is as good as missing: these fields are hints, and a response is worth its result whatever they say. This
//! module must not know what is made of them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use octo_core::{UnixMillis, time::millis};
use sfv::{BareItem, Dictionary, FieldType, List, ListEntry, Parameters, Parser};

use crate::free_tier::RateLimitHints;

/// More calls than this are no limit worth knowing; the variable `free_limit` ends there too.
const MOST_CALLS: i64 = 1_000_000_000;
/// The longest window of the variable `free_window_seconds`, 31 days: no provider is left alone for longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(31 * 24 * 3600);
/// A clock that is wrong by more than this is broken, and no use for telling where a window begins.
const FARTHEST_DATE: Duration = Duration::from_secs(24 * 3600);
/// Seconds since the epoch are larger than this, seconds from now smaller.
const EPOCH_SECONDS: i64 = 1_000_000_000;

/// One limit of a provider.
#[derive(Clone, Copy, Debug, Default)]
struct Policy {
    /// q: calls in its window.
    limit: Option<i64>,
    /// r: calls left.
    remaining: Option<i64>,
    /// t: until there are more.
    reset: Option<Duration>,
    /// w: the length of its window.
    window: Option<Duration>,
}

/// What the fields of a response that came at `now` tell of calls counted over `window`. A response out of a
/// cache tells nothing: what it says was true once.
///
/// - A limit is told by a policy whose window is `window`, or that tells a limit and nothing else.
/// - Of several policies with nothing left, the one with the latest reset counts; of others, those of another
///   window do not, and the one with the least left does.
pub fn hints(headers: &HeaderMap, window: Duration, now: UnixMillis) -> RateLimitHints {
    if headers.get(header::AGE).is_some_and(|age| age != "0") {
        return RateLimitHints::default();
    }
    let policies = policies(headers, now);
    let foreign = |policy: &Policy| policy.window.is_some_and(|known| known != window);
    let is_limit = |policy: &&Policy| {
        policy.window == Some(window)
            || policy.window.or(policy.reset).is_none() && policy.remaining.is_none()
    };
    let empty =
        policies.iter().filter(|policy| policy.remaining == Some(0)).max_by_key(|policy| policy.reset);
    let least = policies
        .iter()
        .filter(|policy| policy.remaining.is_some() && !foreign(policy))
        .min_by_key(|policy| policy.remaining);
    let binding = empty.or(least);
    RateLimitHints {
        limit: policies.iter().filter(is_limit).filter_map(|policy| policy.limit).min(),
        remaining: binding.and_then(|policy| policy.remaining),
        reset: binding.and_then(|policy| policy.reset),
        quota: binding.and_then(|policy| policy.limit),
        foreign: binding.is_some_and(foreign),
        date: date(headers).filter(|date| near(*date, now, FARTHEST_DATE)),
    }
}

/// Whether the fields say that a quota is used up.
pub fn used_up(headers: &HeaderMap, now: UnixMillis) -> bool {
    policies(headers, now).iter().any(|policy| policy.remaining == Some(0))
}

/// `Retry-After` in either form of RFC 9110, section 10.2.3, at most [`LONGEST_WAIT`]. A date is compared with the
/// response's own `Date`, for it was written by that clock. A fraction and quotes, which the RFC does not know but some
/// services send, are read; a fraction is rounded up. Of several fields, also as a proxy merges them, the longest counts.
pub fn retry_after(headers: &HeaderMap, now: UnixMillis) -> Option<Duration> {
    let its_now = date(headers).unwrap_or(now);
    let wait = |value: &HeaderValue| {
        let text = value.to_str().ok()?.trim_matches([' ', '\t', '"']);
        // A date has a comma, too.
        let date = || Some(http_date(text)?.since(its_now));
        let wait = date().or_else(|| text.split(',').filter_map(|part| whole_seconds(part.trim())).max())?;
        Some(wait.min(LONGEST_WAIT))
    };
    headers.get_all(header::RETRY_AFTER).iter().filter_map(wait).max()
}

/// Seconds, rounded up. More than a number can hold are as many as it can.
fn whole_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().unwrap_or(u64::MAX) };
    Some(Duration::from_secs(whole.saturating_add(more)))
}

fn policies(headers: &HeaderMap, now: UnixMillis) -> Vec<Policy> {
    // What the provider calls a time is a time on its own clock.
    let its_now = date(headers).unwrap_or(now);
    [list(headers), dictionary(headers), fields(headers, "", its_now), fields(headers, "x-", its_now)]
        .into_iter()
        .find(|policies| policies.iter().any(|policy| policy.limit.or(policy.remaining).is_some()))
        .unwrap_or_default()
}

/// `RateLimit: "name";r=50;t=30` and `RateLimit-Policy: "name";q=100;w=60`.
fn list(headers: &HeaderMap) -> Vec<Policy> {
    let limits = field::<List>(headers, "ratelimit").unwrap_or_default();
    let known = field::<List>(headers, "ratelimit-policy").unwrap_or_default();
    let of_policy = |name: &str| named(&known).find(|policy| policy.0 == name).map(|policy| policy.1);
    named(&limits)
        .filter_map(|(name, limit)| {
            let policy = of_policy(name);
            // Bytes, or calls at the same time, are no calls per window.
            let unit = policy.and_then(|policy| policy.get("qu")?.as_string().map(|unit| unit.as_str()));
            if unit.is_some_and(|unit| unit != "requests") {
                return None;
            }
            Some(Policy {
                limit: policy.and_then(|policy| limit_of(policy.get("q")?)),
                remaining: Some(remaining_of(limit.get("r")?)?),
                reset: limit.get("t").and_then(delay),
                window: policy.and_then(|policy| delay(policy.get("w")?)),
            })
        })
        .collect()
}

/// The items of a list that are names, with their parameters. Some services write a name as a token.
fn named(list: &List) -> impl Iterator<Item = (&str, &Parameters)> {
    list.iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::String(name) => Some((name.as_str(), &item.params)),
            BareItem::Token(name) => Some((name.as_str(), &item.params)),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    })
}

/// `RateLimit: limit=100, remaining=50, reset=5`, with the window in `RateLimit-Policy: 100;w=60`.
fn dictionary(headers: &HeaderMap) -> Vec<Policy> {
    let Some(members) = field::<Dictionary>(headers, "ratelimit") else { return vec![] };
    let member = |name: &str| members.get(name).and_then(bare);
    let limit = member("limit").and_then(limit_of);
    vec![Policy {
        limit,
        remaining: member("remaining").and_then(remaining_of),
        reset: member("reset").and_then(delay),
        window: field::<List>(headers, "ratelimit-policy").and_then(|policies| window_of(limit, &policies)),
    }]
}

/// `RateLimit-Limit: 100`, `RateLimit-Remaining: 50`, `RateLimit-Reset: 5`, with `prefix` before the names. After
/// the limit that is nearest may come all of them with their windows: `100, 100;w=60, 5000;w=86400`.
fn fields(headers: &HeaderMap, prefix: &str, its_now: UnixMillis) -> Vec<Policy> {
    let values = |name: &str| {
        let list = field::<List>(headers, &format!("{prefix}ratelimit-{name}"))?;
        // Anything else is another dialect, such as a number with commas between its digits.
        let others = list.get(1..)?;
        others.iter().all(|entry| !parameters(entry).is_empty()).then_some(list)
    };
    let first = |name: &str| values(name)?.first().and_then(bare).cloned();
    let limit = first("limit").as_ref().and_then(limit_of);
    vec![Policy {
        limit,
        remaining: first("remaining").as_ref().and_then(remaining_of),
        reset: match first("reset") {
            Some(value) => until(&value, its_now).or_else(|| delay(&value)),
            None => reset_date(headers, prefix, its_now),
        },
        window: values("limit").and_then(|policies| window_of(limit, &policies)),
    }]
}

/// A reset that is a date, as some services write it.
fn reset_date(headers: &HeaderMap, prefix: &str, its_now: UnixMillis) -> Option<Duration> {
    let name = HeaderName::try_from(format!("{prefix}ratelimit-reset")).ok()?;
    let date = http_date(headers.get(name)?.to_str().ok()?.trim())?;
    near(date, its_now, LONGEST_WAIT).then(|| date.since(its_now))
}

/// The window of the policy with this limit, of a list like `100;w=60, 5000;w=86400`.
fn window_of(limit: Option<i64>, policies: &List) -> Option<Duration> {
    let of_limit = policies.iter().filter(|entry| bare(entry).and_then(limit_of) == limit);
    of_limit.filter_map(|entry| delay(parameters(entry).get("w")?)).next()
}

/// The structured field (RFC 9651) `name`, whose lines are one value. `None` when missing or malformed.
fn field<T: FieldType>(headers: &HeaderMap, name: &str) -> Option<T> {
    let lines: Vec<_> = headers.get_all(HeaderName::try_from(name).ok()?).iter().collect();
    let value = lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>().join(&b", "[..]);
    if lines.is_empty() { None } else { Parser::new(&value).parse().ok() }
}

fn bare(entry: &ListEntry) -> Option<&BareItem> {
    match entry {
        ListEntry::Item(item) => Some(&item.bare_item),
        ListEntry::InnerList(_) => None,
    }
}

fn parameters(entry: &ListEntry) -> &Parameters {
    match entry {
        ListEntry::Item(item) => &item.params,
        ListEntry::InnerList(list) => &list.params,
    }
}

/// A limit of no calls at all would never be tried again, so it is not believed; `remaining` may be none.
fn limit_of(value: &BareItem) -> Option<i64> {
    whole(value).filter(|calls| (1..=MOST_CALLS).contains(calls))
}

fn remaining_of(value: &BareItem) -> Option<i64> {
    whole(value).filter(|calls| (0..=MOST_CALLS).contains(calls))
}

fn whole(value: &BareItem) -> Option<i64> {
    value.as_integer().map(i64::from)
}

/// Seconds, whole or with a fraction, as milliseconds.
fn seconds(value: &BareItem) -> Option<i64> {
    let fraction = || value.as_decimal().map(|decimal| i64::from(decimal.as_integer_scaled_1000()));
    whole(value).map(|seconds| seconds.saturating_mul(1000)).or_else(fraction)
}

/// Seconds from now, at most [`LONGEST_WAIT`]; not what must be a time since the epoch.
fn delay(value: &BareItem) -> Option<Duration> {
    let milliseconds = seconds(value).filter(|milliseconds| *milliseconds < EPOCH_SECONDS * 1000)?;
    Some(Duration::from_millis(u64::try_from(milliseconds).ok()?).min(LONGEST_WAIT))
}

/// A time since the epoch, in seconds or milliseconds, whichever lies near. Nobody says which, but a number
/// too large for a wait is far smaller than today's date in seconds, and that far smaller than in
/// milliseconds.
fn until(value: &BareItem, its_now: UnixMillis) -> Option<Duration> {
    [seconds(value), whole(value)]
        .into_iter()
        .flatten()
        .map(UnixMillis)
        .find(|time| time.0 >= EPOCH_SECONDS * 1000 && near(*time, its_now, LONGEST_WAIT))
        .map(|time| time.since(its_now))
}

fn near(time: UnixMillis, now: UnixMillis, distance: Duration) -> bool {
    time.since(now) <= distance && now.since(time) <= distance
}

/// The response's own clock.
fn date(headers: &HeaderMap) -> Option<UnixMillis> {
    http_date(headers.get(header::DATE)?.to_str().ok()?.trim())
}

/// A date of RFC 9110, section 5.6.7.
fn http_date(text: &str) -> Option<UnixMillis> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(UnixMillis(millis(date.duration_since(std::time::UNIX_EPOCH).ok()?)))
}

#[cfg(test)]
#[path = "rate_limit_headers_tests.rs"]
mod tests;
