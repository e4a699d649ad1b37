//! The free messages of one user in a day, as the original message handler shows them.
//!
//! The gateway counts them; until it can be asked, they are shown as the day begins (contract 000, section 3).

use std::time::Duration;

use octo_core::UnixMillis;

/// What is left of a user's free messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeMessages {
    /// How many.
    pub left: i64,
    /// The UTC day on which they are refilled, as `YYYY-MM-DD`.
    pub refills_on: String,
}

impl FreeMessages {
    /// All of them, until tomorrow.
    pub fn untouched(now: UnixMillis) -> Self {
        let tomorrow = (now + Duration::from_secs(24 * 3600)).to_string();
        Self { left: 10, refills_on: tomorrow.chars().take(10).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_are_left_until_tomorrow() {
        let free = FreeMessages::untouched(UnixMillis(1_795_219_200_000));
        assert_eq!((free.left, free.refills_on.as_str()), (10, "2026-11-22"));
    }
}
