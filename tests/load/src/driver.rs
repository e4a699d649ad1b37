//! The load generator: a closed loop over keep-alive connections.
//!
//! Each connection sends its next request when it has the answer to the last one, as a client that waits
//! does. One thread is enough and leaves the rest of the machine to the server.

use std::io::{stdin, stdout};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::{Load, Outcome};

type Connection = SendRequest<Full<Bytes>>;

/// Reads a [`Load`] from standard input, drives it and writes its [`Outcome`] to standard output.
pub(crate) fn serve_one() -> anyhow::Result<()> {
    let load = serde_json::from_reader(stdin().lock()).context("standard input holds no load")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(drive(load))?;
    serde_json::to_writer(stdout().lock(), &outcome)?;
    Ok(())
}

async fn drive(load: Load) -> anyhow::Result<Outcome> {
    let load: &'static Load = Box::leak(Box::new(load));
    let request = request(load)?;
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(connect(&load.address).await?);
    }
    let counted_from = Instant::now() + load.warm_up;
    let end = counted_from + load.duration;
    let mut loops = JoinSet::new();
    for connection in connections {
        loops.spawn(repeat(load, connection, request.clone(), counted_from, end));
    }
    let mut all = Tally::default();
    while let Some(tally) = loops.join_next().await {
        all.add(tally?);
    }
    // The last answers arrive after the end; the time until then belongs to them.
    let seconds = counted_from.elapsed().as_secs_f64();
    all.latencies.sort_unstable();
    let quantile = |q: f64| milliseconds(quantile(&all.latencies, q));
    Ok(Outcome {
        answers: all.latencies.len(),
        requests: all.requests,
        seconds,
        failures: all.failures,
        mean_ms: milliseconds(mean(&all.latencies)),
        p50_ms: quantile(0.50),
        p99_ms: quantile(0.99),
        max_ms: quantile(1.0),
        first_failure: all.first_failure,
    })
}

#[derive(Default)]
struct Tally {
    latencies: Vec<Duration>,
    requests: usize,
    failures: usize,
    first_failure: Option<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.requests += other.requests;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| format!("{error:#}"));
    }
}

async fn repeat(
    load: &Load,
    mut connection: Connection,
    request: http::Request<Full<Bytes>>,
    counted_from: Instant,
    end: Instant,
) -> Tally {
    let mut tally = Tally::default();
    loop {
        let sent = Instant::now();
        if sent >= end {
            return tally;
        }
        tally.requests += 1;
        match exchange(load, &mut connection, request.clone()).await {
            Ok(()) if sent >= counted_from => tally.latencies.push(sent.elapsed()),
            Ok(()) => {}
            Err(error) => {
                tally.fail(&error);
                // A benchmark of failures is worth nothing; a few of them say what is wrong.
                if tally.failures >= 3 {
                    return tally;
                }
                match connect(&load.address).await {
                    Ok(fresh) => connection = fresh,
                    Err(error) => {
                        tally.fail(&error);
                        return tally;
                    }
                }
            }
        }
    }
}

async fn exchange(
    load: &Load,
    connection: &mut Connection,
    request: http::Request<Full<Bytes>>,
) -> anyhow::Result<()> {
    connection.ready().await.context("the server closed a keep-alive connection")?;
    let answer = connection.send_request(request).await.context("no answer")?;
    let status = answer.status();
    let body = answer.into_body().collect().await.context("half an answer")?.to_bytes();
    if status.as_u16() != load.status || !load.expect.holds(&body) {
        bail!("unexpected answer {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}

/// One request on a connection of its own.
pub(crate) async fn once(
    at: SocketAddr,
    request: http::Request<Full<Bytes>>,
) -> anyhow::Result<(http::StatusCode, Bytes)> {
    let answer = connect(&at.to_string()).await?.send_request(request).await.context("no answer")?;
    let status = answer.status();
    Ok((status, answer.into_body().collect().await.context("half an answer")?.to_bytes()))
}

async fn connect(address: &str) -> anyhow::Result<Connection> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn request(load: &Load) -> anyhow::Result<http::Request<Full<Bytes>>> {
    let mut builder = http::Request::builder()
        .method(load.method.as_str())
        .uri(load.path.as_str())
        .header("host", &load.address);
    for (name, value) in &load.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(load.body.clone()))).map_err(|error| anyhow!("bad request: {error}"))
}

fn mean(values: &[Duration]) -> Duration {
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    values.iter().sum::<Duration>().checked_div(count).unwrap_or_default()
}

/// The value at or below which the share `q` of the sorted `values` lies.
fn quantile(values: &[Duration], q: f64) -> Duration {
    let rank = (values.len() as f64 * q).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&values, 0.50), Duration::from_millis(50));
        assert_eq!(quantile(&values, 0.99), Duration::from_millis(99));
        assert_eq!(quantile(&values, 1.0), Duration::from_millis(100));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
        assert_eq!(mean(&values), Duration::from_micros(50_500));
        assert_eq!(mean(&[]), Duration::ZERO);
    }
}
