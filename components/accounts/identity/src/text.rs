//! Text in one form, whatever system it was typed on: NFC, for names and passwords (RFC 8265).

use std::borrow::Cow;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// Characters of a full name or a telephone number.
const MAX_CHARACTERS: usize = 200;

/// The canonical composition of `text`.
pub fn nfc(text: &str) -> Cow<'_, str> {
    const { ComposingNormalizerBorrowed::new_nfc() }.normalize(text)
}

/// The canonical decomposition of `text`, as some systems type it.
pub fn nfd(text: &str) -> Cow<'_, str> {
    const { DecomposingNormalizerBorrowed::new_nfd() }.normalize(text)
}

/// A text that people read, such as a full name: in NFC, of bounded length, without control characters. (The database
/// cannot keep a NUL, and nobody can read the others.)
///
/// # Errors
/// Says which rule it breaks.
pub fn short(text: String) -> Result<String, String> {
    let text = nfc(&text).into_owned();
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    let fits = text.chars().count() <= MAX_CHARACTERS;
    if fits { Ok(text) } else { Err(format!("must have at most {MAX_CHARACTERS} characters")) }
}

/// Whether nobody sees `c`, or sees only what it does to the direction of the text around it: Unicode's property
/// `Default_Ignorable_Code_Point`, which all characters of direction but two tags have.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether `c` is a space other than ASCII's: Unicode's category Zs.
pub fn is_other_space(c: char) -> bool {
    matches!(c, '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_are_one() {
        assert_eq!(nfc("zoe\u{308}"), "zo\u{eb}");
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}"), "\u{d55c}");
        assert_eq!(nfc("plain"), "plain");
    }

    #[test]
    fn a_short_text_is_readable() {
        assert_eq!(short("Zoe\u{308} O'Neil, 3rd".into()), Ok("Zo\u{eb} O'Neil, 3rd".into()));
        assert_eq!(short(String::new()), Ok(String::new()));
        assert!(short("x".repeat(200)).is_ok() && short("x".repeat(201)).is_err());
        for control in ["a\0b", "a\nb", "\u{1b}[1m", "a\u{7f}", "a\u{85}b"] {
            assert!(short(control.into()).is_err(), "{control:?}");
        }
    }
}
