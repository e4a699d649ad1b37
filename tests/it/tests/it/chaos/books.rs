//! What must hold after each of these tests: the senders' answers and the providers' books, put side by side.

use std::collections::{HashMap, HashSet};

use super::load::{End, Message};
use crate::mock_providers::{Arrival, MockFree, MockPaid, repeated};

/// Everything that was seen.
pub(super) struct Books {
    pub(super) messages: Vec<Message>,
    pub(super) free: Vec<Arrival>,
    pub(super) paid: Vec<Arrival>,
    /// Which of the messages a perfect greedy caller would have paid for: one who sees into the free provider,
    /// and whose calls arrive when their messages are sent.
    pub(super) oracle: Vec<bool>,
}

impl Books {
    pub(super) fn close(messages: Vec<Message>, free: &MockFree, paid: &MockPaid) -> Self {
        let mut provider = free.limit().provider();
        // A provider that lets in a call that has no room would block: the oracle only looks.
        let pays =
            |message: &Message| !(provider.has_room(message.sent_at) && provider.arrive(message.sent_at));
        let oracle = messages.iter().map(pays).collect();
        Self { messages, free: free.arrivals(), paid: paid.arrivals(), oracle }
    }

    /// No window of the free provider saw more than it allows, and it refused nothing.
    pub(super) fn assert_never_overrun(&self, free: &MockFree) {
        assert_eq!(free.refused(), 0, "calls answered with 429");
        let (fullest, limit) = (free.fullest_window(), free.limit());
        assert!(fullest <= limit.calls, "a window saw {fullest} calls of {limit:?}");
    }

    /// Each message was answered once and by a provider that has it in its books; each provider was called
    /// at most once for a message, and both only when the free one had failed.
    pub(super) fn assert_answered_once(&self) {
        for calls in [&self.free, &self.paid] {
            assert_eq!(repeated(calls.iter().map(|call| call.id.as_str())), None, "called twice");
        }
        let answered = || self.messages.iter().filter(|message| !matches!(message.end, End::Lost));
        for message in answered() {
            assert!(message.went("free") || message.went("paid"), "{message:?}");
        }
        let by_id: HashMap<&str, &Message> =
            answered().map(|message| (message.said("id"), message)).collect();
        assert_eq!(by_id.len(), answered().count(), "two messages have one id");
        let ids =
            |calls: &'_ [Arrival]| -> HashSet<String> { calls.iter().map(|call| call.id.clone()).collect() };
        let (free, paid) = (ids(&self.free), ids(&self.paid));
        for (id, message) in by_id {
            let (in_free, in_paid) = (free.contains(id), paid.contains(id));
            match (message.said("provider"), message.said("reason")) {
                ("free", _) => assert!(in_free && !in_paid, "{message:?}"),
                // The call may have arrived, and may not.
                ("paid", "free_failed") => assert!(in_paid, "{message:?}"),
                _ => assert!(in_paid && !in_free, "{message:?}"),
            }
        }
    }

    /// Messages that got no answer.
    pub(super) fn lost(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.status().is_none())
    }

    /// Free calls that arrived from one time up to another.
    pub(super) fn free_calls(&self, from: i64, until: i64) -> usize {
        self.free.iter().filter(|call| (from..until).contains(&call.at)).count()
    }

    /// When the first message sent from a time on was answered by the free provider.
    pub(super) fn free_again(&self, from: i64) -> Option<i64> {
        let free = self.messages.iter().filter(|message| message.sent_at >= from && message.went("free"));
        free.map(|message| message.ended_at).min()
    }

    /// How many messages sent before a time were paid for, and how many the oracle would have paid for.
    pub(super) fn paid_for(&self, before: i64) -> (usize, usize) {
        let sent = || self.messages.iter().zip(&self.oracle).filter(|(message, _)| message.sent_at < before);
        let paid = sent().filter(|(message, _)| message.went("paid")).count();
        (paid, sent().filter(|(_, pays)| **pays).count())
    }

    /// When the last message was sent.
    pub(super) fn last_sent(&self) -> i64 {
        self.messages.last().map_or(0, |message| message.sent_at)
    }

    /// The time in milliseconds within which this share of the messages was answered.
    pub(super) fn quantile(&self, share: f64) -> i64 {
        let mut times: Vec<i64> =
            self.messages.iter().map(|message| message.ended_at - message.sent_at).collect();
        times.sort_unstable();
        times[((times.len() - 1) as f64 * share) as usize]
    }

    /// How long the messages that went to one provider took on the average, in milliseconds.
    pub(super) fn mean_time(&self, provider: &str) -> f64 {
        let went = self.messages.iter().filter(|message| message.went(provider));
        let times: Vec<i64> = went.map(|message| message.ended_at - message.sent_at).collect();
        times.iter().sum::<i64>() as f64 / times.len() as f64
    }
}
