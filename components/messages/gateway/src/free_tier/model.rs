//! How the free provider's windows lie in time.

use std::str::FromStr;

/// What the free provider counts its N calls over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowModel {
    /// Windows of length P at multiples of P since the epoch.
    Aligned,
    /// A window of length P begins with the first call after the last one ended.
    Anchored,
    /// At most N calls in any time of length P.
    Sliding,
    /// A bucket of N tokens, refilled evenly with N tokens in P; a call takes one.
    TokenBucket,
    /// N calls over any time, then closed for B. P plays no part.
    CountThenBlock,
}

impl WindowModel {
    /// Every model.
    pub const ALL: [Self; 5] =
        [Self::Aligned, Self::Anchored, Self::Sliding, Self::TokenBucket, Self::CountThenBlock];

    /// Its name in the variable `free_window_model` and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aligned => "aligned",
            Self::Anchored => "anchored",
            Self::Sliding => "sliding",
            Self::TokenBucket => "token_bucket",
            Self::CountThenBlock => "count_then_block",
        }
    }
}

/// No window model has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownModel;

impl FromStr for WindowModel {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Self, UnknownModel> {
        Self::ALL.into_iter().find(|model| model.name() == name).ok_or(UnknownModel)
    }
}
