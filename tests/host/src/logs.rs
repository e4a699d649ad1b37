//! What the guests write to standard output and standard error, line by line.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How many lines are kept; older ones are forgotten.
const KEPT_LINES: usize = 100_000;
/// A line longer than this is cut into several.
const LONGEST_LINE: usize = 64 * 1024;

/// One line of a component, or of the host about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The component's id.
    pub component: Arc<str>,
    /// Who wrote the line, and where.
    pub source: LogSource,
    /// The line without its end.
    pub text: String,
}

/// Who wrote a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// The component, to standard output.
    Stdout,
    /// The component, to standard error.
    Stderr,
    /// The host, about the component: a trap, a denied call.
    Host,
}

/// What happens to each line.
pub(crate) type LogSink = Box<dyn Fn(&LogLine) + Send + Sync>;

/// The log of one host.
pub(crate) struct Logs {
    lines: Mutex<VecDeque<LogLine>>,
    /// When set, lines go there and are not kept.
    sink: Option<LogSink>,
}

impl Logs {
    pub(crate) fn new(sink: Option<LogSink>) -> Self {
        Self { lines: Mutex::default(), sink }
    }

    pub(crate) fn write(&self, component: &Arc<str>, source: LogSource, text: String) {
        let line = LogLine { component: Arc::clone(component), source, text };
        if let Some(sink) = &self.sink {
            return sink(&line);
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// One output stream of one instance.
#[derive(Clone)]
pub(crate) struct GuestOutput(Arc<Mutex<LineBuffer>>);

/// What an instance has written since its last line end.
struct LineBuffer {
    logs: Arc<Logs>,
    component: Arc<str>,
    source: LogSource,
    pending: Vec<u8>,
}

impl GuestOutput {
    pub(crate) fn new(logs: &Arc<Logs>, component: &Arc<str>, source: LogSource) -> Self {
        Self(Arc::new(Mutex::new(LineBuffer {
            logs: Arc::clone(logs),
            component: Arc::clone(component),
            source,
            pending: Vec::new(),
        })))
    }
}

impl LineBuffer {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            self.pending.extend_from_slice(line);
            self.end_line();
            rest = after.get(1..).unwrap_or_default();
        }
        self.pending.extend_from_slice(rest);
        if self.pending.len() > LONGEST_LINE {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        self.logs.write(&self.component, self.source, text);
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            self.end_line();
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, which this host does not offer.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LONGEST_LINE)
    }
}

#[async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_become_lines() {
        let logs = Arc::new(Logs::new(None));
        let mut output = GuestOutput::new(&logs, &"a".into(), LogSource::Stderr);
        for piece in ["one\ntw", "o\n", "\nlast"] {
            output.write(Bytes::from(piece)).unwrap();
        }
        drop(output);
        let texts: Vec<_> = logs.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["one", "two", "", "last"]);
    }
}
