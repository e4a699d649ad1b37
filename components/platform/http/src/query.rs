//! The parameters of a query.

use octo_core::Problem;

use crate::path;

/// The parameters of a query; of those with one name the first counts.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Those of a request's target.
    pub fn of(uri: &http::Uri) -> Self {
        let query = uri.query().unwrap_or("");
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The text of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let number = path::digits(digits).and_then(|_| text.parse().ok());
        number.map(Some).ok_or_else(|| Problem::invalid(format!("/{name}"), "must be a whole number"))
    }

    /// `after`: the number before the page; 0 when it is not given.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn after(&self) -> Result<i64, Problem> {
        Ok(self.number("after")?.unwrap_or(0))
    }

    /// `limit`: how long the page may be; `longest` when it is not given.
    ///
    /// # Errors
    /// When it is no whole number from 1 to `longest`.
    pub fn limit(&self, longest: i64) -> Result<i64, Problem> {
        let limit = self.number("limit")?.unwrap_or(longest);
        if (1..=longest).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::invalid("/limit", format!("must be from 1 to {longest}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_with_a_sign_at_most() {
        let number = |text: &str| {
            Query::of(&format!("/?after={text}").parse().unwrap()).number("after").ok().flatten()
        };
        assert_eq!(
            [number("7"), number("-7"), number("007"), number("%37")],
            [Some(7), Some(-7), Some(7), Some(7)]
        );
        for text in ["", "%2B7", "+7", "--7", "-", "7%20", "7.0", "9223372036854775808"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
