//! What a provider's answer says of its limit, read from its header fields.
//!
//! Providers speak several dialects; the first one found counts:
//! 1. `RateLimit` and `RateLimit-Policy` as lists of policies (draft-ietf-httpapi-ratelimit-headers, 08 on);
//! 2. `RateLimit: limit=100, remaining=50, reset=5` (the same draft, 07);
//! 3. `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (the same draft, to 06);
//! 4. the same three with the prefix `X-`, as many services have them without any specification.
//!
//! A field that is malformed, or says what cannot be, is as good as missing: these fields are hints, and an
//! answer is worth its result whatever they say. This module must not know what is made of them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use octo_core::{UnixMillis, time::millis};
use sfv::{BareItem, Dictionary, FieldType, List, ListEntry, Parameters, Parser};

use crate::free_tier::Told;

/// More calls than this are no limit worth knowing; the variable `free_limit` ends there too.
const MOST_CALLS: i64 = 1_000_000_000;
/// The longest window of the variable `free_window_seconds`, 31 days: no limit resets later.
const LONGEST_RESET: Duration = Duration::from_secs(31 * 24 * 3600);
/// A provider's `Retry-After` counts up to this, so that a wrong one cannot close it for years.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A clock that is wrong by more than this is broken, and no use for telling where a window begins.
const FARTHEST_DATE: Duration = Duration::from_secs(24 * 3600);

/// What the fields of an answer that came at `now` tell. An answer out of a cache tells nothing: what it
/// says was true once.
pub fn told(headers: &HeaderMap, now: UnixMillis) -> Told {
    if headers.get(header::AGE).is_some_and(|age| age != "0") {
        return Told::default();
    }
    let date = headers.get(header::DATE).and_then(http_date).filter(|date| near(*date, now, FARTHEST_DATE));
    // What the provider calls a time is a time on its own clock.
    let its_now = date.unwrap_or(now);
    let limit = policies(headers)
        .or_else(|| one_field(headers))
        .or_else(|| three_fields(headers, "", its_now))
        .or_else(|| three_fields(headers, "x-", its_now))
        .unwrap_or_default();
    Told { date, ..limit }
}

/// `Retry-After` in either form of RFC 9110, section 10.2.3, as a time from `now`: at most 24 hours.
pub fn retry_after(headers: &HeaderMap, now: UnixMillis) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?;
    let wait = match value.to_str().ok()?.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => http_date(value)?.since(now),
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// `RateLimit: "name";r=50;t=30` and `RateLimit-Policy: "name";q=100;w=60`. Of several policies the one
/// with the least left decides, and of those the one that is so for longest.
fn policies(headers: &HeaderMap) -> Option<Told> {
    let limits = field::<List>(headers, "ratelimit")?;
    let policies = field::<List>(headers, "ratelimit-policy").unwrap_or_default();
    let policy = |name: &str| named(&policies).find(|policy| policy.0 == name).map(|policy| policy.1);
    named(&limits)
        .filter_map(|(name, limit)| {
            let policy = policy(name);
            // Bytes, or calls at the same time, are no calls per window.
            let unit = policy.and_then(|policy| policy.get("qu")?.as_string().map(|unit| unit.as_str()));
            if unit.is_some_and(|unit| unit != "requests") {
                return None;
            }
            Some(Told {
                limit: policy.and_then(|policy| limit_of(policy.get("q")?)),
                remaining: Some(remaining_of(limit.get("r")?)?),
                reset: limit.get("t").and_then(delay),
                date: None,
            })
        })
        .min_by_key(|told| (told.remaining, std::cmp::Reverse(told.reset)))
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

/// `RateLimit: limit=100, remaining=50, reset=5`
fn one_field(headers: &HeaderMap) -> Option<Told> {
    let members = field::<Dictionary>(headers, "ratelimit")?;
    let member = |name: &str| members.get(name).and_then(bare);
    let told = Told {
        limit: member("limit").and_then(limit_of),
        remaining: member("remaining").and_then(remaining_of),
        reset: member("reset").and_then(delay),
        date: None,
    };
    tells(&told).then_some(told)
}

/// `RateLimit-Limit: 100`, `RateLimit-Remaining: 50`, `RateLimit-Reset: 5`, with `prefix` before the names.
fn three_fields(headers: &HeaderMap, prefix: &str, its_now: UnixMillis) -> Option<Told> {
    let first = |name: &str| {
        let list = field::<List>(headers, &format!("{prefix}ratelimit-{name}"))?;
        let (first, rest) = list.split_first()?;
        // After the limit that is nearest may come policies, `100;w=60`. Anything else is another dialect,
        // such as a number with commas between its digits.
        rest.iter().all(|entry| !parameters(entry).is_empty()).then(|| bare(first).cloned())?
    };
    let told = Told {
        limit: first("limit").as_ref().and_then(limit_of),
        remaining: first("remaining").as_ref().and_then(remaining_of),
        reset: first("reset").as_ref().and_then(|value| delay(value).or_else(|| until(value, its_now))),
        date: None,
    };
    tells(&told).then_some(told)
}

/// A time alone says nothing of a limit.
fn tells(told: &Told) -> bool {
    told.limit.is_some() || told.remaining.is_some()
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

/// Seconds from now.
fn delay(value: &BareItem) -> Option<Duration> {
    let delay = Duration::from_millis(u64::try_from(seconds(value)?).ok()?);
    (delay <= LONGEST_RESET).then_some(delay)
}

/// A time since the epoch, in seconds or milliseconds, whichever lies near. Nobody says which, but a number
/// too large for a wait is far smaller than today's date in seconds, and that far smaller than in
/// milliseconds.
fn until(value: &BareItem, its_now: UnixMillis) -> Option<Duration> {
    [seconds(value), whole(value)]
        .into_iter()
        .flatten()
        .map(UnixMillis)
        .find(|time| near(*time, its_now, LONGEST_RESET))
        .map(|time| time.since(its_now))
}

fn near(time: UnixMillis, now: UnixMillis, distance: Duration) -> bool {
    time.since(now) <= distance && now.since(time) <= distance
}

/// A date of RFC 9110, section 5.6.7.
fn http_date(value: &HeaderValue) -> Option<UnixMillis> {
    let date = httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()?;
    Some(UnixMillis(millis(date.duration_since(std::time::UNIX_EPOCH).ok()?)))
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
