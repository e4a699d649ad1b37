//! What the two processes tell each other: a load to drive, and its outcome. JSON, one value each way.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One request, sent again and again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The status of a right answer.
    pub(crate) status: u16,
    pub(crate) expect: Expect,
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What makes an answer right, beside its status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Expect {
    /// Exactly this body.
    Body(String),
    /// JSON objects with these members.
    Members(serde_json::Map<String, serde_json::Value>),
}

impl Expect {
    /// Whether `body` is right.
    pub(crate) fn holds(&self, body: &[u8]) -> bool {
        match self {
            Self::Body(expected) => body == expected.as_bytes(),
            Self::Members(expected) => {
                let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) else {
                    return false;
                };
                expected.iter().all(|(name, value)| object.get(name) == Some(value))
            }
        }
    }
}

/// What came of a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Answers in the measured time.
    pub(crate) answers: usize,
    /// All requests, with those of the warm-up.
    pub(crate) requests: usize,
    /// The measured time, in seconds.
    pub(crate) seconds: f64,
    /// Wrong answers and broken connections, of all requests.
    pub(crate) failures: usize,
    /// The first of them.
    pub(crate) first_failure: Option<String>,
    /// Latencies of the measured answers, in milliseconds.
    pub(crate) mean_ms: f64,
    /// See [`Self::mean_ms`].
    pub(crate) p50_ms: f64,
    /// See [`Self::mean_ms`].
    pub(crate) p99_ms: f64,
    /// See [`Self::mean_ms`].
    pub(crate) max_ms: f64,
}

impl Outcome {
    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.answers as f64 / self.seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_have_more_members_than_expected_but_not_fewer() {
        let serde_json::Value::Object(members) = serde_json::json!({"provider": "free"}) else {
            panic!("an object is an object");
        };
        let expect = Expect::Members(members);
        assert!(expect.holds(br#"{"ok":true,"provider":"free"}"#));
        assert!(!expect.holds(br#"{"ok":true,"provider":"paid"}"#));
        assert!(!expect.holds(b"not JSON"));
    }
}
