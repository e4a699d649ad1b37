//! What is said here by function, `tests/it` says through the components, row by row.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

/// 2027-01-15T08:00:00Z
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const WINDOW: Duration = Duration::from_secs(60);
const RESULT: &str = r#"{"response":"olleh"}"#;

fn plainly() -> Reading {
    let result = ResultPlace::Pointer("/response".into());
    Reading { success: Success::Any, result, is_chat: false, window: WINDOW }
}

fn read(status: u16, fields: &[(&str, &str)], body: &[u8]) -> Result<String, Failure> {
    read_as(&plainly(), status, fields, body)
}

fn read_as(reading: &Reading, status: u16, fields: &[(&str, &str)], body: &[u8]) -> Result<String, Failure> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    meaning(&response.body(body.to_vec()).unwrap(), reading, NOW).result
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_result_is_a_text_at_its_place_in_any_body_of_success() {
    for status in [200, 201, 203, 207] {
        assert_eq!(read(status, &[], RESULT.as_bytes()), Ok("olleh".into()));
    }
    assert_eq!(read(200, &[], br#"{"response":""}"#), Ok(String::new()), "an empty text is a result");
    let with_mark = [b"\xEF\xBB\xBF", RESULT.as_bytes()].concat();
    assert_eq!(read(200, &[], &with_mark), Ok("olleh".into()));
    for body in
        ["", "null", "[]", r#"{"response":1}"#, r#"{"response":null}"#, r#"{"result":"x"}"#, "\u{fffd}"]
    {
        assert_eq!(read(200, &[], body.as_bytes()), Err(Failure::Garbage), "{body}");
    }
    assert_eq!(read(204, &[], b""), Err(Failure::Garbage));
}

#[test]
fn gzip_is_read_whatever_the_fields_say_and_only_up_to_a_size() {
    for fields in [&[("content-encoding", "gzip")][..], &[("content-encoding", "x-gzip")], &[]] {
        assert_eq!(read(200, fields, &gzip(RESULT.as_bytes())), Ok("olleh".into()));
    }
    assert_eq!(read(200, &[("content-encoding", "gzip")], RESULT.as_bytes()), Ok("olleh".into()));
    let long = |length: usize| format!(r#"{{"response":"{}"}}"#, "x".repeat(length - 15));
    let just = read(200, &[], &gzip(long(MAX_BODY_BYTES).as_bytes())).unwrap();
    assert_eq!(just.len(), MAX_BODY_BYTES - 15);
    for body in [gzip(long(MAX_BODY_BYTES + 1).as_bytes()), gzip(&vec![b' '; 50_000_000])] {
        assert_eq!(read(200, &[], &body), Err(Failure::Garbage));
    }
    let mut cut = gzip(RESULT.as_bytes());
    cut.truncate(20);
    assert_eq!(read(200, &[], &cut), Err(Failure::Garbage));
}

#[test]
fn every_status_has_its_class() {
    let class = |status| read(status, &[], b"").unwrap_err().name();
    for status in 300..1000 {
        let expected = match status {
            401 | 402 | 403 | 407 => "credential_refused",
            429 => "refused",
            408 | 421 | 425 => "bad_status",
            400..=499 => "message_refused",
            _ => "bad_status",
        };
        assert_eq!(class(status), expected, "{status}");
    }
    let told = |status| read(status, &[("retry-after", "9")], b"").unwrap_err().name();
    for status in 300..1000 {
        let expected = match status {
            403 => "refused",
            500..=599 => "overloaded",
            _ => class(status),
        };
        assert_eq!(told(status), expected, "{status} with Retry-After");
    }
}

#[test]
fn a_403_is_a_matter_of_quota_when_its_fields_say_so() {
    let quota = |fields: &[(&str, &str)]| matches!(read(403, fields, b""), Err(Failure::QuotaRefused { .. }));
    assert!(quota(&[("retry-after", "9")]));
    assert!(quota(&[("ratelimit", r#""main";r=0;t=9"#)]));
    assert!(quota(&[("ratelimit", r#""burst";r=3, "main";r=0"#)]));
    assert!(!quota(&[("x-ratelimit-limit", "60")]), "a limit stands on every response of some services");
    assert!(!quota(&[("ratelimit-policy", "60;w=60"), ("ratelimit-limit", "60")]));
    assert!(!quota(&[("retry-after", "0")]), "nothing is to be waited for");
    assert!(!quota(&[("x-ratelimit-remaining", "59")]), "there is room, so it is about something else");
    assert!(!quota(&[("retry-after", "soon")]));
    assert!(!quota(&[]));
}

#[test]
fn only_the_statuses_of_success_have_a_result() {
    let only = Reading { success: Success::Only(vec![200, 203]), ..plainly() };
    assert_eq!(read_as(&only, 203, &[], RESULT.as_bytes()), Ok("olleh".into()));
    assert_eq!(read_as(&only, 202, &[], RESULT.as_bytes()), Err(Failure::Status(202)));
}

#[test]
fn the_whole_body_is_a_result_if_it_is_text() {
    let text = Reading { result: ResultPlace::WholeText, ..plainly() };
    assert_eq!(read_as(&text, 200, &[], "olleh\n".as_bytes()), Ok("olleh\n".into()));
    assert_eq!(read_as(&text, 200, &[], b""), Ok(String::new()));
    assert_eq!(read_as(&text, 200, &[], &gzip(b"\xEF\xBB\xBFolleh")), Ok("olleh".into()));
    assert_eq!(read_as(&text, 200, &[], b"\xFF"), Err(Failure::Garbage));
}

#[test]
fn what_a_chat_api_says_in_a_body_counts_only_where_one_is_called() {
    let chat = Reading { is_chat: true, ..plainly() };
    let (gone, quota) =
        (r#"{"error":{"message":"No such model"}}"#, r#"{"error":{"code":"insufficient_quota"}}"#);
    for (status, body, of_a_chat, of_another) in [
        (404, gone, "call_refused", "message_refused"),
        (429, quota, "credential_refused", "refused"),
        (503, gone, "overloaded", "bad_status"),
        (503, "<html>", "bad_status", "bad_status"),
        (404, r#"{"error":"gone"}"#, "message_refused", "message_refused"),
    ] {
        let name = |reading: &Reading| read_as(reading, status, &[], body.as_bytes()).unwrap_err().name();
        assert_eq!((name(&chat), name(&plainly())), (of_a_chat, of_another), "{status} {body}");
    }
}

#[test]
fn a_time_in_the_body_counts_if_it_is_the_longer() {
    let chat = Reading { is_chat: true, ..plainly() };
    let wait = |fields: &[(&str, &str)], delay: &str| {
        let details =
            format!(r#"[{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{delay}"}}]"#);
        let body = format!(r#"{{"error":{{"status":"RESOURCE_EXHAUSTED","details":{details}}}}}"#);
        match read_as(&chat, 429, fields, body.as_bytes()) {
            Err(Failure::QuotaRefused { retry_after, .. }) => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wait(&[], "20.3s"), Some(21));
    assert_eq!(wait(&[("retry-after", "30")], "20s"), Some(30));
    assert_eq!(wait(&[("retry-after", "3")], "20s"), Some(20));
    for wrong in ["-1s", "soon", "1e999s", "NaNs", "20"] {
        assert_eq!(wait(&[], wrong), None, "{wrong}");
    }
    assert_eq!(wait(&[], "99999999s"), Some(31 * 86_400));
}

proptest! {
    #[test]
    fn only_a_refusal_for_quota_teaches_a_limit(status in 200_u16..600, wait in prop::option::of(0_u32..100)) {
        let mut response = Response::builder().status(status).header("ratelimit-limit", "3").header("ratelimit-remaining", "2");
        if let Some(wait) = wait {
            response = response.header("retry-after", wait);
        }
        let meaning = meaning(&response.body(vec![]).unwrap(), &plainly(), NOW);
        let quota = status == 429 || status == 403 && wait.is_some_and(|wait| wait > 0);
        prop_assert_eq!(meaning.told != RateLimitHints::default(), quota || status < 300);
        prop_assert_eq!(matches!(meaning.outcome(), Outcome::Refused { .. }), quota);
    }
}
