//! Passwords: argon2id with the parameters of the OWASP Password Storage Cheat Sheet.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash,
};
use octo_core::{Entropy, Problem};

use crate::common_passwords;

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

/// Which passwords an account may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Long enough, and not one of the most common; any composition (ASVS 5, section 6.2).
    Modern,
    /// Any at all, for the demonstrations of the original systems (`legacy_rules`).
    Legacy,
}

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Too short or too long.
    #[error("must have at least {MIN_CHARACTERS} characters and at most {MAX_BYTES} bytes")]
    Length,
    /// Whoever guesses passwords tries it first.
    #[error("is one of the passwords that are guessed first; choose another")]
    Common,
}

impl Password {
    /// A password for an account.
    pub fn chosen(text: String, rules: Rules) -> Result<Self, BadPassword> {
        if text.len() > MAX_BYTES {
            return Err(BadPassword::Length);
        }
        match rules {
            Rules::Legacy => Ok(Self(text)),
            Rules::Modern if text.chars().count() < MIN_CHARACTERS => Err(BadPassword::Length),
            Rules::Modern if common_passwords::contains(&text) => Err(BadPassword::Common),
            Rules::Modern => Ok(Self(text)),
        }
    }

    /// Whether it is just the name it is to protect, in whatever case.
    pub fn repeats(&self, name: &str) -> bool {
        let local = name.split('@').next().unwrap_or(name);
        [name, local].contains(&self.0.to_lowercase().as_str())
    }

    /// A password to compare. One that no account can have is compared too, at the same cost; only its
    /// length is bounded.
    pub fn presented(text: String) -> Result<Self, BadPassword> {
        if text.len() <= MAX_BYTES { Ok(Self(text)) } else { Err(BadPassword::Length) }
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
        let password = Password::chosen("correct horse".into(), Rules::Modern).unwrap();
        let entropy = FakeEntropy::default();
        let hash = password.hash(&entropy).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(password.matches(&hash).unwrap());
        assert!(!Password::presented("wrong horse".into()).unwrap().matches(&hash).unwrap());
        assert_ne!(password.hash(&entropy).unwrap(), hash, "salted");
    }

    #[test]
    fn length_and_rarity_are_the_only_rules() {
        let chosen = |text: &str| Password::chosen(text.into(), Rules::Modern).err();
        assert_eq!(chosen("x7!Kq-v"), Some(BadPassword::Length));
        assert_eq!(chosen("x7!Kq-vd"), None);
        assert_eq!(chosen("пароль-длинный"), None);
        assert_eq!(chosen(&"phrase of words ".repeat(64)), None);
        assert_eq!(chosen(&format!("{}x", "phrase of words ".repeat(64))), Some(BadPassword::Length));
        assert_eq!(chosen("Password123"), Some(BadPassword::Common));
        assert!(Password::presented(String::new()).is_ok());
    }

    #[test]
    fn the_originals_passwords_pass_under_their_own_rules_only() {
        for password in ["", "test", "password123", "admin123"] {
            assert!(Password::chosen(password.into(), Rules::Modern).is_err(), "{password}");
            assert!(Password::chosen(password.into(), Rules::Legacy).is_ok(), "{password}");
        }
    }

    #[test]
    fn a_name_is_no_password_for_itself() {
        let password = Password::presented("Ada.Lovelace".into()).unwrap();
        assert!(password.repeats("ada.lovelace@example.com") && password.repeats("ada.lovelace"));
        assert!(!password.repeats("ada@example.com"));
    }
}
