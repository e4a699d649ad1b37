//! Starting, stopping and crashing.

use std::time::Duration;

use octo_host::{Host, Limits, StoreFault};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::client::{request, send};
use super::{answer, guests, host, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_lets_requests_finish() {
    let host = host().await;
    let address = host.addr();
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(150)));
    let request = request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1");
    let in_progress = tokio::spawn(send(request));
    tokio::time::sleep(Duration::from_millis(50)).await;
    host.stop().await;
    assert_eq!(in_progress.await.unwrap().unwrap().body, "1");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_up_a_stop() {
    let host = host().await;
    let _idle = TcpStream::connect(host.addr()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    tokio::time::timeout(Duration::from_secs(2), host.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_what_is_in_progress() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Host::builder(guests()).state_dir(folder.path()).start();
    let host = start().await.unwrap();
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(150)));
    let request = request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1");
    let in_progress = tokio::spawn(send(request));
    tokio::time::sleep(Duration::from_millis(50)).await;
    host.abort();
    assert!(in_progress.await.unwrap().is_err());
    tokio::time::sleep(Duration::from_millis(400)).await;
    let again = start().await.unwrap();
    assert_eq!(said(&again, "wasi-kv/increment/n", "0").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_on_when_its_client_leaves() {
    let host = host().await;
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(100)));
    let request = request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1");
    let left = tokio::time::timeout(Duration::from_millis(50), send(request)).await;
    assert!(left.is_err());
    host.faults().key_value(StoreFault::None);
    // A busy machine takes its time; a request that was given up never counts.
    let deadline = Instant::now() + Duration::from_secs(10);
    while said(&host, "wasi-kv/increment/n", "0").await != "1" {
        assert!(Instant::now() < deadline, "the request was not finished");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the guest `afterwards` has counted, according to the probe.
async fn counted(host: &Host) -> String {
    host.faults().key_value(StoreFault::None);
    said(host, "wasi-kv/increment/afterwards", "0").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_works_on_after_its_answer() {
    let host = host().await;
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(100)));
    let before = Instant::now();
    assert_eq!(answer(&host, "/afterwards").await, (200, "ok".into()));
    assert!(before.elapsed() < Duration::from_millis(100), "the answer waits for what comes afterwards");
    assert_eq!(host.instances(), 1);
    while host.instances() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(counted(&host).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_waits_for_what_comes_after_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Host::builder(guests()).state_dir(folder.path()).start();
    let host = start().await.unwrap();
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(100)));
    assert_eq!(answer(&host, "/afterwards").await, (200, "ok".into()));
    host.stop().await;
    assert_eq!(counted(&start().await.unwrap()).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_waits_no_longer_than_it_may() {
    let limits = Limits { stop_time: Duration::from_millis(300), ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    host.faults().key_value(StoreFault::Hang);
    assert_eq!(answer(&host, "/afterwards").await, (200, "ok".into()));
    let before = Instant::now();
    host.stop().await;
    let took = before.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(2)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_an_answer_has_the_rest_of_the_requests_time() {
    let limits = Limits { request_time: Duration::from_millis(300), ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    host.faults().key_value(StoreFault::Hang);
    assert_eq!(answer(&host, "/afterwards").await, (200, "ok".into()));
    assert_eq!(host.instances(), 1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(host.instances(), 0);
    let log = host.logs();
    assert!(log.iter().any(|line| line.text.contains("after its answer began: took too long")), "{log:?}");
}
