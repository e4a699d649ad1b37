//! Which component answers a path, found as Spin finds it.
//!
//! A pattern is made of literal segments, `:name` segments (any one segment) and at most one final
//! `/...` (any rest, also none). Where several match, the most specific does. Slashes at the end of a path do not count.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use routefinder::Router;

/// Paths under this prefix are the host's own.
pub(crate) const RESERVED: &str = "/.well-known/spin/";

/// A public route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pattern: String,
    component: String,
}

/// A path that has a component.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Match<'a> {
    /// Who answers.
    pub(crate) component: &'a str,
    /// The pattern as the manifest has it.
    pub(crate) pattern: &'a str,
    /// What `/...` stood for, from its slash.
    pub(crate) rest: String,
    /// What each `:name` stood for.
    pub(crate) names: Vec<(String, String)>,
}

/// All public routes.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    list: Vec<Route>,
    router: Router<Route>,
    /// The patterns without the names in them.
    forms: BTreeMap<String, String>,
}

impl Route {
    /// The pattern as the manifest has it.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The id of the component that answers.
    pub fn component(&self) -> &str {
        &self.component
    }
}

impl Routes {
    /// Adds a route; one that another component already has is refused.
    pub(crate) fn add(&mut self, pattern: &str, component: &str) -> Result<()> {
        let place = || format!("route {pattern:?} of {component:?}");
        ensure!(!pattern.starts_with(RESERVED), "{}: paths under {RESERVED} are the host's own", place());
        check(pattern).with_context(place)?;
        if let Some(other) = self.forms.insert(form(pattern), component.to_owned()) {
            bail!("duplicate route {pattern:?}: {component:?} and {other:?}");
        }
        let route = Route { pattern: pattern.to_owned(), component: component.to_owned() };
        // The router's own word for the rest of a path.
        let spec = pattern.strip_suffix("/...").map_or(pattern.to_owned(), |start| format!("{start}/*"));
        self.router.add(spec.as_str(), route.clone()).map_err(anyhow::Error::msg).with_context(place)?;
        self.list.push(route);
        Ok(())
    }

    /// The most specific route for a path.
    pub(crate) fn find(&self, path: &str) -> Option<Match<'_>> {
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let names = captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let route = found.handler();
        let rest = captures.wildcard().map_or_else(String::new, |rest| wildcard_rest(rest, path));
        Some(Match { component: &route.component, pattern: &route.pattern, rest, names })
    }

    pub(crate) fn as_slice(&self) -> &[Route] {
        &self.list
    }
}

fn check(pattern: &str) -> Result<()> {
    let start = pattern.strip_suffix("/...").unwrap_or(pattern);
    ensure!(
        !start.contains("...") && !start.contains('*'),
        "'/...' is only allowed at the end, and '*' nowhere"
    );
    for name in start.split('/').filter_map(|segment| segment.strip_prefix(':')) {
        ensure!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
            "a ':name' segment needs a name of letters, digits, '-' and '_'"
        );
    }
    Ok(())
}

/// The pattern without names: two that have the same one take the same paths.
fn form(pattern: &str) -> String {
    let segments = pattern.split('/').filter(|segment| !segment.is_empty());
    segments.map(|segment| if segment.starts_with(':') { ":" } else { segment }).collect::<Vec<_>>().join("/")
}

/// `spin-path-info` keeps the slash a path ends with.
fn wildcard_rest(rest: &str, path: &str) -> String {
    let rest = rest.trim_matches('/');
    let slash = if path.ends_with('/') { "/" } else { "" };
    match rest {
        "" => slash.to_owned(),
        _ => format!("/{rest}{slash}"),
    }
}

impl Match<'_> {
    /// The pattern without its `/...`.
    pub(crate) fn prefix(&self) -> &str {
        self.pattern.strip_suffix("/...").unwrap_or(self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(patterns: &[&str]) -> Routes {
        let mut routes = Routes::default();
        for pattern in patterns {
            routes.add(pattern, &pattern.replace('/', "_")).unwrap();
        }
        routes
    }

    fn pattern<'a>(routes: &'a Routes, path: &str) -> Option<&'a str> {
        routes.find(path).map(|found| found.pattern)
    }

    #[test]
    fn an_exact_route_takes_its_path_and_no_other() {
        let routes = routes(&["/messages", "/"]);
        assert_eq!(pattern(&routes, "/messages"), Some("/messages"));
        assert_eq!(pattern(&routes, "/messages/"), Some("/messages"));
        assert_eq!(pattern(&routes, "/"), Some("/"));
        assert_eq!(pattern(&routes, "/messages/quota"), None);
        assert_eq!(pattern(&routes, "/message"), None);
    }

    #[test]
    fn a_wildcard_takes_everything_below_and_itself() {
        let routes = routes(&["/auth/..."]);
        for (path, rest) in
            [("/auth", ""), ("/auth/", "/"), ("/auth/login", "/login"), ("/auth/a/b/", "/a/b/")]
        {
            assert_eq!(routes.find(path).unwrap().rest, rest, "{path}");
        }
        assert_eq!(pattern(&routes, "/author"), None);
        assert_eq!(routes.find("/auth/x").unwrap().prefix(), "/auth");
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let patterns = ["/...", "/a/...", "/a/:id", "/a/b", "/a/b/..."];
        let reversed: Vec<_> = patterns.iter().rev().copied().collect();
        for routes in [routes(&patterns), routes(&reversed)] {
            assert_eq!(pattern(&routes, "/a/b"), Some("/a/b"));
            assert_eq!(pattern(&routes, "/a/b/c"), Some("/a/b/..."));
            assert_eq!(pattern(&routes, "/a/x"), Some("/a/:id"));
            assert_eq!(pattern(&routes, "/a/x/y"), Some("/a/..."));
            assert_eq!(pattern(&routes, "/x"), Some("/..."));
        }
    }

    #[test]
    fn a_name_takes_one_segment() {
        let routes = routes(&["/users/:id/posts/:post"]);
        let found = routes.find("/users/7/posts/8").unwrap();
        assert_eq!(found.names, [("id".into(), "7".into()), ("post".into(), "8".into())]);
        // As Spin has it, also an empty one.
        assert_eq!(pattern(&routes, "/users//posts/8"), Some("/users/:id/posts/:post"));
    }

    #[test]
    fn a_duplicate_is_refused() {
        let mut routes = routes(&["/a/:x"]);
        let refusal = routes.add("/a/:y/", "other").unwrap_err().to_string();
        assert!(refusal.contains("duplicate route"), "{refusal}");
    }

    #[test]
    fn a_malformed_pattern_is_refused() {
        for pattern in ["/a...", "/.../a", "/*", "/:", "/.well-known/spin/health"] {
            assert!(Routes::default().add(pattern, "a").is_err(), "{pattern}");
        }
    }
}
