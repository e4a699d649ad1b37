//! Components that call each other.

use bytes::Bytes;
use octo_host::Outcome;

use super::{answer, host, refused, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_chained_call_reaches_a_private_component() {
    let host = host().await;
    assert_eq!(answer(&host, "/chain").await, (200, "ok".into()));
    let headers = said(&host, "call/body", "http://hidden.spin.internal/headers").await;
    assert!(headers.contains("spin-path-info: /headers"), "{headers}");
    assert!(headers.contains("spin-client-addr: 0.0.0.0:0"), "{headers}");
    assert!(headers.contains("spin-full-url: http://hidden.spin.internal/headers"), "{headers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_allowed_is_not_called() {
    let host = host().await;
    for url in
        ["http://answer.spin.internal/", "https://hidden.spin.internal/", "http://nobody.spin.internal/"]
    {
        let error = refused(&host, "call/status", url).await;
        assert!(error.contains("HttpRequestDenied"), "{url}: {error}");
    }
    let log = host.logs();
    assert!(log.iter().any(|line| line.text.contains("allowed_outbound_hosts")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outbound_call_is_recorded() {
    let host = host().await;
    answer(&host, "/chain").await;
    refused(&host, "call/status", "http://answer.spin.internal/x?y").await;
    let calls = host.outbound_calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(&*calls[0].from_component, "chain");
    assert_eq!(calls[0].method, "GET");
    assert_eq!(calls[0].outcome, Outcome::Status(200));
    assert!(calls[0].started <= calls[0].finished);
    assert_eq!(calls[1].url, "http://answer.spin.internal/x?y");
    assert!(matches!(&calls[1].outcome, Outcome::Failed(reason) if reason.contains("denied")));
    host.clear_records();
    assert!(host.outbound_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_in_the_called_component_is_an_answer_to_the_caller() {
    let host = host().await;
    assert_eq!(said(&host, "call/status", "http://hidden.spin.internal/trap").await, "500");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_host_reaches_every_component() {
    let host = host().await;
    let request = |path: &str| ::http::Request::post(path).body(Bytes::from("hello")).unwrap();
    let answer = host.call("hidden", request("/echo")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body(), "hello");
    let refusal = host.call("nobody", request("/")).await.unwrap_err();
    assert!(refusal.to_string().contains("\"nobody\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_at_once_are_all_answered() {
    let host = host().await;
    let calls: Vec<_> =
        (0..200).map(|_| tokio::spawn(super::client::get_owned(host.url("/chain")))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().status, 200);
    }
    assert_eq!(host.outbound_calls().len(), 200);
}
