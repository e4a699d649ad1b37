//! A provider outside: it answers every request at once, with the same body.
//!
//! The body is a chat completion in OpenAI's shape, which other gateways can forward, too.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use xtask::guarded::Guarded;

/// What it makes of every message.
pub(crate) const RESULT: &str = "xof nworb kciuq eht";

/// Where that stands in its answer, as a JSON Pointer.
pub(crate) const POINTER: &str = "/choices/0/message/content";

/// The provider in a process of its own, which ends with this value.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    _running: Guarded,
    _said: BufReader<ChildStdout>,
}

impl Upstream {
    /// Starts it at `address`.
    pub(crate) fn start(address: &str) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command.args(["upstream", address]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = Guarded::spawn(&mut command)?;
        let mut said = BufReader::new(running.child().stdout.take().context("it has no output")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let address = line.trim_end().parse().with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { address, _running: running, _said: said })
    }
}

/// Serves for ever, and says where.
pub(crate) fn serve(address: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    })
}

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Infallible> {
    // A connection is used again only when its last request has been read.
    let _ = request.into_body().collect().await;
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1800000000,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{RESULT}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":4,"completion_tokens":4,"total_tokens":8}}}}"#
    );
    let mut response = http::Response::new(Full::new(body.into()));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}
