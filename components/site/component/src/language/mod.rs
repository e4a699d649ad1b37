//! The languages of the pages: which one a visitor reads, and how it writes numbers and times.
//!
//! All that a page says in a language stands in one table, [`Texts`]; a text that one language lacks does not compile.

mod en;
mod ru;
mod texts;

use http::{HeaderMap, header};
use octo_http::cookie;

pub(crate) use texts::Texts;

/// The cookie that keeps a visitor's choice.
pub(crate) const COOKIE: &str = "octo_language";

/// A language that the pages are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Russian,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// The one that the visitor chose, or else the one that their browser would rather have.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie::read(headers, COOKIE).and_then(Self::named);
        chosen.or_else(|| preferred(headers)).unwrap_or(Self::English)
    }

    /// The language with this code.
    pub(crate) fn named(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Its code (BCP 47).
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    /// What it calls itself.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Russian => "Русский",
        }
    }

    pub(crate) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &en::TEXTS,
            Self::Russian => &ru::TEXTS,
        }
    }

    /// A whole number, its thousands apart: by a comma in English, by a space that does not break in Russian.
    pub(crate) fn number(self, number: i64) -> String {
        let separator = match self {
            Self::English => ',',
            Self::Russian => '\u{a0}',
        };
        let digits = number.unsigned_abs().to_string();
        let mut text = String::from(if number < 0 { "-" } else { "" });
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(separator);
            }
            text.push(digit);
        }
        text
    }

    /// A time of the API (RFC 3339 in UTC) for people, in UTC still: the script puts it into the reader's own zone.
    pub(crate) fn time(self, text: &str) -> String {
        let part = |from: usize, to: usize| text.get(from..to);
        let month = part(5, 7).and_then(|month| month.parse::<usize>().ok()?.checked_sub(1));
        let month = month.and_then(|month| self.texts().months.get(month));
        match (part(0, 4), month, part(8, 10), part(11, 19)) {
            (Some(year), Some(month), Some(day), Some(time)) => {
                format!("{} {month} {year}, {time} UTC", day.trim_start_matches('0'))
            }
            _ => text.to_owned(),
        }
    }
}

/// The language of ours with the greatest weight in `Accept-Language` (RFC 9110, section 12.5.4); of several, the first.
fn preferred(headers: &HeaderMap) -> Option<Language> {
    let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut best: Option<(Language, f32)> = None;
    for range in lines.flat_map(|line| line.split(',')) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let primary = tag.trim().split('-').next().unwrap_or("").to_ascii_lowercase();
        let Some(language) = Language::named(&primary) else { continue };
        let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |text| text.parse().unwrap_or(0.0));
        if weight > best.map_or(0.0, |(_, best)| best) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_choice_comes_before_what_the_browser_prefers() {
        let of = |accepted: &'static str, cookie: &'static str| {
            Language::of(&HeaderMap::from_iter([
                (header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepted)),
                (header::COOKIE, HeaderValue::from_static(cookie)),
            ]))
        };
        for (accepted, cookie, expected) in [
            ("", "", Language::English),
            ("*", "", Language::English),
            ("de, fr;q=0.5", "", Language::English),
            ("ru", "", Language::Russian),
            ("RU-ru,ru;q=0.9,en;q=0.8", "", Language::Russian),
            ("en-GB, ru;q=0.9", "", Language::English),
            ("de, ru;q=0.2, en;q=0.1", "", Language::Russian),
            ("ru;q=0, en;q=0.1", "", Language::English),
            ("ru;q=nonsense", "", Language::English),
            ("en", "octo_language=ru", Language::Russian),
            ("ru", "octo_language=en", Language::English),
            ("ru", "octo_language=xx", Language::Russian),
        ] {
            assert_eq!(of(accepted, cookie), expected, "{accepted:?} {cookie:?}");
        }
    }

    #[test]
    fn numbers_and_times_are_written_as_the_language_does() {
        let (en, ru) = (Language::English, Language::Russian);
        for (number, english) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(en.number(number), english);
            assert_eq!(ru.number(number), english.replace(',', "\u{a0}"));
        }
        let at = "2027-01-05T21:30:00.000Z";
        assert_eq!(en.time(at), "5 Jan 2027, 21:30:00 UTC");
        assert_eq!(ru.time(at), "5 янв. 2027, 21:30:00 UTC");
        for odd in ["", "soon", "2027-13-05T21:30:00.000Z", "2027-01-ж5T21"] {
            assert_eq!(en.time(odd), odd);
        }
    }
}
