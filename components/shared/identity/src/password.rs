//! Passwords: argon2id with the parameters of the OWASP Password Storage Cheat Sheet.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash,
};
use octo_core::{Entropy, Problem};

/// Memory in KiB (OWASP minimum for two passes: 19 MiB).
pub const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
pub const PASSES: u32 = 2;
/// Lanes.
pub const LANES: u32 = 1;

const MIN_CHARACTERS: usize = 8;
const MAX_BYTES: usize = 1024;

/// A password as typed. Never shown: it has no `Debug` worth the name.
pub struct Password(String);

/// The text is too short or too long for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have at least {MIN_CHARACTERS} characters and at most {MAX_BYTES} bytes")]
pub struct BadPassword;

impl Password {
    /// A password for a new account: bounded in length, free in composition.
    pub fn new(text: String) -> Result<Self, BadPassword> {
        let fits = text.chars().count() >= MIN_CHARACTERS && text.len() <= MAX_BYTES;
        if fits { Ok(Self(text)) } else { Err(BadPassword) }
    }

    /// A password to compare. One that no account can have is compared too, at the same cost; only its
    /// length is bounded.
    pub fn presented(text: String) -> Result<Self, BadPassword> {
        if text.len() <= MAX_BYTES { Ok(Self(text)) } else { Err(BadPassword) }
    }

    /// The password's hash in PHC form.
    pub fn hash(&self, entropy: &impl Entropy) -> Result<String, HashingFailed> {
        let salt = entropy.bytes::<16>();
        let hash = hasher()?.hash_password_with_salt(self.0.as_bytes(), &salt);
        hash.map(|hash: PasswordHash| hash.to_string()).map_err(|_| HashingFailed)
    }

    /// Whether this is the password behind `hash`.
    pub fn matches(&self, hash: &str) -> Result<bool, HashingFailed> {
        let hash = PasswordHash::new(hash).map_err(|_| HashingFailed)?;
        Ok(hasher()?.verify_password(self.0.as_bytes(), &hash).is_ok())
    }
}

/// The hash function could not work: no memory, or a damaged hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password could not be hashed or compared")]
pub struct HashingFailed;

impl From<HashingFailed> for Problem {
    fn from(error: HashingFailed) -> Self {
        Problem::internal().because(error)
    }
}

fn hasher() -> Result<Argon2<'static>, HashingFailed> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashingFailed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::FakeEntropy;

    #[test]
    fn the_hash_names_its_parameters_and_matches_only_its_password() {
        let password = Password::new("correct horse".into()).unwrap();
        let entropy = FakeEntropy::default();
        let hash = password.hash(&entropy).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(password.matches(&hash).unwrap());
        assert!(!Password::presented("wrong horse".into()).unwrap().matches(&hash).unwrap());
        assert_ne!(password.hash(&entropy).unwrap(), hash, "salted");
    }

    #[test]
    fn length_is_the_only_rule() {
        assert!(Password::new("1234567".into()).is_err());
        assert!(Password::new("12345678".into()).is_ok());
        assert!(Password::new("пароль-длинный".into()).is_ok());
        assert!(Password::new("x".repeat(1024)).is_ok());
        assert!(Password::new("x".repeat(1025)).is_err());
        assert!(Password::presented(String::new()).is_ok());
    }
}
