//! Bodies over WASI's streams, with as few calls to the host as they need: the announced length tells when a
//! body is complete, and a body that fits the host's buffer is handed over in one piece.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use http::{HeaderMap, header};
use spin_executor::CancelOnDropToken;
use wasi::{
    clocks::monotonic_clock,
    http::types::{Fields, IncomingBody, Method, OutgoingBody},
    io::{
        poll::poll,
        streams::{InputStream, OutputStream, StreamError},
    },
};

/// Most bytes asked of a stream at once.
const READ_SIZE: u64 = 64 * 1024;

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It has more bytes than allowed.
    TooLarge,
    /// It broke off.
    Broken,
    /// It was not there in time.
    Late,
}

/// Collects a body of at most `limit` bytes, which may have announced its length.
struct Collector {
    body: Vec<u8>,
    announced: Option<usize>,
    limit: usize,
}

impl Collector {
    fn new(headers: &HeaderMap, limit: usize) -> Result<Self, ReadError> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limit) {
            return Err(ReadError::TooLarge);
        }
        Ok(Self { body: Vec::with_capacity(announced.unwrap_or(0)), announced, limit })
    }

    fn is_complete(&self) -> bool {
        self.announced.is_some_and(|length| self.body.len() >= length)
    }

    fn add(&mut self, chunk: &[u8]) -> Result<(), ReadError> {
        self.body.extend_from_slice(chunk);
        if self.body.len() > self.limit { Err(ReadError::TooLarge) } else { Ok(()) }
    }

    /// The stream has ended; a body shorter than announced was cut.
    fn end(self) -> Result<Vec<u8>, ReadError> {
        let whole = self.announced.is_none_or(|length| self.body.len() >= length);
        if whole { Ok(self.body) } else { Err(ReadError::Broken) }
    }
}

/// Reads a body to its end, which must come within `time`; nothing else can be done meanwhile.
pub(crate) async fn read_within(
    time: Duration,
    body: &IncomingBody,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    let timer = monotonic_clock::subscribe_duration(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    // Waits for the stream and the timer together. When the timer has run out, it does not matter what the stream has: a
    // client that sends a byte now and then would never be late.
    collect(body, headers, limit, async |stream| {
        let readable = stream.subscribe();
        if poll(&[&timer, &readable]).contains(&0) {
            Err(ReadError::Late)
        } else {
            Ok(stream.read(READ_SIZE))
        }
    })
    .await
}

/// Reads a body to its end, and counts the pieces; dropping the future gives up.
pub(crate) async fn read(
    body: &IncomingBody,
    headers: &HeaderMap,
    limit: usize,
    progress: &AtomicUsize,
) -> Result<Vec<u8>, ReadError> {
    let next = async |stream: &InputStream| {
        let read = chunk(stream).await;
        progress.fetch_add(1, Relaxed);
        Ok(read)
    };
    collect(body, headers, limit, next).await
}

async fn collect(
    body: &IncomingBody,
    headers: &HeaderMap,
    limit: usize,
    next: impl AsyncFn(&InputStream) -> Result<Result<Vec<u8>, StreamError>, ReadError>,
) -> Result<Vec<u8>, ReadError> {
    let mut collector = Collector::new(headers, limit)?;
    if collector.is_complete() {
        return collector.end();
    }
    let stream = body.stream().map_err(|()| ReadError::Broken)?;
    while !collector.is_complete() {
        match next(&stream).await? {
            Ok(chunk) => collector.add(&chunk)?,
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(ReadError::Broken),
        }
    }
    collector.end()
}

async fn chunk(stream: &InputStream) -> Result<Vec<u8>, StreamError> {
    // Declared after the stream it polls, and dropped before it.
    let mut registration = None;
    poll_fn(|context| match stream.read(READ_SIZE) {
        Ok(chunk) if chunk.is_empty() => {
            let token = spin_executor::push_waker_and_get_token(stream.subscribe(), context.waker().clone());
            registration = Some(CancelOnDropToken::from(token));
            Poll::Pending
        }
        result => {
            registration = None;
            Poll::Ready(result)
        }
    })
    .await
}

/// A body on its way out.
pub(crate) struct Outgoing<'a> {
    body: OutgoingBody,
    stream: OutputStream,
    rest: &'a [u8],
}

impl<'a> Outgoing<'a> {
    /// Hands over as much of `bytes` as the host takes at once. That is all of it up to about a megabyte.
    pub(crate) fn begin(body: OutgoingBody, bytes: &'a [u8]) -> Option<Self> {
        let stream = body.write().ok()?;
        Some(Self::over(body, stream, bytes))
    }

    /// The same on a stream that was begun.
    pub(crate) fn over(body: OutgoingBody, stream: OutputStream, bytes: &'a [u8]) -> Self {
        let mut outgoing = Self { body, stream, rest: bytes };
        if !bytes.is_empty() {
            outgoing.push();
        }
        outgoing
    }

    /// Hands over the rest and ends the body. What the other side no longer wants is dropped.
    pub(crate) fn finish(mut self) {
        while !self.rest.is_empty() {
            self.stream.subscribe().block();
            if !self.push() {
                break;
            }
        }
        drop(self.stream);
        let _ = OutgoingBody::finish(self.body, None);
    }

    /// Whether everything has been handed over.
    pub(crate) fn is_complete(&self) -> bool {
        self.rest.is_empty()
    }

    fn push(&mut self) -> bool {
        let Ok(room) = self.stream.check_write() else { return false };
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(self.rest.len());
        let (now, later) = self.rest.split_at(fits);
        self.rest = later;
        now.is_empty() || self.stream.write(now).is_ok()
    }
}

/// WASI's form of `headers`, with the length of the body to come.
pub(crate) fn fields(headers: &HeaderMap, length: usize) -> Option<Fields> {
    let mut entries: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    entries.push(("content-length".to_owned(), length.to_string().into_bytes()));
    Fields::from_list(&entries).ok()
}

/// The headers in WASI's form, without what `http` cannot hold.
pub(crate) fn headers(fields: &Fields) -> HeaderMap {
    let entries = fields.entries().into_iter();
    entries
        .filter_map(|(name, value)| {
            let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, http::HeaderValue::from_maybe_shared(bytes::Bytes::from(value)).ok()?))
        })
        .collect()
}

/// The method as `http` has it.
pub(crate) fn method(method: &Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
        Method::Connect => http::Method::CONNECT,
        Method::Options => http::Method::OPTIONS,
        Method::Trace => http::Method::TRACE,
        Method::Patch => http::Method::PATCH,
        // The host has read it from a request line, so it is one.
        Method::Other(text) => text.parse().unwrap_or_default(),
    }
}
