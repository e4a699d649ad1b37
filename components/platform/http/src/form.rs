//! Forms: `application/x-www-form-urlencoded`, and the text fields of `multipart/form-data` (RFC 7578).

use http::{HeaderMap, header};
use octo_core::Problem;

use crate::exchange::Request;

/// Longest boundary, in characters (RFC 2046, section 5.1.1). A longer one would make looking for it costly.
const MAX_BOUNDARY: usize = 70;
/// Fields a form may have; ours have fewer than ten.
const MAX_FIELDS: usize = 100;

/// The text fields of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Whether a request announces a form.
    pub fn is_announced(headers: &HeaderMap) -> bool {
        Kind::of(headers).is_some()
    }

    /// Reads the request's body; what is no form at all has no fields.
    pub fn read(request: Request) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let body = body?;
        Ok(match Kind::of(&head.headers) {
            Some(Kind::UrlEncoded) => {
                let pairs = form_urlencoded::parse(&body).take(MAX_FIELDS);
                Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
            }
            Some(Kind::Multipart(boundary)) => Self(parts(&body, &boundary)),
            None => Self::default(),
        })
    }

    /// The last value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

enum Kind {
    UrlEncoded,
    Multipart(String),
}

impl Kind {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Some(Self::UrlEncoded),
            "multipart/form-data" => parameter(parameters, "boundary")
                .filter(|boundary| boundary.len() <= MAX_BOUNDARY)
                .map(Self::Multipart),
            _ => None,
        }
    }
}

/// The value of a parameter such as `name="a"`; quoted or not.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    parameters.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The text fields between the boundaries; files and what is not UTF-8 are left out.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may stand at the very beginning, without a line end before it.
    let body = [b"\r\n", body].concat();
    let mut rest = find(&body, delimiter.as_bytes()).map(|(_, after)| after);
    let mut fields = Vec::new();
    while let Some(begin) = rest {
        let Some((part, after)) = find(begin, delimiter.as_bytes()) else { break };
        fields.extend(text_field(part));
        if fields.len() == MAX_FIELDS {
            break;
        }
        rest = Some(after);
    }
    fields
}

fn text_field(part: &[u8]) -> Option<(String, String)> {
    let (head, value) = find(part, b"\r\n\r\n")?;
    let disposition = str::from_utf8(head).ok()?.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    if parameter(disposition, "filename").is_some() {
        return None;
    }
    Some((parameter(disposition, "name")?, String::from_utf8(value.to_vec()).ok()?))
}

/// What stands before and after the first `needle`.
fn find<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(needle.len()).position(|window| window == needle)?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, body: &str) -> Form {
        let request = http::Request::post("/").header("content-type", content_type);
        Form::read(request.body(Ok(body.as_bytes().to_vec())).unwrap()).unwrap()
    }

    #[test]
    fn both_encodings_give_the_same_fields() {
        let urlencoded = read("application/x-www-form-urlencoded", "username=a%40b.c&password=p+w%26&scope=");
        let multipart = "--X\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na@b.c\r\n\
            --X\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=password\r\n\r\np w&\r\n\
            --X\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\n\r\n--X--\r\n";
        for boundary in ["X", "\"X\""] {
            let form = read(&format!("multipart/form-data; boundary={boundary}"), multipart);
            assert_eq!(form, urlencoded);
        }
        assert_eq!(urlencoded.get("username"), Some("a@b.c"));
        assert_eq!(urlencoded.get("else"), None);
    }

    #[test]
    fn files_and_what_is_cut_short_are_no_fields() {
        let form = read(
            "multipart/form-data; boundary=X",
            "--X\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nx\r\n\
             --X\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nnever ends",
        );
        assert_eq!(form, Form::default());
        assert_eq!(read("multipart/form-data; boundary=X", ""), Form::default());
        for (length, found) in [(70, Some("1")), (71, None)] {
            let boundary = "X".repeat(length);
            let part = "content-disposition: form-data; name=a\r\n\r\n1";
            let form = read(
                &format!("multipart/form-data; boundary={boundary}"),
                &format!("--{boundary}\r\n{part}\r\n--{boundary}--"),
            );
            assert_eq!(form.get("a"), found);
        }
        assert_eq!(read("application/json", "{}"), Form::default());
    }
}
