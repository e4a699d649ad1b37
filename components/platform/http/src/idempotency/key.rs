//! The key, whose it is, and what it stands for.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, StatusCode};
use octo_core::Problem;
use serde::{Deserialize, Serialize};
use sfv::{Item, Parser};
use sha2::{Digest, Sha256};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The rule of the field, told whenever it is broken.
const RULE: &str = "The header Idempotency-Key must be sent once, as 1 to 255 printable ASCII characters \
                    in double quotes, such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\".";

/// The key a client gave its request: 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key among a request's header fields, if it has one.
    ///
    /// The draft demands a string in double quotes (RFC 9651, section 3.3.3). Most clients send the bare
    /// text, so that is taken too where it cannot be mistaken for anything else; both are the same key.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut fields = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        // Two keys cannot both be meant.
        let text = if fields.next().is_some() { None } else { field.to_str().ok() };
        let key = text.map(str::trim).and_then(|text| quoted(text).or_else(|| bare(text)));
        key.filter(|key| (1..=255).contains(&key.len())).map(|key| Some(Self(key))).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-idempotency-key", "The key cannot be used", RULE)
        })
    }

    /// The key as a name that no other caller's key has, nor one for another route: for a store of one's own.
    pub fn scoped(&self, scope: Scope<'_>) -> String {
        Name::of(self, scope).0
    }
}

fn quoted(text: &str) -> Option<String> {
    let item: Item = Parser::new(text).parse().ok()?;
    item.bare_item.as_string().map(|key| key.as_str().to_owned())
}

fn bare(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b',' | b';');
    text.bytes().all(plain).then(|| text.to_owned())
}

/// Whose key it is, and for what: the same text is another key for another caller or route.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The caller's `sub`.
    pub caller: &'a str,
    /// Method and path pattern of the route.
    pub route: &'a str,
}

/// The digest of what makes two requests the same request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a request that consists of `parts`.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(digest(parts))
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name a key has in the store: a digest, so that neither its length nor its characters matter there,
/// and nobody who reads the store can use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(key: &IdempotencyKey, scope: Scope<'_>) -> Self {
        Self(digest(&[scope.caller.as_bytes(), scope.route.as_bytes(), key.0.as_bytes()]))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 in base64url. Every part goes in after its length: no two lists of parts look the same.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(fields: &[&[u8]]) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(field).unwrap());
        }
        Ok(IdempotencyKey::read(&headers)?.map(|key| key.0))
    }

    #[test]
    fn a_key_comes_in_quotes_or_bare() {
        assert_eq!(read(&[]).unwrap(), None);
        for (field, key) in [
            (r#""8e03978e-40d5-43dd-bc93-6894a57f9324""#, "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            (r#" "a \"b\" \\ c" "#, r#"a "b" \ c"#),
            (r#""a";why=retry"#, "a"),
            ("tg/45+=", "tg/45+="),
            ("17", "17"),
        ] {
            assert_eq!(read(&[field.as_bytes()]).unwrap().unwrap(), key);
        }
        let longest = "k".repeat(255);
        assert_eq!(read(&[longest.as_bytes()]).unwrap(), Some(longest));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_rule() {
        let long = "k".repeat(256);
        let quoted = format!("\"{long}\"");
        for fields in [
            &[&b""[..]][..],
            &[b"\"\""],
            &[b"\"a"],
            &[b"a b"],
            &[b"a, b"],
            &[b"a;b"],
            &[b"a\"b"],
            &[b"\"a\", \"b\""],
            &[b"\xd0\xb0"],
            &[b"a\tb"],
            &[b"a", b"a"],
            &[long.as_bytes()],
            &[quoted.as_bytes()],
        ] {
            let problem = read(fields).unwrap_err();
            assert_eq!((problem.status.as_u16(), problem.slug), (400, "invalid-idempotency-key"));
            assert!(problem.detail.contains("Idempotency-Key"));
        }
    }

    #[test]
    fn the_same_text_is_another_key_for_another_caller_or_route() {
        let key = |text: &str| IdempotencyKey(text.to_owned());
        let scope = |caller, route| Scope { caller, route };
        let names = [
            Name::of(&key("k"), scope("u", "r")),
            Name::of(&key("k"), scope("v", "r")),
            Name::of(&key("k"), scope("u", "s")),
            Name::of(&key("l"), scope("u", "r")),
            Name::of(&key("k"), scope("ur", "")),
            Name::of(&key("rk"), scope("u", "")),
        ];
        for (index, name) in names.iter().enumerate() {
            assert_eq!(names.iter().position(|other| other == name), Some(index));
        }
        assert_eq!(names[0], Name::of(&key("k"), scope("u", "r")));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_a_key_has_1_to_255_printable_characters(field in "[ -~]{0,300}") {
            if let Ok(Some(key)) = read(&[field.as_bytes()]) {
                prop_assert!((1..=255).contains(&key.len()));
                prop_assert!(key.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }

        #[test]
        fn every_printable_text_can_be_a_key(text in "[ -~]{1,255}") {
            let field = format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
            prop_assert_eq!(read(&[field.as_bytes()]).unwrap().unwrap(), text);
        }
    }
}
