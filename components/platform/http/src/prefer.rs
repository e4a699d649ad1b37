//! The preference `wait` (RFC 7240): how long a client would rather wait for a free slot than go without.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Nobody waits longer, whatever they prefer: platforms give up on a request after 30 s, and the message
/// must still be sent and answered.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// The answer's field that says which preference was followed (RFC 7240, section 3).
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The wait in `Prefer: wait=N`, in whole seconds, at most [`LONGEST_WAIT`]. `None` when there is no such
/// preference, when it is 0, and when it cannot be read: a preference is never an error.
pub fn wait(headers: &HeaderMap) -> Option<Duration> {
    let fields = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = fields.flat_map(|field| parts(field, ',')).filter_map(preference);
    // Of one preference given twice, only the first counts (section 2).
    let (_, value) = preferences.find(|(name, _)| name.eq_ignore_ascii_case("wait"))?;
    // Digits alone: `parse` would also take a sign.
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // Only a number too large for the type is left to fail.
    let wait = digits.then(|| value.parse().map_or(LONGEST_WAIT, Duration::from_secs))?;
    (!wait.is_zero()).then(|| wait.min(LONGEST_WAIT))
}

/// The value of [`PREFERENCE_APPLIED`] for a wait that was allowed.
pub fn applied(wait: Duration) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("wait={}", wait.as_secs())).ok()
}

/// Name and value of one preference, without the parameters that may follow; no value is an empty one.
fn preference(text: &str) -> Option<(&str, &str)> {
    let preference = parts(text, ';').next()?;
    let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some((name.trim(), quoted.unwrap_or(value)))
}

/// The parts of `text` between separators that stand outside quoted strings (RFC 9110, section 5.6.4).
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if escaped {
            escaped = false;
        } else if character == '"' {
            quoted = !quoted;
        } else if quoted {
            escaped = character == '\\';
        } else {
            return character == separator;
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn preferring(fields: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(PREFER, HeaderValue::from_str(field).unwrap());
        }
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        for fields in [
            &["wait=5"][..],
            &["Wait = 5"],
            &[r#"wait="5""#],
            &["respond-async, wait=5"],
            &["return=minimal; foo=\"a, wait=7\"", "wait=5; bar"],
            &[r#"foo="\", wait=7", wait=5"#],
            &["wait=5, wait=9"],
            &[",, wait=005"],
        ] {
            assert_eq!(preferring(fields), Some(5), "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_wait_is_ignored() {
        for fields in
            [&[][..], &[""], &["wait"], &["wait="], &["wait=soon"], &["wait=-1"], &["wait=+1"], &["wait=1.5"]]
        {
            assert_eq!(preferring(fields), None, "{fields:?}");
        }
        assert_eq!(preferring(&["wait=0"]), None);
        assert_eq!(preferring(&["wait=soon, wait=5"]), None, "only the first counts");
        assert_eq!(preferring(&["await=5, foo=\"wait=5\""]), None);
    }

    #[test]
    fn nobody_waits_longer_than_25_seconds() {
        assert_eq!(preferring(&["wait=25"]), Some(25));
        assert_eq!(preferring(&["wait=26"]), Some(25));
        assert_eq!(preferring(&["wait=99999999999999999999999999"]), Some(25));
    }

    #[test]
    fn the_wait_allowed_is_told() {
        assert_eq!(applied(LONGEST_WAIT).unwrap(), "wait=25");
    }

    proptest! {
        #[test]
        fn whatever_is_preferred_the_wait_is_bounded(field in "([ -~]{0,12}|wait *= *\"?[0-9]{1,30}\"?,?){0,4}") {
            prop_assert!(preferring(&[&field]).is_none_or(|wait| (1..=25).contains(&wait)));
        }
    }
}
