//! What happened when: a line for each window, for people to read (`cargo xtask chaos`).

use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use super::books::Books;
use super::load::{Message, now};

/// What was done to the application, and when.
pub(super) struct Timeline {
    /// Milliseconds since the epoch.
    pub(super) began: i64,
    /// Length of a line, in milliseconds.
    period: i64,
    events: Mutex<Vec<(i64, String)>>,
}

/// The last line's label.
const ALL: &str = "all";

/// The columns of messages: heading, and which of them count.
type Column = (&'static str, fn(&Message) -> bool);

const COLUMNS: [Column; 9] = [
    ("sent", |_| true),
    ("free", |message| message.went("free")),
    ("paid", |message| message.went("paid")),
    ("full", |message| paid_for(message, &["free_exhausted"])),
    ("blocked", |message| paid_for(message, &["free_blocked", "free_failing"])),
    ("failed", |message| paid_for(message, &["free_failed"])),
    ("no counter", |message| paid_for(message, &["counter_unavailable"])),
    ("5xx", |message| message.status().is_some_and(|status| status >= 500)),
    ("lost", |message| message.status().is_none()),
];

fn paid_for(message: &Message, reasons: &[&str]) -> bool {
    message.went("paid") && reasons.contains(&message.said("reason"))
}

impl Timeline {
    /// Begins with the next multiple of `period`, in milliseconds, and has a line for each: where the provider's
    /// windows are aligned, a line is a window.
    pub(super) async fn begin(period: i64) -> Self {
        let wait = period - now() % period;
        tokio::time::sleep(Duration::from_millis(wait as u64)).await;
        Self { began: now() / period * period, period, events: Mutex::default() }
    }

    /// Something happens now; its time, in milliseconds since the epoch.
    pub(super) fn note(&self, event: &str) -> i64 {
        let at = now();
        self.events.lock().unwrap().push((at, event.to_owned()));
        at
    }

    /// The table: messages by the time they were sent, calls by the time they arrived.
    pub(super) fn table(&self, title: &str, books: &Books) -> String {
        let mut table = format!("\n{title}\n");
        let headings: String = COLUMNS.iter().map(|(name, _)| format!(" {name:>10}")).collect();
        writeln!(table, "{:>9}{headings} {:>10} {:>10} {:>4}", "seconds", "oracle", "arrived", "429")
            .unwrap();
        let events = self.events.lock().unwrap();
        let last = books.messages.last().map_or(self.began, |message| message.sent_at);
        let mut line = |label: &str, from: i64, until: i64| {
            let within = |at: i64| (from..until).contains(&at);
            let sent =
                || books.messages.iter().zip(&books.oracle).filter(|(message, _)| within(message.sent_at));
            write!(table, "{label:>9}").unwrap();
            for (_, counts) in COLUMNS {
                write!(table, " {:>10}", sent().filter(|(message, _)| counts(message)).count()).unwrap();
            }
            let oracle = sent().filter(|(_, pays)| **pays).count();
            let arrived = || books.free.iter().filter(|call| within(call.at));
            let refused = arrived().filter(|call| !call.taken).count();
            write!(table, " {oracle:>10} {:>10} {refused:>4}", arrived().count()).unwrap();
            for (at, event) in events.iter().filter(|(at, _)| label != ALL && within(*at)) {
                write!(table, "  {:.1} s: {event}.", (at - self.began) as f64 / 1000.0).unwrap();
            }
            table.push('\n');
        };
        for from in (self.began..=last).step_by(self.period as usize) {
            let seconds = |at: i64| (at - self.began) / 1000;
            line(&format!("{}-{}", seconds(from), seconds(from + self.period)), from, from + self.period);
        }
        line(ALL, i64::MIN, i64::MAX);
        table
    }
}
