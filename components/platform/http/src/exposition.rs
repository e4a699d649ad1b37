//! Figures for Prometheus, in its text format 0.0.4.

use std::fmt::Write;

use http::{HeaderValue, header};

use crate::Response;

/// The value of a label, as it stands between its quotes.
pub fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// Prometheus' text format.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins the figures with this name: their kind (`counter`, `gauge` or `histogram`), and what they are.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A figure of the last family; `labels` as they stand in braces, or nothing.
    pub fn sample(&mut self, name: &str, labels: &str, value: i64) {
        self.decimal(name, labels, &value.to_string());
    }

    /// The same for a figure that is no whole number: its decimal text.
    pub fn decimal(&mut self, name: &str, labels: &str, value: &str) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// All of them.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(self.0.into_bytes());
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
