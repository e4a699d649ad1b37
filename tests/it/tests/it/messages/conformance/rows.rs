//! The rows.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use octo_host::OutboundFault;

/// What a provider responds with.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: u16,
    fields: Vec<(&'static str, &'static str)>,
    body: Bytes,
}

/// What the free provider's response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A result, this one.
    Result(&'static str),
    /// A failure of this name; how the client's status is without paid access.
    Failure(&'static str, u16),
}

/// How long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Seconds(u64),
    /// Until the window of the call ends.
    Window,
}

/// What the next message meets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// Why the free provider is closed, and for how long.
    pub(super) closed: Option<(&'static str, Wait)>,
    /// Calls per window from now on.
    pub(super) limit: i64,
}

/// A response of the free provider. The paid one works.
#[derive(Clone, Debug)]
pub(super) struct FreeRow {
    pub(super) reply: Reply,
    pub(super) class: Class,
    pub(super) next: Next,
}

/// Responses of both providers.
#[derive(Clone, Debug)]
pub(super) struct BothRow {
    pub(super) free: Reply,
    pub(super) paid: Reply,
    /// What the client gets: status, problem, `Retry-After`.
    pub(super) client: (u16, &'static str, &'static str),
    /// For how long the paid provider is left alone.
    pub(super) paid_closed: Option<u64>,
}

impl Reply {
    fn status(status: u16) -> Self {
        Self { status, fields: vec![], body: Bytes::new() }
    }

    fn body(body: impl Into<Bytes>) -> Self {
        Self::of(200, body)
    }

    pub(super) fn of(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, fields: vec![], body: body.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.push((name, value));
        self
    }

    pub(super) fn code(&self) -> u16 {
        self.status
    }

    pub(super) fn fault(&self) -> OutboundFault {
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in &self.fields {
            response = response.header(*name, *value);
        }
        OutboundFault::Respond(response.body(self.body.clone()).unwrap())
    }
}

pub(super) const RESULT: &str = r#"{"response":"done"}"#;
pub(super) const DONE: Class = Class::Result("done");
pub(super) const MESSAGE: Class = Class::Failure("message_refused", 422);
pub(super) const QUOTA: Class = Class::Failure("refused", 503);
pub(super) const OVERLOADED: Class = Class::Failure("overloaded", 503);
pub(super) const CREDENTIAL: Class = Class::Failure("credential_refused", 502);
pub(super) const STATUS: Class = Class::Failure("bad_status", 502);
pub(super) const UNREADABLE: Class = Class::Failure("bad_answer", 502);

pub(super) const OPEN: Next = Next { closed: None, limit: 10 };
const DAY: u64 = 86_400;

/// Left alone for so long, with the limit as it was.
pub(super) fn blocked(seconds: u64) -> Next {
    Next { closed: Some(("free_blocked", Wait::Seconds(seconds))), ..OPEN }
}

/// The same, and the first call of ten that was refused halves the limit.
pub(super) fn taught(seconds: u64) -> Next {
    Next { limit: 5, ..blocked(seconds) }
}

