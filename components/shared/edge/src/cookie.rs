//! Cookies (RFC 6265).

use http::{HeaderMap, HeaderValue, header};

/// The cookie that carries the access token (contract 000, section 6).
pub const SESSION: &str = "octo_handler_user";

/// The value of cookie `name`.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
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
}
