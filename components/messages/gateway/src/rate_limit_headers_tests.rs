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

const WINDOW: Duration = Duration::from_secs(60);

fn tells(fields: &[(&str, &str)]) -> RateLimitHints {
    hints(&headers(fields), WINDOW, NOW)
}

/// Limit, remaining, and seconds to the reset.
fn numbers(fields: &[(&str, &str)]) -> (Option<i64>, Option<i64>, Option<u64>) {
    let RateLimitHints { limit, remaining, reset, .. } = tells(fields);
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
fn a_limit_is_one_of_our_window() {
    let of = |window: &str| {
        let policy = format!(r#""a";q=5{window}"#);
        tells(&[("ratelimit", r#""a";r=4;t=1"#), ("ratelimit-policy", &policy)])
    };
    assert_eq!((of(";w=60").limit, of(";w=60").remaining), (Some(5), Some(4)));
    assert_eq!((of(";w=1").limit, of(";w=1").remaining), (None, None), "another window has room");
    assert_eq!((of("").limit, of("").remaining), (None, Some(4)), "nobody knows of which window");
    assert_eq!(numbers(&[("ratelimit-limit", "5")]), (Some(5), None, None), "nothing else is told");
    assert_eq!(numbers(&[("ratelimit-limit", "5, 5;w=60")]), (Some(5), None, None));
    assert_eq!(numbers(&[("ratelimit-limit", "5, 5;w=1, 900;w=60")]), NOTHING);
    let draft_7 = [("ratelimit", "limit=5, remaining=4, reset=1"), ("ratelimit-policy", "5;w=60")];
    assert_eq!(numbers(&draft_7), (Some(5), Some(4), Some(1)));
}

#[test]
fn of_policies_with_nothing_left_the_latest_reset_counts() {
    let policies = ("ratelimit-policy", r#""burst";q=100;w=1, "main";q=1000;w=60"#);
    for (value, remaining, reset, foreign) in [
        (r#""burst";r=0;t=1, "main";r=990;t=50"#, 0, Some(1), true),
        (r#""main";r=990;t=50, "burst";r=0;t=1"#, 0, Some(1), true),
        (r#""burst";r=0;t=1, "main";r=0;t=50"#, 0, Some(50), false),
        (r#""main";r=0;t=50, "burst";r=0;t=1"#, 0, Some(50), false),
        (r#""burst";r=0, "main";r=0;t=50"#, 0, Some(50), false),
        (r#""burst";r=3;t=1, "main";r=7;t=50"#, 7, Some(50), false),
        (r#""other";r=9;t=5, "main";r=7;t=50"#, 7, Some(50), false),
    ] {
        let told = tells(&[("ratelimit", value), policies]);
        let seconds = told.reset.map(|reset| reset.as_secs());
        assert_eq!((told.remaining, seconds, told.foreign), (Some(remaining), reset, foreign), "{value}");
        assert_eq!(told.limit, value.contains("main").then_some(1000), "{value}");
    }
    let lines = [("ratelimit", r#""burst";r=0;t=1"#), ("ratelimit", r#""main";r=0;t=50"#)];
    assert_eq!(numbers(&lines), (None, Some(0), Some(50)), "lines of one field are one list");
}

#[test]
fn a_policy_that_counts_no_calls_is_left_out() {
    let policies =
        ("ratelimit-policy", r#""bytes";q=65535;qu="content-bytes", "calls";q=10;qu="requests";w=60"#);
    assert_eq!(numbers(&[("ratelimit", r#""bytes";r=1, "calls";r=4"#), policies]), (Some(10), Some(4), None));
    assert_eq!(numbers(&[("ratelimit", r#""bytes";r=1"#), policies]), NOTHING);
}

#[test]
fn the_older_forms_are_read_too() {
    let told = (None, Some(50), Some(5));
    assert_eq!(numbers(&[("ratelimit", "limit=100, remaining=50, reset=5")]), told);
    for prefix in ["", "x-"] {
        let names = ["limit", "remaining", "reset"].map(|name| format!("{prefix}ratelimit-{name}"));
        let with = |limit, reset| numbers(&[(&names[0], limit), (&names[1], "50"), (&names[2], reset)]);
        assert_eq!(with("100", "5"), told);
        assert_eq!(with("100, 100;w=60, 5000;w=86400", "5"), (Some(100), Some(50), Some(5)));
        assert_eq!(with("1,000", "5"), told, "digits in groups are no list");
        assert_eq!(with("100", "1800000005"), told, "a time in seconds");
        assert_eq!(with("100", "1800000005.25"), told, "with a fraction");
        assert_eq!(with("100", "1800000005000"), told, "in milliseconds");
        assert_eq!(with("100", "1799999999"), (None, Some(50), Some(0)), "just over");
        assert_eq!(with("100", "5.9"), told);
        assert_eq!(with("100", "Fri, 15 Jan 2027 08:00:05 GMT"), told, "as a date");
        assert_eq!(with("100", "99999999"), (None, Some(50), Some(31 * 86_400)), "longer than any window");
        for reset in ["soon", "-1", "1700000000", "999999999999999"] {
            assert_eq!(with("100", reset), (None, Some(50), None), "{reset}");
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
    let date = |value| tells(&[("date", value)]).date;
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
fn a_response_out_of_a_cache_tells_nothing() {
    let fields = [("ratelimit-remaining", "1"), ("date", "Fri, 15 Jan 2027 08:00:00 GMT")];
    assert_eq!(tells(&[fields[0], fields[1], ("age", "7")]), RateLimitHints::default());
    assert_eq!(numbers(&[fields[0], ("age", "0")]), (None, Some(1), None));
}

#[test]
fn retry_after_is_seconds_or_a_date_and_has_an_end() {
    let wait = |value| retry_after(&headers(&[("retry-after", value)]), NOW).map(|wait| wait.as_secs());
    let longest = 31 * 86_400;
    for (value, seconds) in [
        ("17", Some(17)),
        (" 17 ", Some(17)),
        ("0", Some(0)),
        ("017", Some(17)),
        ("1.5", Some(2)),
        ("1.000", Some(1)),
        ("0.001", Some(1)),
        ("86401", Some(86_401)),
        ("2678400", Some(longest)),
        ("2678401", Some(longest)),
        ("99999999999", Some(longest)),
        ("18446744073709551616", Some(longest)),
        ("999999999999999999999999999999", Some(longest)),
        ("18446744073709551615.5", Some(longest)),
        ("Fri, 15 Jan 2027 08:00:30 GMT", Some(30)),
        ("Friday, 15-Jan-27 08:00:30 GMT", Some(30)),
        ("Fri Jan 15 08:00:30 2027", Some(30)),
        ("Fri, 15 Jan 2027 07:00:00 GMT", Some(0)),
        ("Sat, 15 Jan 2028 08:00:00 GMT", Some(longest)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1.", None),
        (".5", Some(1)),
        (".", None),
        ("\"30\"", Some(30)),
        ("5, 600", Some(600)),
        ("600,5", Some(600)),
        ("5, soon", Some(5)),
        (",", None),
        ("0x10", None),
    ] {
        assert_eq!(wait(value), seconds, "{value:?}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    let several = headers(&[("retry-after", "5"), ("retry-after", "soon"), ("retry-after", "9")]);
    assert_eq!(retry_after(&several, NOW), Some(Duration::from_secs(9)));
}

#[test]
fn a_date_to_wait_for_is_compared_with_the_responses_own() {
    let wait = |date: &str| {
        let until = ("retry-after", "Fri, 15 Jan 2027 09:00:30 GMT");
        retry_after(&headers(&[until, ("date", date)]), NOW).map(|wait| wait.as_secs())
    };
    assert_eq!(wait("Fri, 15 Jan 2027 09:00:00 GMT"), Some(30), "an hour ahead of us");
    assert_eq!(wait("Fri, 15 Jan 2027 07:00:00 GMT"), Some(7_230), "an hour behind");
    assert_eq!(wait("Fri, 15 Jan 2027 09:01:00 GMT"), Some(0), "over when it was written");
    assert_eq!(wait("yesterday"), Some(3_630), "no clock but ours");
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
        let told = hints(&headers, WINDOW, now);
        prop_assert!(told.limit.is_none_or(|limit| (1..=MOST_CALLS).contains(&limit)));
        prop_assert!(told.remaining.is_none_or(|remaining| (0..=MOST_CALLS).contains(&remaining)));
        prop_assert!(told.reset.is_none_or(|reset| reset <= LONGEST_WAIT));
        prop_assert!(told.date.is_none_or(|date| near(date, now, FARTHEST_DATE)));
        prop_assert!(retry_after(&headers, now).is_none_or(|wait| wait <= LONGEST_WAIT));
    }
}
