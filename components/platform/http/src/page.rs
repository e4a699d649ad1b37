//! Lists in pages: how far one reads, and where the next begins.

use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use octo_core::Problem;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{App, Error, query::Query};

/// Most items of a page, and how many it has when nothing is asked for.
pub const LONGEST: i64 = 100;

/// The part of a list that a client wants: the query parameters `after` and `limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many items at most.
    pub limit: i64,
    after: Option<String>,
}

/// How a page is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
pub struct PageParams {
    /// The `next` of the page before. Its text has no meaning to clients.
    #[param(example = "NDI")]
    after: Option<String>,
    /// How many items the page may have.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<i64>,
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Items<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// What to send as `after` for the page that follows; null when this may be the last one.
    #[schema(required)]
    pub next: Option<String>,
}

impl Page {
    /// What the query says.
    ///
    /// # Errors
    /// When a parameter breaks its rule.
    pub fn of(query: &Query) -> Result<Self, Problem> {
        let after = match query.get("after") {
            Some(cursor) => Some(text_of(cursor).ok_or_else(foreign)?),
            None => None,
        };
        Ok(Self { limit: query.limit(LONGEST)?, after })
    }

    /// The text behind which the page begins; `None` for the first page.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The same where the list goes by numbers; 0 for the first page.
    ///
    /// # Errors
    /// When the cursor is none of this list's.
    pub fn after_number(&self) -> Result<i64, Problem> {
        self.after().map_or(Ok(0), |text| text.parse().map_err(|_| foreign()))
    }

    /// The same where the newest come first: the number below which the page begins.
    ///
    /// # Errors
    /// When the cursor is none of this list's.
    pub fn before_number(&self) -> Result<i64, Problem> {
        Ok(Some(self.after_number()?).filter(|number| *number > 0).unwrap_or(i64::MAX))
    }

    /// The page: `found`, of which there are no more than [`limit`](Self::limit), shown as `show` has them; `place` is
    /// where an item stands in the list.
    pub fn items<'a, F, T, P: ToString>(
        &self,
        found: &'a [F],
        show: impl Fn(&'a F) -> T,
        place: impl Fn(&'a F) -> P,
    ) -> Items<T> {
        let is_full = found.len() as i64 >= self.limit;
        let next = found.last().filter(|_| is_full).map(|last| cursor(&place(last).to_string()));
        Items { items: found.iter().map(show).collect(), next }
    }
}

impl FromRequestParts<App> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        Ok(Self::of(&Query::of(&parts.uri))?)
    }
}

fn cursor(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn text_of(cursor: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

fn foreign() -> Problem {
    Problem::invalid("/after", "must be the `next` of a page of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Problem> {
        Page::of(&Query::of(&format!("/{query}").parse().unwrap()))
    }

    #[test]
    fn pages_lead_from_one_to_the_next_until_one_is_not_full() {
        let mut seen = Vec::new();
        let mut query = "?limit=2".to_owned();
        loop {
            let page = page(&query).unwrap();
            let after = page.after_number().unwrap();
            let found: Vec<i64> = (1..=5).filter(|number| *number > after).take(2).collect();
            let items = page.items(&found, |number| *number, |number| *number);
            seen.extend(items.items);
            let Some(next) = items.next else { break };
            query = format!("?limit=2&after={next}");
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_cursor_of_another_list_and_a_limit_out_of_range_are_refused() {
        for query in ["?after=%21", "?after=+", "?limit=0", "?limit=101", "?limit=ten"] {
            assert_eq!(page(query).unwrap_err().status, 422, "{query}");
        }
        let of_texts = page(&format!("?after={}", cursor("a"))).unwrap();
        assert_eq!(of_texts.after(), Some("a"));
        assert_eq!(of_texts.after_number().unwrap_err().status, 422);
        assert_eq!(page("").unwrap(), Page { limit: LONGEST, after: None });
    }
}
