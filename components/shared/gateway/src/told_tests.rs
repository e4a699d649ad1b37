use proptest::prelude::*;

use super::*;

/// 2027-01-15T08:00:00Z
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

/// Limit, remaining, and seconds to the reset.
fn numbers(fields: &[(&str, &str)]) -> (Option<i64>, Option<i64>, Option<u64>) {
    let Told { limit, remaining, reset, .. } = told(&headers(fields), NOW);
    (limit, remaining, reset.map(|reset| reset.as_secs()))
}

const NOTHING: (Option<i64>, Option<i64>, Option<u64>) = (None, None, None);

#[test]
fn the_current_draft_names_a_policy() {
    let limit = ("ratelimit", r#""default";r=50;t=30"#);
    assert_eq!(numbers(&[limit]), (None, Some(50), Some(30)));
    let policy = ("ratelimit-policy", r#""default";q=100;w=60"#);
    assert_eq!(numbers(&[limit, policy]), (Some(100), Some(50), Some(30)));
    assert_eq!(numbers(&[policy]), NOTHING, "what is allowed is not what is left");
    assert_eq!(numbers(&[("ratelimit", "default;r=50")]), (None, Some(50), None));
}

#[test]
fn of_several_policies_the_one_with_the_least_left_decides() {
    let policies = ("ratelimit-policy", r#""burst";q=100;w=60, "daily";q=1000;w=86400"#);
    let left = |fields: &[(&str, &str)]| {
        let mut fields = fields.to_vec();
        fields.push(policies);
        numbers(&fields)
    };
    assert_eq!(
        left(&[("ratelimit", r#""burst";r=9;t=5, "daily";r=7;t=900"#)]),
        (Some(1000), Some(7), Some(900))
    );
    assert_eq!(
        left(&[("ratelimit", r#""burst";r=3;t=5"#), ("ratelimit", r#""daily";r=7;t=900"#)]),
        (Some(100), Some(3), Some(5)),
        "lines of one field are one list"
    );
    assert_eq!(
        left(&[("ratelimit", r#""burst";r=0;t=5, "daily";r=0;t=900, "x";r=0"#)]),
        (Some(1000), Some(0), Some(900)),
        "as little for longer"
    );
    assert_eq!(left(&[("ratelimit", r#""other";r=1;t=5"#)]), (None, Some(1), Some(5)));
}

#[test]
fn a_policy_that_counts_no_calls_is_left_out() {
    let policies = ("ratelimit-policy", r#""bytes";q=65535;qu="content-bytes", "calls";q=10;qu="requests""#);
    assert_eq!(numbers(&[("ratelimit", r#""bytes";r=1, "calls";r=4"#), policies]), (Some(10), Some(4), None));
    assert_eq!(numbers(&[("ratelimit", r#""bytes";r=1"#), policies]), NOTHING);
}

#[test]
fn the_older_forms_are_read_too() {
    let told = (Some(100), Some(50), Some(5));
    assert_eq!(numbers(&[("ratelimit", "limit=100, remaining=50, reset=5")]), told);
    for prefix in ["", "x-"] {
        let names = ["limit", "remaining", "reset"].map(|name| format!("{prefix}ratelimit-{name}"));
        let with = |limit, reset| numbers(&[(&names[0], limit), (&names[1], "50"), (&names[2], reset)]);
        assert_eq!(with("100", "5"), told);
        assert_eq!(with("100, 100;w=60, 5000;w=86400", "5"), told);
        assert_eq!(with("1,000", "5"), (None, Some(50), Some(5)), "digits in groups are no list");
        assert_eq!(with("100", "1800000005"), told, "a time in seconds");
        assert_eq!(with("100", "1800000005.25"), told, "with a fraction");
        assert_eq!(with("100", "1800000005000"), told, "in milliseconds");
        assert_eq!(with("100", "1799999999"), (Some(100), Some(50), Some(0)), "just over");
        assert_eq!(with("100", "5.9"), told);
        for reset in ["soon", "-1", "2678401", "1700000000", "999999999999999"] {
            assert_eq!(with("100", reset), (Some(100), Some(50), None), "{reset}");
        }
    }
    assert_eq!(numbers(&[("x-ratelimit-reset", "5")]), NOTHING);
}

#[test]
fn a_newer_form_comes_before_an_older_one() {
    let older = [("x-ratelimit-remaining", "1"), ("ratelimit-remaining", "2")];
    assert_eq!(numbers(&older), (None, Some(2), None));
    let newest = ("ratelimit", r#""a";r=3"#);
    assert_eq!(numbers(&[older[0], older[1], newest]), (None, Some(3), None));
    let malformed = ("ratelimit", r#""a";r=3;;"#);
    assert_eq!(numbers(&[older[0], older[1], malformed]), (None, Some(2), None));
}

#[test]
fn what_is_malformed_or_absurd_is_as_good_as_missing() {
    for value in [
        "",
        "50",
        r#""a""#,
        r#""a";r"#,
        r#""a";r="50""#,
        r#""a";r=-1"#,
        r#""a";r=1000000001"#,
        r#""a";r=5.5"#,
        r#"("a");r=1"#,
        "limit=a",
        "limit=(1 2)",
        "limit=0, reset=1",
        "reset=5",
    ] {
        assert_eq!(numbers(&[("ratelimit", value)]), NOTHING, "{value}");
    }
    let zero = [("ratelimit", r#""a";r=0;t=0"#), ("ratelimit-policy", r#""a";q=0"#)];
    assert_eq!(numbers(&zero), (None, Some(0), Some(0)));
}

#[test]
fn the_providers_clock_is_its_date() {
    let date = |value| told(&headers(&[("date", value)]), NOW).date;
    assert_eq!(date("Fri, 15 Jan 2027 08:00:03 GMT"), Some(NOW + Duration::from_secs(3)));
    assert_eq!(date("Thu, 14 Jan 2027 07:59:59 GMT"), None, "more than a day behind");
    assert_eq!(date("yesterday"), None);

    let ahead = [
        ("date", "Fri, 15 Jan 2027 08:00:03 GMT"),
        ("x-ratelimit-remaining", "1"),
        ("x-ratelimit-reset", "1800000005"),
    ];
    assert_eq!(numbers(&ahead), (None, Some(1), Some(2)), "measured on the clock it was written by");
}

#[test]
fn an_answer_out_of_a_cache_tells_nothing() {
    let fields = [("ratelimit-remaining", "1"), ("date", "Fri, 15 Jan 2027 08:00:00 GMT")];
    assert_eq!(told(&headers(&[fields[0], fields[1], ("age", "7")]), NOW), Told::default());
    assert_eq!(numbers(&[fields[0], ("age", "0")]), (None, Some(1), None));
}

#[test]
fn retry_after_has_two_forms_and_an_end() {
    let wait = |value| retry_after(&headers(&[("retry-after", value)]), NOW).map(|wait| wait.as_secs());
    assert_eq!(wait("17"), Some(17));
    assert_eq!(wait("Fri, 15 Jan 2027 08:00:30 GMT"), Some(30));
    assert_eq!(wait("Fri, 15 Jan 2027 07:00:00 GMT"), Some(0));
    assert_eq!(wait("99999999999"), Some(24 * 3600));
    assert_eq!(wait("soon"), None);
    assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
}

fn a_value() -> impl Strategy<Value = String> {
    let number = || {
        prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            (0..5_000_000_000_000_i64).prop_map(|n| n.to_string()),
            (0..4_000_000_u32, 0..1000_u16).prop_map(|(whole, part)| format!("{whole}.{part}")),
        ]
    };
    prop_oneof![
        number(),
        (number(), number()).prop_map(|(r, t)| format!(r#""a";r={r};t={t}"#)),
        (number(), number()).prop_map(|(q, w)| format!(r#""a";q={q};w={w}"#)),
        (number(), number(), number()).prop_map(|(l, r, t)| format!("limit={l}, remaining={r}, reset={t}")),
        "[ -~]{0,40}",
    ]
}

proptest! {
    #[test]
    fn whatever_a_provider_sends_every_number_is_bounded(
        values in prop::collection::vec((0_usize..10, a_value()), 0..8),
        now in 0_i64..4_000_000_000_000,
    ) {
        let names = [
            "ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
            "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "retry-after",
        ];
        let fields: Vec<_> = values.iter().map(|(name, value)| (names[*name], value.as_str())).collect();
        let (headers, now) = (headers(&fields), UnixMillis(now));
        let told = told(&headers, now);
        prop_assert!(told.limit.is_none_or(|limit| (1..=MOST_CALLS).contains(&limit)));
        prop_assert!(told.remaining.is_none_or(|remaining| (0..=MOST_CALLS).contains(&remaining)));
        prop_assert!(told.reset.is_none_or(|reset| reset <= LONGEST_RESET));
        prop_assert!(told.date.is_none_or(|date| near(date, now, FARTHEST_DATE)));
        prop_assert!(retry_after(&headers, now).is_none_or(|wait| wait <= LONGEST_RETRY_AFTER));
    }
}
