//! Whoever waits for an answer.

use std::fmt;

/// Whoever waits for an answer, and may give up.
#[derive(Clone, Copy)]
pub struct Audience<'a>(&'a (dyn Fn() -> bool + Sync));

impl<'a> Audience<'a> {
    /// Somebody of whom `is_there` tells, each time it is asked. They are told so that the work goes on.
    pub fn of(is_there: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self(is_there)
    }

    /// Tells them that the work goes on, before each question that may take its time. Whether they are still there.
    pub fn is_there(self) -> bool {
        (self.0)()
    }
}

impl Audience<'static> {
    /// The one who asks, right here: nobody else waits.
    pub const HERE: Self = Self(&|| true);
}

impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audience")
    }
}
