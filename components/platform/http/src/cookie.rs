//! Cookies (RFC 6265).

use http::{HeaderMap, HeaderValue, header};

/// The cookie that carries the access token (as the original message handler calls it).
pub const SESSION: &str = "octo_handler_user";

/// The value of cookie `name`. Read as bytes: cookies of others stand beside ours, and may hold anything.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).find_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next()?, parts.next()?);
        let value = (key.trim_ascii() == name.as_bytes()).then(|| value.trim_ascii())?;
        str::from_utf8(value).ok()
    })
}

/// `Set-Cookie` for the access token: out of reach of scripts, not sent from other sites except when a
/// person follows a link, and kept off plain HTTP when `secure`.
pub fn session(token: &str, max_age_seconds: u64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{SESSION}={token}; HttpOnly; Max-Age={max_age_seconds}; Path=/; SameSite=lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("a=1; octo_handler_user=x.y.z"));
        headers.append("cookie", HeaderValue::from_static("b=2"));
        assert_eq!(read(&headers, SESSION), Some("x.y.z"));
        assert_eq!(read(&headers, "b"), Some("2"));
        assert_eq!(read(&headers, "octo"), None);
    }

    #[test]
    fn what_stands_beside_a_cookie_may_be_anything() {
        for foreign in
            [&b"n=\xc3\xbc"[..], b"n=\xfc", b"\xff=1", b"n", b"=", b"", b"octo_handler_user=\xff", b"a=\"b"]
        {
            for line in [
                [foreign, b"; octo_handler_user=x.y.z"].concat(),
                [b"octo_handler_user=x.y.z;", foreign].concat(),
                [b"a=1;", foreign, b"; octo_handler_user = x.y.z ;b=2"].concat(),
            ] {
                let value = HeaderValue::from_bytes(&line).unwrap();
                let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
                assert_eq!(read(&headers, SESSION), Some("x.y.z"), "{line:?}");
            }
        }
    }
}
