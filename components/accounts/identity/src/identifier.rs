//! What somebody types to say which account is theirs.

use crate::{
    email::{self, Email},
    text::nfd,
    username::Username,
};

/// An e-mail address or a user name; the `@` tells which.
///
/// An address is known in several spellings: accounts that earlier versions made are kept as they were typed then, in
/// forms that a new one could not have any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// The spellings of an address, the most likely first; there is at least one.
    Email(Spellings),
    /// A name.
    Username(Username),
}

/// The text is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address or a user name")]
pub struct BadIdentifier;

/// An address as accounts may be kept under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spellings {
    /// By which attempts are counted: the same for all that are typed for one account.
    main: String,
    /// As accounts made before may have it; where both are accounts, the first one that was typed wins.
    typed: String,
    ascii: String,
    decomposed: String,
}

impl Spellings {
    fn of(text: &str) -> Result<Self, BadIdentifier> {
        let typed = email::as_kept_before(text).map_err(|_| BadIdentifier);
        match Email::new(text.to_owned()) {
            Ok(email) => {
                Ok(Self { typed: typed.unwrap_or_else(|_| email.as_str().to_owned()), ..email.into() })
            }
            Err(_) => typed.map(|typed| Self {
                main: typed.clone(),
                ascii: typed.clone(),
                decomposed: typed.clone(),
                typed,
            }),
        }
    }

    /// What an account may be kept under: first as it was typed, then as it is kept now, then as it may have been kept.
    pub fn all(&self) -> [&str; 4] {
        [&self.typed, &self.main, &self.ascii, &self.decomposed]
    }
}

impl From<Email> for Spellings {
    fn from(email: Email) -> Self {
        let main = email.as_str().to_owned();
        Self { typed: main.clone(), ascii: email.in_ascii(), decomposed: nfd(&main).into_owned(), main }
    }
}

impl Identifier {
    /// Reads either.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(text: String) -> Result<Self, BadIdentifier> {
        if text.contains('@') {
            Spellings::of(&text).map(Self::Email)
        } else {
            Username::new(text).map(Self::Username).map_err(|_| BadIdentifier)
        }
    }

    /// Its normal form.
    pub fn as_str(&self) -> &str {
        match self {
            Identifier::Email(spellings) => &spellings.main,
            Identifier::Username(name) => name.as_str(),
        }
    }
}

impl From<Email> for Identifier {
    fn from(email: Email) -> Self {
        Identifier::Email(email.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_counted_as_one() {
        let spelled = ["ada@b\u{fc}cher.example", "ADA@bu\u{308}cher.example", "ada@xn--bcher-kva.example"];
        for typed in spelled {
            let who = Identifier::new(typed.into()).unwrap();
            assert_eq!(who.as_str(), spelled[0], "{typed}");
            let Identifier::Email(spellings) = who else { panic!("an address") };
            assert_eq!(spellings.all()[1..], [spelled[0], spelled[2], &spelled[1].to_lowercase()], "{typed}");
            assert_eq!(spellings.all()[0], typed.to_lowercase());
        }
    }

    #[test]
    fn what_was_an_address_before_still_names_an_account() {
        for old in ["<ada@example.com>", "a..b@example.com", "ada@exa_mple.com", "ada@example.com."] {
            assert_eq!(Identifier::new(old.into()).unwrap().as_str(), old);
        }
        for never in ["a@b@c", "a b@c", "@", "a\0@b", "a b"] {
            assert_eq!(Identifier::new(never.into()), Err(BadIdentifier), "{never}");
        }
    }
}
