//! A provider that misbehaves on purpose, for tests and demonstrations.

use std::{str::FromStr, time::Duration};

/// What a provider does wrong with every call it takes. The call counts as taken all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It answers after this time.
    Slow(Duration),
    /// It answers with this status and no result.
    Status(u16),
    /// It answers 200 with something that is no result.
    Garbage,
}

/// The text names no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFault;

impl UnknownFault {
    /// The rule the text breaks.
    pub const RULE: &str =
        "must be `none`, `slow:MILLISECONDS` (up to 25000), `status:CODE` (400 to 599) or `garbage`";
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        match text.split_once(':') {
            None if text == "none" => Ok(Fault::None),
            None if text == "garbage" => Ok(Fault::Garbage),
            Some(("slow", ms)) => {
                let ms = ms.parse().ok().filter(|ms| *ms <= 25_000).ok_or(UnknownFault)?;
                Ok(Fault::Slow(Duration::from_millis(ms)))
            }
            Some(("status", code)) => {
                let code = code.parse().ok().filter(|code| (400..600).contains(code));
                code.map(Fault::Status).ok_or(UnknownFault)
            }
            _ => Err(UnknownFault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_in_a_variable() {
        assert_eq!("none".parse(), Ok(Fault::None));
        assert_eq!("slow:1500".parse(), Ok(Fault::Slow(Duration::from_millis(1500))));
        assert_eq!("status:500".parse(), Ok(Fault::Status(500)));
        assert_eq!("garbage".parse(), Ok(Fault::Garbage));
        for unknown in ["", "slow", "slow:x", "slow:30000", "status:200", "other"] {
            assert_eq!(unknown.parse::<Fault>(), Err(UnknownFault), "{unknown}");
        }
    }
}
