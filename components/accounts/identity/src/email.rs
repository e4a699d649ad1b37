//! E-mail addresses, in one spelling.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::text::{is_invisible, is_other_space, nfc};

/// An address in the form accounts are kept and compared by: without surrounding space, in lower case and NFC, an
/// internationalised domain in letters rather than in `xn--` labels.
///
/// The part before the `@` is a dot-atom (RFC 5321, section 4.1.2) with letters, digits and marks of any script
/// (RFC 6531); the domain has the labels that WHATWG's form control takes, after IDNA's mapping (UTS 46). Quoted local
/// parts and addresses of machines in brackets are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// Longest address, in bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;
/// Longest part before the `@`, in bytes (RFC 5321, section 4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// The text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most {MAX_BYTES} bytes, such as ada@example.com")]
pub struct BadEmail;

impl Email {
    /// Checks the form. Whether the mailbox exists only a mail can tell.
    ///
    /// # Errors
    /// When it is no address.
    pub fn new(text: String) -> Result<Self, BadEmail> {
        let text = text.trim();
        // IDNA would leave out what is invisible, and so take two texts that look alike for one.
        if text.chars().any(is_invisible) {
            return Err(BadEmail);
        }
        let (local, domain) = text.split_once('@').ok_or(BadEmail)?;
        // Letter by letter: that of a whole word makes two of one letter, at a word's end and elsewhere.
        let lower: String = local.chars().flat_map(char::to_lowercase).collect();
        let local = nfc(&lower).into_owned();
        let in_letters = in_letters(domain).ok_or(BadEmail)?;
        let in_ascii = in_ascii(domain).ok_or(BadEmail)?;
        let longest = local.len() + 1 + in_letters.len().max(in_ascii.len());
        let fits = is_dot_atom(&local) && local.len() <= MAX_LOCAL_BYTES && longest <= MAX_BYTES;
        if fits { Ok(Self(format!("{local}@{in_letters}"))) } else { Err(BadEmail) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The other spelling: with the domain in `xn--` labels, or the same again. Accounts made by earlier versions may
    /// have it.
    pub fn in_ascii(&self) -> String {
        match self.0.split_once('@') {
            Some((local, domain)) => {
                format!("{local}@{}", in_ascii(domain).unwrap_or_else(|| domain.to_owned()))
            }
            None => self.0.clone(),
        }
    }
}

/// An address as earlier versions kept it: any two parts around one `@`, in lower case.
///
/// # Errors
/// When it was no address for them either.
pub fn as_kept_before(text: &str) -> Result<String, BadEmail> {
    let text = text.trim().to_lowercase();
    let (local, domain) = text.split_once('@').ok_or(BadEmail)?;
    let plain = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
    };
    let fits = text.len() <= MAX_BYTES && plain(local) && plain(domain);
    if fits { Ok(text) } else { Err(BadEmail) }
}

/// Atoms with a dot between any two of them (RFC 5322, section 3.2.3; RFC 6532, section 3.2).
fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_text))
}

fn is_atom_text(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    }
    // Signs that are no letters (accents, viramas) belong to words in many scripts.
    !c.is_whitespace() && !c.is_control() && !is_other_space(c) && !is_in_no_script(c)
}

