//! Paths, and the numbers in them. The shells match paths that are as [`normalised`] leaves them.

use http::{Uri, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

/// The target with the characters of its path that need no encoding decoded (RFC 3986, section 6.2.2.2), so that
/// `/users/%31` is `/users/1`; `None` when it is so already, or its encoding is wrong. All our paths and ids are made of
/// such characters. An encoded `/` or `%` stays encoded, so it separates nothing and nothing is decoded twice.
pub fn normalised(uri: &Uri) -> Option<Uri> {
    let mut encoded = uri.path().split('%');
    let mut path = encoded.next()?.to_owned();
    for part in encoded {
        let (code, rest) = part.split_at_checked(2)?;
        // `from_str_radix` would take a sign.
        let byte = code
            .bytes()
            .all(|digit| digit.is_ascii_hexdigit())
            .then(|| u8::from_str_radix(code, 16).ok())??;
        match char::from(byte) {
            plain if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => path.push(plain),
            _ => path.extend(["%", code]),
        }
        path.push_str(rest);
    }
    if path.len() == uri.path().len() {
        return None;
    }
    if let Some(query) = uri.query() {
        path.extend(["?", query]);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// The id with this text. A thing has one path: no sign, no zeros in front, no spaces.
pub fn id(text: &str) -> Option<i64> {
    let canonical = text == "0" || !text.starts_with('0');
    if canonical { digits(text) } else { None }
}

/// Whether a segment of a path can be a parameter: it encodes text, and some.
pub(crate) fn is_text(segment: &str) -> bool {
    !segment.is_empty() && percent_decode_str(segment).decode_utf8().is_ok()
}

/// The number that these digits are; `None` when anything else is among them.
pub(crate) fn digits(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(target: &str) -> String {
        let uri: Uri = target.parse().unwrap();
        normalised(&uri).unwrap_or(uri).to_string()
    }

    #[test]
    fn what_needs_no_encoding_is_decoded_once() {
        for (target, same) in [
            ("/users/%31", "/users/1"),
            ("/%75sers/m%65?a=%31", "/users/me?a=%31"),
            ("/.well%2Dknown/jwks%2ejson", "/.well-known/jwks.json"),
            ("/users/%7E%5f", "/users/~_"),
            ("/users/%2531", "/users/%2531"),
            ("/users%2F1", "/users%2F1"),
            ("/users/%2B1", "/users/%2B1"),
            ("/users/%3", "/users/%3"),
            ("/users/%", "/users/%"),
            ("/users/%25%33%31", "/users/%2531"),
            ("/users/%zz%31", "/users/%zz%31"),
            ("/users/%+1", "/users/%+1"),
            ("/users/%%331", "/users/%%331"),
            ("/users/%ü", "/users/%ü"),
            ("/users/%C3%BC", "/users/%C3%BC"),
            ("/users/ü%31", "/users/ü1"),
        ] {
            assert_eq!(path(target), same);
        }
        assert_eq!(normalised(&"/users/1?a=%31".parse().unwrap()), None);
    }

    #[test]
    fn an_id_is_digits_and_nothing_else() {
        assert_eq!([id("0"), id("1"), id("9223372036854775807")], [Some(0), Some(1), Some(i64::MAX)]);
        for text in
            ["", "+1", "-1", "01", "00", " 1", "1 ", "1.0", "1e3", "0x1", "١", "9223372036854775808", "1_0"]
        {
            assert_eq!(id(text), None, "{text}");
        }
    }

    #[test]
    fn a_parameter_is_text() {
        assert!(["1", "%2F", "%C3%BC", "%", "%zz"].into_iter().all(is_text));
        assert!(!["", "%FF", "1%C3"].into_iter().any(is_text));
    }

    proptest! {
        #[test]
        fn every_target_stays_one(path in "/[a-z/.%0-9A-Fü]{0,20}(\\?[a-z%=]{0,6})?") {
            let uri: Uri = path.parse().unwrap();
            if let Some(changed) = normalised(&uri) {
                prop_assert_eq!(changed.query(), uri.query());
                prop_assert_eq!(changed.path().matches('/').count(), uri.path().matches('/').count());
            }
        }

        #[test]
        fn an_id_is_written_as_it_is_read(number in 0..=i64::MAX) {
            prop_assert_eq!(id(&number.to_string()), Some(number));
        }
    }
}
