//! A message: what clients send to be processed.

/// Largest message, in bytes of UTF-8.
pub const MAX_BYTES: usize = 64 * 1024;

/// A text of 1 byte to [`MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(String);

/// The text is empty or too long for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_BYTES} bytes of UTF-8; it has {0}")]
pub struct BadLength(pub usize);

impl Message {
    /// Checks the length of `text`.
    pub fn new(text: String) -> Result<Self, BadLength> {
        if (1..=MAX_BYTES).contains(&text.len()) { Ok(Self(text)) } else { Err(BadLength(text.len())) }
    }

    /// The same for a client of the original message handler, whose messages may be empty.
    pub fn maybe_empty(text: String) -> Result<Self, BadLength> {
        if text.is_empty() { Ok(Self(text)) } else { Self::new(text) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_1_byte_to_64_kib() {
        assert_eq!(Message::new(String::new()), Err(BadLength(0)));
        assert!(Message::new("a".into()).is_ok());
        assert!(Message::new("a".repeat(MAX_BYTES)).is_ok());
        assert_eq!(Message::new("a".repeat(MAX_BYTES + 1)), Err(BadLength(MAX_BYTES + 1)));
    }

    #[test]
    fn the_length_counts_bytes_not_characters() {
        assert_eq!(Message::new("я".repeat(MAX_BYTES / 2 + 1)), Err(BadLength(MAX_BYTES + 2)));
    }
}
