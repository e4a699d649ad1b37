//! Many messages at planned times, with so many in flight at most.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use octo_host::Clock;
use octo_sim::random::Random;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What every message says, and what becomes of it.
const MESSAGE: &str = "hello";
const RESULT: &str = "olleh";

/// How a stretch of messages comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// At random, independent of one another, so many in a second.
    Steady { per_second: f64, seconds: f64 },
    /// As fast as they are answered.
    Rush { messages: usize },
}

/// Clients of several hosts, each with one message at a time on a connection that is kept.
pub(super) struct Crowd {
    pub(super) clients: usize,
    pub(super) hosts: Vec<SocketAddr>,
    pub(super) token: String,
}

/// A message and what came of it. Times are milliseconds since the epoch.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) sent_at: i64,
    pub(super) ended_at: i64,
    pub(super) end: End,
}

/// How a message ended for its sender.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// With an answer.
    Answered { status: u16, body: Value },
    /// Without: the connection broke, as when a host crashes. Nobody sends it again.
    Lost,
}

impl Message {
    /// A member of the answer's body, if it is a text.
    pub(super) fn said(&self, member: &str) -> &str {
        match &self.end {
            End::Answered { body, .. } => body[member].as_str().unwrap_or_default(),
            End::Lost => "",
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match &self.end {
            End::Answered { status, .. } => Some(*status),
            End::Lost => None,
        }
    }

    pub(super) fn went(&self, provider: &str) -> bool {
        self.status() == Some(200) && self.said("provider") == provider && self.said("response") == RESULT
    }
}

/// When the messages are due, milliseconds from the beginning.
pub(super) fn due(paces: &[Pace]) -> Vec<i64> {
    let mut random = Random::new(1);
    let mut due = Vec::new();
    let mut begins = 0.0;
    for pace in paces {
        match *pace {
            Pace::Steady { per_second, seconds } => {
                let ends = begins + seconds * 1000.0;
                let mut next = begins + random.exponential(1000.0 / per_second);
                while next < ends {
                    due.push(next as i64);
                    next += random.exponential(1000.0 / per_second);
                }
                begins = ends;
            }
            Pace::Rush { messages } => due.extend(std::iter::repeat_n(begins as i64, messages)),
        }
    }
    due
}

impl Crowd {
    /// Sends all messages that are due and waits for what becomes of each. One that is due while every client
    /// waits for an answer goes as soon as one has it.
    pub(super) async fn send(self, due: Vec<i64>) -> Vec<Message> {
        let began = now();
        let (crowd, due, next) = (Arc::new(self), Arc::new(due), Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        for number in 0..crowd.clients {
            let (crowd, due, next) = (Arc::clone(&crowd), Arc::clone(&due), Arc::clone(&next));
            clients.spawn(async move {
                let mut client = Client { crowd, host: number, connection: None };
                let mut messages = Vec::new();
                while let Some(due) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let wait = began + due - now();
                    tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))).await;
                    messages.push(client.message().await);
                }
                messages
            });
        }
        let mut messages = clients.join_all().await.concat();
        messages.sort_by_key(|message| message.sent_at);
        messages
    }
}

struct Client {
    crowd: Arc<Crowd>,
    /// Counts on when a host is gone.
    host: usize,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    async fn message(&mut self) -> Message {
        let sent_at = now();
        let end = match self.exchange().await {
            Some((status, body)) => End::Answered { status, body },
            None => {
                (self.host, self.connection) = (self.host + 1, None);
                End::Lost
            }
        };
        Message { sent_at, ended_at: now(), end }
    }

    async fn exchange(&mut self) -> Option<(u16, Value)> {
        let host = self.crowd.hosts[self.host % self.crowd.hosts.len()];
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(host).await?),
        };
        let request = Request::post("/messages")
            .header("host", host.to_string())
            .header("authorization", format!("Bearer {}", self.crowd.token))
            .header("content-type", "application/json")
            .body(Full::from(json!({ "message": MESSAGE }).to_string()))
            .unwrap();
        connection.ready().await.ok()?;
        let (head, body) = connection.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some((head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
    }
}

async fn connect(host: SocketAddr) -> Option<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(host).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// Milliseconds since the epoch.
pub(super) fn now() -> i64 {
    Clock::system().now_ms() as i64
}
