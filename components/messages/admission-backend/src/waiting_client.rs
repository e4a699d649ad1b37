//! The client that waits for a response.

use std::fmt;

/// The client that waits for a response, and may give up.
#[derive(Clone, Copy)]
pub struct WaitingClient<'a>(&'a (dyn Fn() -> bool + Sync));

impl<'a> WaitingClient<'a> {
    /// A client; `is_there` tells it that the work goes on, and returns whether it still waits.
    pub fn new(is_there: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self(is_there)
    }

    /// Tells the client that the work goes on, before each step that may take long. Returns whether it still waits.
    pub fn is_there(self) -> bool {
        (self.0)()
    }
}

impl WaitingClient<'static> {
    /// No other client: the caller itself uses the result, so the work never stops early.
    pub const NONE: Self = Self(&|| true);
}

impl fmt::Debug for WaitingClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitingClient")
    }
}
