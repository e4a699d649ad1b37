//! E-mail addresses, normalised once.

/// An address in the form accounts are kept and compared by: without surrounding space, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// Longest address, in bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;

/// The text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most {MAX_BYTES} bytes, such as ada@example.com")]
pub struct BadEmail;

impl Email {
    /// Checks the outer form only: a part before and after one `@`, no space or control character. Whether
    /// the mailbox exists only a mail can tell.
    pub fn new(text: String) -> Result<Self, BadEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.split_once('@').ok_or(BadEmail)?;
        let plain = |part: &str| {
            !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
        };
        let fits = text.len() <= MAX_BYTES && plain(local) && plain(domain);
        if fits { Ok(Self(text)) } else { Err(BadEmail) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_without_case_and_space() {
        assert_eq!(Email::new(" Ada@Example.COM\n".into()).unwrap().as_str(), "ada@example.com");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["", "ada", "@", "ada@", "@example.com", "a@b@c", "a b@c", "a@b\u{0}", &"x@".repeat(200)] {
            assert_eq!(Email::new(bad.into()), Err(BadEmail), "{bad}");
        }
        assert_eq!(Email::new(format!("{}@example.com", "x".repeat(250))), Err(BadEmail));
    }
}
