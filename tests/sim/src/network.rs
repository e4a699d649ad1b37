//! What happens to a call on its way.

use crate::random::Random;

/// How calls travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Every call is answered in time, one in 50 after eight times as long.
    Clean,
    /// Of 1000 calls 40 are lost, crashed or refused, and one in 200 takes as long as the timeout or longer.
    Dirty,
}

/// The way of one call. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// From the reservation in the store until the call starts.
    pub start: i64,
    /// From the start until it arrives.
    pub there: i64,
    /// From the arrival until the answer is back.
    pub back: i64,
    /// From the end of the call until the settlement is in the store.
    pub settle: i64,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives and is answered.
    Answered,
    /// It arrives; the answer is lost.
    AnswerLost,
    /// It is lost before it arrives, and the caller cannot tell.
    CallLost,
    /// The connection is refused: it never happened, and the caller knows.
    NotSent,
    /// The caller crashes before it sends.
    CrashedBefore,
    /// The caller crashes after it has sent.
    CrashedAfter,
}

impl Network {
    /// The way of the next call.
    pub fn way(self, timeout: i64, random: &mut Random) -> Way {
        let fate = match (self, random.between(0, 999)) {
            (Self::Clean, _) => Fate::Answered,
            (Self::Dirty, 0..8) => Fate::AnswerLost,
            (Self::Dirty, 8..16) => Fate::CallLost,
            (Self::Dirty, 16..24) => Fate::NotSent,
            (Self::Dirty, 24..32) => Fate::CrashedBefore,
            (Self::Dirty, 32..40) => Fate::CrashedAfter,
            _ => Fate::Answered,
        };
        let mut latency = match self {
            Self::Clean => 15.0 + random.exponential(35.0),
            Self::Dirty => 40.0 + random.exponential(110.0),
        };
        if random.share() < 0.02 {
            latency *= 8.0;
        }
        if self == Self::Clean {
            latency = latency.min(timeout as f64 - 1.0);
        }
        if self == Self::Dirty && random.share() < 0.005 {
            latency = timeout as f64 * (0.9 + 0.3 * random.share());
        }
        let latency = latency as i64;
        let there = (latency as f64 * (0.1 + 0.8 * random.share())) as i64;
        Way { start: random.between(0, 5), there, back: latency - there, settle: random.between(0, 5), fate }
    }
}
