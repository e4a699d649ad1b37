//! User names, normalised once.

/// A user name in the form accounts are kept and compared by: without surrounding space, in lower case.
///
/// Letters beyond ASCII are left out, for many look like others; so is `@`, which tells an e-mail address from a
/// user name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

const MAX_CHARACTERS: usize = 64;

/// The text is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_CHARACTERS} characters: letters a to z, digits, `.`, `_` and `-`")]
pub struct BadUsername;

impl Username {
    /// Checks length and characters.
    pub fn new(text: String) -> Result<Self, BadUsername> {
        let text = text.trim().to_ascii_lowercase();
        let fits = (1..=MAX_CHARACTERS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if fits { Ok(Self(text)) } else { Err(BadUsername) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_without_case_and_space() {
        assert_eq!(Username::new(" Ada_Lovelace-1.0 ".into()).unwrap().as_str(), "ada_lovelace-1.0");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", " ", "a b", "ada@example.com", "а", "a\u{0}", &"x".repeat(65)] {
            assert_eq!(Username::new(bad.into()), Err(BadUsername), "{bad}");
        }
        assert!(Username::new("x".repeat(64)).is_ok());
    }
}
