//! Requests from outside.

use std::time::Duration;

use octo_host::{Host, Limits, LogSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{http_2, raw, request, send, send_on};
use super::{answer, guests, host, probe, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_public_route_is_answered_by_its_component() {
    let host = host().await;
    assert_eq!(answer(&host, "/answer").await, (200, "ok".into()));
    assert_eq!(answer(&host, "/answer/").await, (200, "ok".into()));
    assert_eq!(answer(&host, "/.well-known/spin/health").await, (200, "OK".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_a_route_and_a_private_component_are_not_found() {
    let host = host().await;
    for path in ["/", "/nothing", "/hidden", "/answer/below", "/.well-known/spin/info"] {
        assert_eq!(answer(&host, path).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn naming_a_private_component_in_the_host_header_does_not_reach_it() {
    let host = host().await;
    let mut request = request("GET", &host.url("/headers"), "");
    request.headers_mut().insert("host", "hidden.spin.internal".parse().unwrap());
    assert_eq!(send(request).await.unwrap().status, 400);
}

/// The probe is told the last line of a name; `http::headers` has a test of what stands before it.
#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_fields_are_the_last_of_their_names_and_a_clients_stay_as_on_spin() {
    let host = host().await;
    let mut request = request("GET", &host.url("/probe/me/headers?x=1"), "");
    for name in ["spin-client-addr", "spin-full-url", "spin-path-match-user", "spin-anything", "x-own"] {
        request.headers_mut().append(name, "the client's".parse().unwrap());
    }
    let headers = send(request).await.unwrap().body;
    for line in [
        &format!("spin-full-url: {}", host.url("/probe/me/headers?x=1")),
        "spin-path-match-user: me",
        "spin-anything: the client's",
        "x-own: the client's",
    ] {
        assert!(headers.lines().any(|other| other == line), "{line} in {headers}");
    }
    assert!(headers.contains("spin-client-addr: 127.0.0.1:"), "{headers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_valid_host_unless_it_is_http_1_0() {
    let host = host().await;
    let status = async |head: &str| {
        let answer = raw(host.addr(), format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await;
        answer.split(' ').nth(1).unwrap_or("").to_owned()
    };
    for head in
        ["GET /answer HTTP/1.1\r\nhost: x", "GET /answer HTTP/1.0", "GET http://x/answer HTTP/1.1\r\nhost: x"]
    {
        assert_eq!(status(head).await, "200", "{head}");
    }
    for head in [
        "GET /answer HTTP/1.1",
        "GET /answer HTTP/1.1\r\nhost:",
        "GET /answer HTTP/1.1\r\nhost: x\r\nhost: x",
        "GET /answer HTTP/1.1\r\nhost: x\r\nhost: y",
        "GET /answer HTTP/1.0\r\nhost: x\r\nhost: y",
        "GET /answer HTTP/1.1\r\nhost: a b",
        "GET /answer HTTP/1.1\r\nhost: x/y",
        "GET /answer HTTP/1.1\r\nhost: user@x",
        "GET /answer HTTP/1.1\r\nhost: x:port",
        "GET /answer HTTP/1.1\r\nhost: hidden.spin.internal",
        "GET http://x/answer HTTP/1.1\r\nhost: y",
        "GET /nothing HTTP/1.1\r\nhost: x\r\nhost: y",
    ] {
        assert_eq!(status(head).await, "400", "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_streams_through() {
    let host = host().await;
    let long = "0123456789".repeat(50_000);
    assert_eq!(said(&host, "echo", &long).await, long);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not() {
    let limits = Limits { request_body: 1_000, ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    assert_eq!(probe(&host, "echo", &"x".repeat(1_000)).await.status, 200);
    assert_eq!(probe(&host, "echo", &"x".repeat(1_001)).await.status, 413);

    let head = "POST /probe/me/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let chunked = format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n");
    let answer = raw(host.addr(), chunked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_or_broken_is_refused() {
    let host = host().await;
    let long = format!("GET /answer HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(200_000));
    let answer = raw(host.addr(), long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = raw(host.addr(), b"nonsense\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = raw(host.addr(), b"GET /answer HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many_requests() {
    let host = host().await;
    let request = "GET /answer HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /answer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = raw(host.addr(), format!("{request}{request}{last}").as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_answered_with_a_constant_and_told_in_the_log() {
    let host = host().await;
    let answer = probe(&host, "trap", "secret").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, "the component failed"));
    let log = host.logs();
    let line = log.iter().find(|line| line.source == LogSource::Host).unwrap();
    assert_eq!(&*line.component, "probe");
    assert!(line.text.contains("trap"), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_computes_for_ever_is_stopped_and_lets_others_work_meanwhile() {
    let limits = Limits { request_time: Duration::from_secs(6), ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    let stuck = tokio::spawn(super::client::get_owned(host.url("/probe/me/compute")));
    let stuck_too = tokio::spawn(super::client::get_owned(host.url("/probe/me/compute")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(answer(&host, "/answer").await.0, 200);
    assert!(!stuck.is_finished());
    assert_eq!(stuck.await.unwrap().status, 504);
    assert_eq!(stuck_too.await.unwrap().status, 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_wants_too_much_memory_fails_alone() {
    let host = host().await;
    assert_eq!(probe(&host, "memory", "").await.status, 500);
    assert_eq!(answer(&host, "/answer").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_writes_is_in_the_log() {
    let host = host().await;
    said(&host, "log", "one\ntwo").await;
    let lines: Vec<_> = host.logs().into_iter().map(|line| (line.source, line.text)).collect();
    for source in [LogSource::Stdout, LogSource::Stderr] {
        assert!(lines.contains(&(source, "one".into())), "{lines:?}");
        assert!(lines.contains(&(source, "two".into())), "{lines:?}");
    }
    host.clear_logs();
    assert!(host.logs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_begins_with_http_2_has_many_requests_on_one_connection() {
    let host = host().await;
    let sender = http_2(host.addr()).await;
    let sent = (0..50).map(|_| send_on(&sender, request("GET", &host.url("/answer"), "")));
    for answer in futures::future::join_all(sent).await {
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
    let headers =
        send_on(&sender, request("GET", &host.url("/probe/me/headers?x=1"), "")).await.unwrap().body;
    let full = format!("spin-full-url: {}", host.url("/probe/me/headers?x=1"));
    assert!(headers.lines().any(|line| line == full), "{headers}");
    assert!(headers.contains("spin-client-addr: 127.0.0.1:"), "{headers}");
    assert_eq!(send_on(&sender, request("GET", &host.url("/nothing"), "")).await.unwrap().status, 404);
    let hidden = request("GET", "http://hidden.spin.internal/headers", "");
    assert_eq!(send_on(&sender, hidden).await.unwrap().status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_known_however_the_first_bytes_come() {
    let host = host().await;
    let exchange = async |pieces: &[&[u8]], length: usize| {
        let mut stream = tokio::net::TcpStream::connect(host.addr()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    };
    // The first frame of a server of HTTP/2: SETTINGS.
    let settings: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    for pieces in [
        &[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], settings][..],
        &[b"P", b"RI * HTTP/2.0\r\n\r\n", b"SM\r\n\r\n", settings],
    ] {
        assert_eq!(exchange(pieces, 4).await[3], 4, "SETTINGS");
    }
    for pieces in [
        &[&b"GET /answer HTTP/1.1\r\nhost: x\r\n\r\n"[..]][..],
        &[b"P", b"OST /answer HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"],
        &[b"PR", b"OPFIND /answer HTTP/1.1\r\nhost: x\r\n\r\n"],
    ] {
        assert_eq!(exchange(pieces, 9).await, b"HTTP/1.1 ");
    }
}
