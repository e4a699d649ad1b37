//! Which kind of answer a client would rather have (`Accept`, RFC 9110, section 12.5.1).

use http::{HeaderMap, header};

/// What a client would rather have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preferred {
    /// A page, as browsers do.
    Page,
    /// A text.
    Text,
    /// JSON, as programs do: they say nothing, or that they take anything.
    Json,
}

/// What the client would rather have.
pub fn preferred(headers: &HeaderMap) -> Preferred {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(Range::read).collect();
    let weight = |kind: &str, subtype: &str| {
        let fitting = ranges.iter().filter(|range| range.includes(kind, subtype));
        fitting.max_by_key(|range| range.is_exact()).map_or(0.0, |range| range.weight)
    };
    let (page, text) = (weight("text", "html"), weight("text", "plain"));
    if page.max(text) <= weight("application", "json") {
        Preferred::Json
    } else if page >= text {
        Preferred::Page
    } else {
        Preferred::Text
    }
}

/// Whether the client is one for people: it would rather have a page or a text than JSON.
pub fn prefers_text(headers: &HeaderMap) -> bool {
    preferred(headers) != Preferred::Json
}

/// A media range, such as `text/*;q=0.5`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: f32,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|text| text.parse().ok());
        Some(Self { kind, subtype, weight: weight.unwrap_or(1.0) })
    }

    fn includes(&self, kind: &str, subtype: &str) -> bool {
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    /// The narrower of two ranges counts.
    fn is_exact(&self) -> (bool, bool) {
        (self.kind != "*", self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn browsers_and_people_get_text_and_programs_json() {
        let text = |accept: &'static str| {
            prefers_text(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain",
            "text/*, */*;q=0.1",
            "TEXT/HTML",
            "text/plain, application/json;q=0.5",
        ] {
            assert!(text(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "application/json, text/html;q=0.5",
            "*/*, text/html;q=0.2, text/plain;q=0",
            "image/png",
            "nonsense",
        ] {
            assert!(!text(accept), "{accept}");
        }
        assert!(!prefers_text(&HeaderMap::new()));
    }

    #[test]
    fn a_page_is_for_those_who_would_rather_have_it_than_a_text() {
        let of = |accept: &'static str| {
            preferred(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert_eq!(of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Preferred::Page);
        assert_eq!(of("text/*"), Preferred::Page);
        assert_eq!(of("text/plain"), Preferred::Text);
        assert_eq!(of("text/plain, text/html;q=0.5"), Preferred::Text);
        assert_eq!(of("*/*"), Preferred::Json);
    }
}
