//! `{{ name }}` expressions in manifest values.

use std::fmt;

use anyhow::{Result, bail};

/// A manifest value with the variables it mentions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable(String),
}

impl Template {
    /// Splits `text` at its expressions. Whether the names exist is for the caller to say.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let Some((name, after)) = after.split_once("}}") else {
                bail!("unmatched '{{{{' in template {text:?}");
            };
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The variables mentioned, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Whether no variable is mentioned.
    pub(crate) fn is_literal(&self) -> bool {
        self.names().next().is_none()
    }

    /// The value, each variable replaced by what `value_of` says.
    pub(crate) fn render<E>(&self, mut value_of: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(&value_of(name)?),
            }
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(literal) => f.write_str(literal),
            Part::Variable(name) => write!(f, "{{{{ {name} }}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        Template::parse(text).unwrap().render(|name| Ok::<_, ()>(format!("<{name}>"))).unwrap()
    }

    #[test]
    fn expressions_are_replaced_and_the_rest_is_kept() {
        assert_eq!(rendered(""), "");
        assert_eq!(rendered("plain"), "plain");
        assert_eq!(rendered("{{ a }}{{b}}"), "<a><b>");
        assert_eq!(rendered("http://{{ host }}:80"), "http://<host>:80");
    }

    #[test]
    fn an_open_expression_is_refused() {
        let refusal = Template::parse("{{ a }} {{ b").unwrap_err().to_string();
        assert!(refusal.contains("unmatched '{{'"), "{refusal}");
    }

    #[test]
    fn a_literal_mentions_nothing() {
        assert!(Template::parse("http://x").unwrap().is_literal());
        assert!(!Template::parse("{{ x }}").unwrap().is_literal());
    }
}
