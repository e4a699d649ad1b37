//! Passwords: argon2id with the parameters of the OWASP Password Storage Cheat Sheet.
//!
//! They are hashed in the form of RFC 8265's profile `OpaqueString` (NFC, every space the same), so that the same password
//! typed on another system is the same. Hashes that earlier versions made are of what was typed then.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash,
};
use octo_core::{Entropy, Problem};

use crate::{
    common_passwords,
    text::{is_other_space, nfc},
};

/// Memory in KiB (OWASP minimum for two passes: 19 MiB).
pub const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
pub const PASSES: u32 = 2;
/// Lanes.
pub const LANES: u32 = 1;

const MIN_CHARACTERS: usize = 8;
const MAX_BYTES: usize = 1024;

/// A password. Never shown: it has no `Debug` worth the name.
pub struct Password {
    /// In the form that is hashed.
    prepared: String,
    /// As typed, where that is something else.
    typed: Option<String>,
}

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
    /// Nobody can type it on purpose.
    #[error("must not have control characters")]
    Control,
    /// Anyone who guesses passwords tries it first.
    #[error("is one of the passwords that are guessed first; choose another")]
    Common,
}

impl Password {
    /// A password for an account.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn chosen(text: String, rules: Rules) -> Result<Self, BadPassword> {
        let password = Self::presented(text)?;
        password.check(rules)?;
        Ok(password)
    }

    /// Whether an account may have it. One that was set under other rules may not be good any more.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn check(&self, rules: Rules) -> Result<(), BadPassword> {
        match rules {
            Rules::Legacy => Ok(()),
            Rules::Modern if self.prepared.chars().any(char::is_control) => Err(BadPassword::Control),
            Rules::Modern if self.prepared.chars().count() < MIN_CHARACTERS => Err(BadPassword::Length),
            Rules::Modern if common_passwords::contains(&self.prepared) => Err(BadPassword::Common),
            Rules::Modern => Ok(()),
        }
    }

    /// Whether it is just the name it is to protect, in whatever case.
    pub fn repeats(&self, name: &str) -> bool {
        let (password, name) = (nfc(&self.prepared.to_lowercase()).into_owned(), name.to_lowercase());
        password == name || password == local_part(&name)
    }

    /// Passwords that repeat `name` as somebody is likely to type it: to be compared with a hash where the password
    /// itself is not known.
    pub fn repetitions(name: &str) -> Vec<Self> {
        let mut texts = Vec::new();
        for text in [name, local_part(name)] {
            let mut letters = text.chars();
            let capital: String =
                letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
            for text in [text.to_owned(), capital, text.to_uppercase()] {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        texts.into_iter().map(|text| Self { prepared: text, typed: None }).collect()
    }

    /// A password to compare. One that no account can have is compared too, at the same cost; only its
    /// length is bounded.
    ///
    /// # Errors
    /// When it is longer than any account's.
    pub fn presented(text: String) -> Result<Self, BadPassword> {
        if text.len() > MAX_BYTES {
            return Err(BadPassword::Length);
        }
        let spaced: String = text.chars().map(|c| if is_other_space(c) { ' ' } else { c }).collect();
        let prepared = nfc(&spaced).into_owned();
        let typed = (prepared != text).then_some(text);
        Ok(Self { prepared, typed })
    }

    /// The password's hash in PHC form.
    pub fn hash(&self, entropy: &impl Entropy) -> Result<String, HashingFailed> {
        let salt = entropy.bytes::<16>();
        let hash = hasher()?.hash_password_with_salt(self.prepared.as_bytes(), &salt);
        hash.map(|hash: PasswordHash| hash.to_string()).map_err(|_| HashingFailed)
    }

    /// Whether this is the password behind `hash`. A wrong one costs a comparison for each of its forms, at most two.
    pub fn matches(&self, hash: &str) -> Result<bool, HashingFailed> {
        let hash = PasswordHash::new(hash).map_err(|_| HashingFailed)?;
        let hasher = hasher()?;
        let mut forms = [Some(&self.prepared), self.typed.as_ref()].into_iter().flatten();
        Ok(forms.any(|form| hasher.verify_password(form.as_bytes(), &hash).is_ok()))
    }

    /// What [`matches`](Self::matches) costs where there is no hash to compare with.
    pub fn match_nothing(&self, entropy: &impl Entropy) -> Result<bool, HashingFailed> {
        for _ in 0..1 + usize::from(self.typed.is_some()) {
            self.hash(entropy)?;
        }
        Ok(false)
    }
}

fn local_part(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
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
    fn the_same_password_typed_on_another_system_is_the_same() {
        let entropy = FakeEntropy::default();
        let presented = |text: &str| Password::presented(text.into()).unwrap();
        let composed = presented("caf\u{e9} cr\u{e8}me").hash(&entropy).unwrap();
        for same in ["cafe\u{301} cre\u{300}me", "caf\u{e9}\u{a0}cre\u{300}me", "caf\u{e9}\u{3000}cr\u{e8}me"]
        {
            assert!(presented(same).matches(&composed).unwrap(), "{same:?}");
        }
        for other in ["cafe creme", "CAF\u{c9} CR\u{c8}ME", "caf\u{e9}cr\u{e8}me"] {
            assert!(!presented(other).matches(&composed).unwrap(), "{other:?}");
        }
        assert_eq!(Password::chosen("e\u{301}".repeat(7), Rules::Modern).err(), Some(BadPassword::Length));
        assert_eq!(Password::chosen("passwor\0d12".into(), Rules::Modern).err(), Some(BadPassword::Control));
    }

    #[test]
    fn a_password_that_was_hashed_as_typed_still_fits_as_typed() {
        let typed = "cafe\u{301} creme";
        let salt = [7_u8; 16];
        let before: PasswordHash =
            hasher().unwrap().hash_password_with_salt(typed.as_bytes(), &salt).unwrap();
        let matches =
            |text: &str| Password::presented(text.into()).unwrap().matches(&before.to_string()).unwrap();
        assert!(matches(typed));
        assert!(!matches("caf\u{e9} creme"), "nobody can know what it was composed of");
    }

    #[test]
    fn a_name_is_no_password_for_itself() {
        let password = Password::presented("Ada.Lovelace".into()).unwrap();
        assert!(password.repeats("ada.lovelace@example.com") && password.repeats("ada.lovelace"));
        assert!(!password.repeats("ada@example.com"));
        let composed = Password::presented("ZOE\u{308}xxxxx".into()).unwrap();
        assert!(composed.repeats("zo\u{eb}xxxxx"));
        let texts: Vec<_> = Password::repetitions("ada@x.org").into_iter().map(|p| p.prepared).collect();
        assert_eq!(texts, ["ada@x.org", "Ada@x.org", "ADA@X.ORG", "ada", "Ada", "ADA"]);
    }
}
