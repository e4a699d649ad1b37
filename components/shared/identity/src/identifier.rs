//! What somebody types to say which account is theirs.

use crate::{email::Email, username::Username};

/// An e-mail address or a user name; the `@` tells which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// An address.
    Email(Email),
    /// A name.
    Username(Username),
}

/// The text is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address or a user name")]
pub struct BadIdentifier;

impl Identifier {
    /// Reads either.
    pub fn new(text: String) -> Result<Self, BadIdentifier> {
        if text.contains('@') {
            Email::new(text).map(Self::Email).map_err(|_| BadIdentifier)
        } else {
            Username::new(text).map(Self::Username).map_err(|_| BadIdentifier)
        }
    }

    /// Its normal form.
    pub fn as_str(&self) -> &str {
        match self {
            Identifier::Email(email) => email.as_str(),
            Identifier::Username(name) => name.as_str(),
        }
    }
}

impl From<Email> for Identifier {
    fn from(email: Email) -> Self {
        Identifier::Email(email)
    }
}
