//! Many messages at once: no free call is lost, and none is one too many.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use http::Method;
use octo_host::Clock;
use serde_json::json;

use super::TestApp;
use super::harness::Setup;

const MESSAGES: usize = 200;
const FREE: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn of_200_messages_at_once_50_are_free_and_150_paid() {
    send_all_at_once(TestApp::with("free_limit", FREE)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_messages_at_once_on_three_hosts_50_are_free_and_150_paid() {
    send_all_at_once(TestApp::with("free_limit", FREE).several(3)).await;
}

async fn send_all_at_once(setup: Setup) {
    let app = setup.start().await;
    let ada = app.paying_user("ada").await;
    let hosts = app.hosts().len();
    let messages: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    let sent = messages.iter().enumerate().map(|(number, message)| ada.send_by(number % hosts, message));
    let answers = join_all(sent).await;

    let mut processed_by = HashMap::new();
    for (message, answer) in messages.iter().zip(&answers) {
        let body = answer.expect(200);
        assert_eq!(body["response"], message.chars().rev().collect::<String>());
        let id = body["id"].as_str().unwrap().to_owned();
        let provider = body["provider"].as_str().unwrap().to_owned();
        assert_eq!(body["reason"], if provider == "free" { "free_available" } else { "free_exhausted" });
        assert_eq!(processed_by.insert(id, provider), None, "two messages have one id");
    }
    let ids_of = |provider: &str| -> HashSet<_> {
        let own = processed_by.iter().filter(|(_, by)| *by == provider);
        own.map(|(id, _)| id.clone()).collect()
    };

    let free = app.free_provider().books().await;
    assert_eq!((free.taken_total, free.refused_total), (50, 0));
    assert_eq!(free.windows, [50]);
    assert_eq!(free.taken.len(), FREE);
    assert_eq!(free.taken.into_iter().collect::<HashSet<_>>(), ids_of("free"));

    let paid = app.paid_provider().books().await;
    assert_eq!((paid.metered_total, paid.refused_total), (150, 0));
    assert_eq!(paid.metered.len(), MESSAGES - FREE);
    assert_eq!(paid.metered.into_iter().collect::<HashSet<_>>(), ids_of("paid"));

    assert_eq!((app.calls_to("free-provider"), app.calls_to("paid-provider")), (FREE, MESSAGES - FREE));
    assert_eq!(ada.quota().await["used"], 50);
}

/// A host ends in the middle of its messages. Whoever got no answer sends again to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_crashes_costs_no_overrun() {
    let mut app = TestApp::with("free_limit", FREE).several(3).start().await;
    let ada = app.paying_user("ada").await;
    // A call takes long enough for many to be under way when the host ends.
    for host in app.hosts() {
        let slow = octo_host::OutboundFault::Slow(Duration::from_millis(100));
        host.faults().outbound("free-provider", slow);
    }
    let sent = (0..MESSAGES).map(async |number| {
        let message = || {
            let call = ada.call_on(number % 3, Method::POST, "/messages");
            call.json(&json!({ "message": "hello" })).attempt()
        };
        message().await
    });
    let crash = async {
        tokio::time::sleep(Duration::from_millis(120)).await;
        app.crash(2);
    };
    let (answers, ()) = futures::join!(join_all(sent), crash);
    let unanswered = answers.iter().filter(|answer| answer.is_none()).count();
    for answer in answers.iter().flatten() {
        assert_eq!(answer.expect(200)["response"], "olleh");
    }
    let again = join_all((0..unanswered).map(|number| ada.send_by(number % 2, "hello"))).await;
    for answer in &again {
        assert_eq!(answer.expect(200)["response"], "olleh");
    }
    assert!(unanswered > 0, "the host ended too late");

    let free = app.free_provider().books().await;
    assert_eq!(free.refused_total, 0);
    // A slot whose call was never sent is lost until the next window; nothing is ever given twice.
    assert!(free.taken_total <= 50, "{}", free.taken_total);
    assert_eq!(ada.quota().await["used"], 50);
    app.clock().advance(Duration::from_secs(60));
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}

/// Windows of 5 s pass in a fifth of a second while three hosts send: without a pause in one window, only
/// around its ends in the next. So there are calls under way from one window, with room, into another.
#[tokio::test(flavor = "multi_thread")]
async fn no_window_sees_a_call_too_many_while_windows_pass_on_three_hosts() {
    const LIMIT: i64 = 20;
    const WINDOWS: usize = 10;
    const TIMEOUT_MS: u64 = 1_500;
    let app = TestApp::with("free_limit", LIMIT)
        .with("free_window_seconds", 5)
        .with("free_provider_timeout_ms", TIMEOUT_MS)
        .several(3)
        .start()
        .await;
    let ada = app.paying_user("ada").await;
    let under_way = UnderWay::new(app.clock().clone());
    let over = AtomicBool::new(false);

    let time = async {
        for _ in 0..WINDOWS * 50 {
            tokio::time::sleep(Duration::from_millis(4)).await;
            under_way.advance(100, TIMEOUT_MS).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    let senders = join_all((0..12).map(async |sender| {
        let mut sent = 0;
        while !over.load(Ordering::SeqCst) {
            let now = app.clock().now_ms();
            if (now / 5_000).is_multiple_of(2) && (1_000..4_800).contains(&(now % 5_000)) {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            under_way.begin(sender);
            ada.send_by(sender % 3, "hello").await.expect(200);
            under_way.end(sender);
            sent += 1;
        }
        sent
    }));
    let ((), sent) = futures::join!(time, senders);
    let sent: i64 = sent.iter().sum();

    let (free, paid) = (app.free_provider().books().await, app.paid_provider().books().await);
    assert_eq!(free.refused_total, 0, "{free:?}");
    assert!(free.windows.iter().all(|taken| *taken <= LIMIT), "{:?}", free.windows);
    assert_eq!(free.taken_total + paid.metered_total, sent);
    // The guarantee must not be bought by leaving free calls unused.
    let full = free.windows.iter().filter(|taken| **taken == LIMIT).count();
    assert!(full >= WINDOWS / 2, "{:?} of {sent}", free.windows);
}

/// The messages under way. The guarantee is for calls that end within their timeout, so time passes only as
/// fast as the slowest of them allows.
struct UnderWay {
    clock: Clock,
    began: Mutex<BTreeMap<usize, u64>>,
}

impl UnderWay {
    fn new(clock: Clock) -> Self {
        Self { clock, began: Mutex::default() }
    }

    fn begin(&self, sender: usize) {
        let mut began = self.began.lock().unwrap();
        began.insert(sender, self.clock.now_ms());
    }

    fn end(&self, sender: usize) {
        self.began.lock().unwrap().remove(&sender);
    }

    async fn advance(&self, step_ms: u64, timeout_ms: u64) {
        loop {
            {
                let began = self.began.lock().unwrap();
                let after = self.clock.now_ms() + step_ms;
                if began.values().all(|began| after - began <= timeout_ms) {
                    self.clock.advance(Duration::from_millis(step_ms));
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