/// Characters that no script has: private use, non-characters, and what marks the layout of lines.
fn is_in_no_script(c: char) -> bool {
    matches!(u32::from(c), 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xF_0000..=0x10_FFFF | 0xFFF9..=0xFFFF)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The domain in `xn--` labels.
fn in_ascii(domain: &str) -> Option<String> {
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    ascii.ok().map(|ascii| ascii.into_owned())
}

/// The domain in letters.
fn in_letters(domain: &str) -> Option<String> {
    let (letters, result) =
        Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    result.ok().map(|()| letters.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(text: &str) -> String {
        Email::new(text.into()).unwrap_or_else(|_| panic!("{text:?}")).0
    }

    #[test]
    fn an_address_is_compared_without_case_and_space() {
        assert_eq!(kept(" Ada@Example.COM\n"), "ada@example.com");
    }

    #[test]
    fn one_mailbox_has_one_spelling() {
        for (typed, one) in [
            ("zoe\u{308}@example.com", "zo\u{eb}@example.com"),
            ("ZO\u{cb}@example.com", "zo\u{eb}@example.com"),
            ("\u{3a3}\u{3a3}@example.com", "\u{3c3}\u{3c3}@example.com"),
            ("ada@xn--bcher-kva.example", "ada@b\u{fc}cher.example"),
            ("ada@XN--BCHER-KVA.example", "ada@b\u{fc}cher.example"),
            ("ada@bu\u{308}cher.example", "ada@b\u{fc}cher.example"),
            ("ada@B\u{dc}CHER.example", "ada@b\u{fc}cher.example"),
            ("ada@\u{ff45}xample\u{3002}com", "ada@example.com"),
        ] {
            assert_eq!(kept(typed), one, "{typed:?}");
        }
        assert_eq!(Email(kept("ada@b\u{fc}cher.example")).in_ascii(), "ada@xn--bcher-kva.example");
        assert_eq!(Email(kept("ada@example.com")).in_ascii(), "ada@example.com");
    }

    #[test]
    fn what_is_an_address_is_taken() {
        for good in [
            "a@b",
            "a.b+c@example.com",
            "!#$%&'*+/=?^_`{|}~-@example.com",
            "\u{43f}\u{43e}\u{447}\u{442}\u{430}@\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.\u{440}\u{444}",
            "\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}@example.com",
            "\u{645}\u{62b}\u{627}\u{644}@example.com",
            "a@r3---sn.example.com",
            &format!("{}@example.com", "x".repeat(64)),
        ] {
            kept(good);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let (long_local, long_label) = ("x".repeat(65), "x".repeat(64));
        let long_in_bytes = "\u{eb}".repeat(33);
        for bad in [
            "",
            "ada",
            "@",
            "ada@",
            "@example.com",
            "a@b@c",
            "a b@c",
            "a@b\u{0}",
            "a\u{0}@b",
            // Dots.
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "ada@.example.com",
            "ada@example.com.",
            "ada@example..com",
            "ada@example\u{3002}\u{3002}com",
            // Not the address alone.
            "<ada@example.com>",
            "Ada <ada@example.com>",
            "ada@example.com>",
            "mailto:ada@example.com",
            "\"ada\"@example.com",
            "ada(x)@example.com",
            "a,b@example.com",
            "a;b@example.com",
            "a\\b@example.com",
            // Domains that are none.
            "ada@-example.com",
            "ada@example-.com",
            "ada@exa_mple.com",
            "ada@[127.0.0.1]",
            "ada@exa mple.com",
            "ada@xn--.com",
            "ada@xn--a.com",
            // Nobody sees them, or they turn what one sees.
            "a\u{200b}da@example.com",
            "ada@exa\u{ad}mple.com",
            "ada@exam\u{200d}ple.com",
            "\u{202e}ada@example.com",
            "ada\u{2066}@example.com",
            "ada@example\u{200f}.com",
            "ada\u{feff}@example.com",
            "a\u{3164}b@example.com",
            "a\u{fe0f}b@example.com",
            "a\u{34f}b@example.com",
            "a\u{e0041}b@example.com",
            "a\u{61c}b@example.com",
            // Spaces and private characters.
            "a\u{a0}b@example.com",
            "a\u{3000}b@example.com",
            "a\u{2028}b@example.com",
            "a\u{e000}b@example.com",
            "a\u{fffd}b@example.com",
            "a\u{1ffff}b@example.com",
            "a\u{85}b@example.com",
            // Length.
            &format!("{long_local}@example.com"),
            &format!("{long_in_bytes}@example.com"),
            &format!("ada@{long_label}.com"),
            &format!("ada@{}com", "abcdefg.".repeat(32)),
        ] {
            assert_eq!(Email::new(bad.into()), Err(BadEmail), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_kept_form_is_its_own(text in r"\PC{1,20}@[a-zA-Z\u{e0}-\u{24f}\u{370}-\u{3ff}.-]{1,20}") {
            if let Ok(email) = Email::new(text) {
                prop_assert_eq!(Email::new(email.0.clone()).unwrap(), email.clone());
                prop_assert_eq!(Email::new(email.in_ascii()).unwrap(), email.clone());
                prop_assert_eq!(as_kept_before(email.as_str()).unwrap(), email.as_str());
            }
        }
    }
}