/// Nothing left for so long.
fn shut(wait: Wait) -> Next {
    Next { closed: Some(("free_exhausted", wait)), ..OPEN }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn free_rows() -> Vec<FreeRow> {
    let mut rows = Vec::new();
    let mut row = |reply: Reply, class: Class, next: Next| rows.push(FreeRow { reply, class, next });

    // A result is a text at its place in any body of success.
    row(Reply::body(RESULT), DONE, OPEN);
    row(Reply { status: 201, ..Reply::body(RESULT) }, DONE, OPEN);
    row(Reply::body(r#"{"response":""}"#), Class::Result(""), OPEN);
    row(Reply::body(format!("\u{feff}{RESULT}")), DONE, OPEN);
    row(Reply::body(gzip(RESULT.as_bytes())).with("content-encoding", "gzip"), DONE, OPEN);
    row(Reply::body(gzip(RESULT.as_bytes())).with("content-encoding", "x-gzip"), DONE, OPEN);
    row(Reply::body(gzip(RESULT.as_bytes())), DONE, OPEN);
    row(Reply::body(gzip(format!("\u{feff}{RESULT}").as_bytes())), DONE, OPEN);
    row(Reply::body(RESULT).with("content-encoding", "gzip"), DONE, OPEN);
    row(Reply::body(gzip(&vec![b' '; 2_000_000])).with("content-encoding", "gzip"), UNREADABLE, OPEN);
    row(
        Reply::body(gzip(RESULT.as_bytes())[..20].to_vec()).with("content-encoding", "gzip"),
        UNREADABLE,
        OPEN,
    );
    for body in ["", "null", "<html>", "{}", r#"{"response":null}"#, r#"{"response":7}"#, r#"["done"]"#] {
        row(Reply::body(body), UNREADABLE, OPEN);
    }
    row(Reply::status(204), UNREADABLE, OPEN);

    // What is about the message ends with it.
    for status in [400, 404, 405, 406, 409, 410, 411, 413, 414, 415, 417, 422, 423, 424, 428, 431, 451, 499] {
        row(Reply::status(status), MESSAGE, OPEN);
    }
    row(Reply::status(413).with("retry-after", "60"), MESSAGE, OPEN);
    row(Reply::status(400).with("ratelimit", r#""main";r=0;t=60"#), MESSAGE, OPEN);
    row(Reply::status(422).with("ratelimit-limit", "2"), MESSAGE, OPEN);

    // A credential is the operator's.
    for status in [401, 402, 403, 407] {
        row(Reply::status(status), CREDENTIAL, OPEN);
    }
    row(Reply::status(401).with("retry-after", "60"), CREDENTIAL, OPEN);
    row(Reply::status(403).with("retry-after", "soon"), CREDENTIAL, OPEN);
    row(Reply::status(403).with("x-ratelimit-remaining", "59"), CREDENTIAL, OPEN);

    // A quota is used up: for B at least, and it teaches.
    row(Reply::status(429), QUOTA, taught(10));
    let refused = |value| Reply::status(429).with("retry-after", value);
    for (value, seconds) in [
        ("1", 10),
        ("0", 10),
        ("90", 90),
        ("90.2", 91),
        ("86401", DAY + 1),
        ("2678401", 31 * DAY),
        ("99999999999999999999999999", 31 * DAY),
        ("soon", 10),
        ("-5", 10),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 90),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 10),
    ] {
        row(refused(value), QUOTA, taught(seconds));
    }
    let hour_ahead = refused("Fri, 15 Jan 2027 09:02:00 GMT").with("date", "Fri, 15 Jan 2027 09:01:30 GMT");
    // Such a clock also moves aligned windows, so what it teaches of them is tested elsewhere; here both are refused.
    row(Reply { status: 503, ..hour_ahead.clone() }, OVERLOADED, blocked(30));
    row(Reply { status: 529, ..hour_ahead }, OVERLOADED, blocked(30));
    row(Reply::status(403).with("retry-after", "30"), QUOTA, taught(30));
    row(Reply::status(403).with("ratelimit", r#""main";r=0;t=40"#), QUOTA, Next { limit: 5, ..blocked(40) });
    row(
        Reply::status(403).with("x-ratelimit-remaining", "0"),
        QUOTA,
        Next { limit: 5, closed: Some(("free_blocked", Wait::Window)) },
    );
    row(Reply::status(403).with("ratelimit-limit", "60"), CREDENTIAL, OPEN);
    row(Reply::status(403).with("retry-after", "0"), CREDENTIAL, OPEN);
    // One of another window teaches no limit of ours.
    let burst = ("ratelimit-policy", r#""burst";q=2;w=1, "main";q=10;w=3600"#);
    let refused_burst = Reply::status(429).with(burst.0, burst.1).with("ratelimit", r#""burst";r=0;t=1"#);
    row(refused_burst.clone(), QUOTA, blocked(10));
    row(refused_burst.with("retry-after", "20"), QUOTA, blocked(20));
    row(refused("20").with("ratelimit-remaining", "0").with("ratelimit-reset", "45"), QUOTA, taught(45));

    // An overload is waited for as told, and teaches nothing.
    for (status, value, seconds) in [
        (503, "1", 1),
        (503, "30", 30),
        (503, "0.5", 1),
        (503, "Fri, 15 Jan 2027 08:01:00 GMT", 30),
        (529, "2", 2),
        (500, "3", 3),
        (502, "4", 4),
        (504, "5", 5),
        (503, "18446744073709551616", 31 * DAY),
    ] {
        row(Reply::status(status).with("retry-after", value), OVERLOADED, blocked(seconds));
    }
    row(Reply::status(503).with("retry-after", "2").with("ratelimit-remaining", "0"), OVERLOADED, blocked(2));

    // Other failures say nothing at all, once.
    for status in [301, 302, 304, 408, 421, 425, 500, 501, 502, 503, 504, 529, 599] {
        row(Reply::status(status), STATUS, OPEN);
    }
    row(Reply::status(503).with("retry-after", "0"), STATUS, OPEN);
    row(Reply::status(503).with("retry-after", "soon"), STATUS, OPEN);
    row(Reply::status(500).with("ratelimit-limit", "2").with("ratelimit-remaining", "0"), STATUS, OPEN);

    // What is told holds until its own reset.
    let told = |name, value| Reply::body(RESULT).with(name, value);
    row(told("ratelimit", r#""main";r=0;t=1"#), DONE, shut(Wait::Seconds(1)));
    row(told("ratelimit", "limit=10, remaining=0, reset=7"), DONE, shut(Wait::Seconds(7)));
    row(told("ratelimit-remaining", "0").with("ratelimit-reset", "1"), DONE, shut(Wait::Seconds(1)));
    row(told("x-ratelimit-remaining", "0").with("x-ratelimit-reset", "12"), DONE, shut(Wait::Seconds(12)));
    row(told("ratelimit-remaining", "0"), DONE, shut(Wait::Window));
    row(told("ratelimit-remaining", "0").with("ratelimit-reset", "0"), DONE, OPEN);
    row(told("ratelimit", r#""burst";r=0;t=1, "main";r=990;t=1800"#), DONE, shut(Wait::Seconds(1)));
    row(told("ratelimit", r#""main";r=990;t=1800, "burst";r=0;t=1"#), DONE, shut(Wait::Seconds(1)));
    row(told("ratelimit", r#""burst";r=0;t=1, "main";r=0;t=300"#), DONE, shut(Wait::Seconds(300)));
    row(told("ratelimit", r#""main";r=0;t=300, "burst";r=0;t=1"#), DONE, shut(Wait::Seconds(300)));
    row(told("ratelimit", r#""daily";r=0;t=80000"#), DONE, shut(Wait::Seconds(80_000)));
    // A limit is one of our window, or all that is told.
    let policy = |policy, left| told("ratelimit-policy", policy).with("ratelimit", left);
    row(policy(r#""a";q=4;w=3600"#, r#""a";r=3;t=60"#), DONE, Next { limit: 4, ..OPEN });
    row(policy(r#""a";q=4;w=1"#, r#""a";r=3;t=1"#), DONE, OPEN);
    row(policy(r#""a";q=4;w=86400"#, r#""a";r=3;t=80000"#), DONE, OPEN);
    row(policy(r#""a";q=99;w=3600"#, r#""a";r=98;t=60"#), DONE, OPEN);
    row(policy(r#""a";q=4;w=3600;qu="content-bytes""#, r#""a";r=0;t=60"#), DONE, OPEN);
    row(told("ratelimit-limit", "4"), DONE, Next { limit: 4, ..OPEN });
    row(
        told("ratelimit-limit", "4").with("ratelimit-remaining", "3").with("ratelimit-reset", "1"),
        DONE,
        OPEN,
    );
    row(told("x-ratelimit-limit", "4, 4;w=3600"), DONE, Next { limit: 4, ..OPEN });
    row(told("ratelimit-limit", "0"), DONE, OPEN);
    row(told("ratelimit", r#""a";r=-1;t=60"#), DONE, OPEN);
    row(told("ratelimit-remaining", "0").with("age", "30"), DONE, OPEN);
    // A wait is no matter of results.
    row(told("retry-after", "60"), DONE, OPEN);
    rows
}

pub(super) fn both_rows() -> Vec<BothRow> {
    let mut rows = Vec::new();
    let mut row = |free: Reply, paid: Reply, client, paid_closed| {
        rows.push(BothRow { free, paid, client, paid_closed });
    };
    let refused = (422, "message-refused", "");
    for (free, paid) in [(400, 400), (413, 422), (422, 404), (451, 451), (404, 405)] {
        row(Reply::status(free), Reply::status(paid), refused, None);
    }
    let failed = (502, "providers-failed", "1");
    row(Reply::status(400), Reply::status(500), failed, None);
    row(Reply::status(500), Reply::status(400), failed, None);
    row(Reply::status(400), Reply::status(401), failed, None);
    row(Reply::status(400), Reply::status(403), failed, None);
    row(Reply::status(400), Reply::body("null"), failed, None);
    let away = |seconds| (503, "providers-failed", seconds);
    row(Reply::status(400), Reply::status(429), away("1"), Some(1));
    row(Reply::status(400), Reply::status(429).with("retry-after", "7"), away("7"), Some(7));
    row(Reply::status(400), Reply::status(403).with("retry-after", "8"), away("8"), Some(8));
    row(Reply::status(500), Reply::status(503).with("retry-after", "9"), away("9"), Some(9));
    row(Reply::status(500), Reply::status(529).with("retry-after", "1.5"), away("2"), Some(2));
    row(Reply::status(500), Reply::status(503), failed, None);
    rows
}
