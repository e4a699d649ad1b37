//! Passwords that are tried first: some 46 000 of the most frequent in published breaches, those of 8 characters and
//! more.
//!
//! They are the list in version 3.1.19 of the crate `passwords` (MIT). Kept are the first four bytes of the SHA-256
//! digest of each in lower case, sorted, so that the list takes 182 KiB and a look-up sixteen steps. One in 92 000
//! other passwords is taken for one of them. `cargo xtask common-passwords` makes the file.

use sha2::{Digest, Sha256};

static FINGERPRINTS: &[u8] = include_bytes!("common_passwords.bin");

/// Whether `password`, in whatever case, is one of the most common.
pub fn contains(password: &str) -> bool {
    let digest = Sha256::digest(password.to_lowercase().as_bytes());
    let (fingerprints, _) = FINGERPRINTS.as_chunks::<4>();
    digest.first_chunk::<4>().is_some_and(|fingerprint| fingerprints.binary_search(fingerprint).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_known_in_any_case_and_others_are_not() {
        for common in
            ["password", "12345678", "qwertyuiop", "iloveyou", "password123", "Admin123", "PASSWORD1"]
        {
            assert!(contains(common), "{common}");
        }
        for other in ["correct horse battery staple", "x7!Kq-vd02", "", "пароль-длинный"] {
            assert!(!contains(other), "{other}");
        }
    }

    #[test]
    fn the_list_is_whole_and_sorted() {
        let (fingerprints, rest) = FINGERPRINTS.as_chunks::<4>();
        assert!(rest.is_empty() && fingerprints.len() > 40_000);
        assert!(fingerprints.is_sorted());
    }
}
