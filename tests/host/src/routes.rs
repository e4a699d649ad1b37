//! Which component answers a path.
//!
//! A pattern is made of literal segments, `:name` segments (any one segment) and at most one final
//! `/...` (any rest, also none). Where several match, the first difference from the left decides:
//! literal before `:name` before `...`. Slashes at the end of a path do not count.

use anyhow::{Result, bail, ensure};

/// Paths under this prefix are the host's own.
pub(crate) const RESERVED: &str = "/.well-known/spin/";

/// A public route.
#[derive(Clone, Debug)]
pub struct Route {
    pattern: String,
    component: String,
    segments: Vec<Segment>,
    wildcard: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Name(String),
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
    pub(crate) names: Vec<(&'a str, &'a str)>,
}

/// All public routes, the most specific first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes(Vec<Route>);

impl Route {
    fn parse(pattern: &str, component: &str) -> Result<Self> {
        let path = pattern.strip_prefix('/').unwrap_or(pattern);
        let (path, wildcard) = match path.strip_suffix("...") {
            Some("") => ("", true),
            Some(prefix) => match prefix.strip_suffix('/') {
                Some(prefix) => (prefix, true),
                None => bail!("'...' must be a whole segment"),
            },
            None => (path, false),
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments = segments(path).map(Segment::parse).collect::<Result<_>>()?;
        Ok(Self { pattern: pattern.to_owned(), component: component.to_owned(), segments, wildcard })
    }

    /// The pattern as the manifest has it.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The id of the component that answers.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// Smaller is more specific.
    fn rank(&self) -> Vec<u8> {
        let kinds = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Name(_) => 1,
        });
        kinds.chain(self.wildcard.then_some(2)).collect()
    }

    /// Whether no path could tell the two apart.
    fn same_paths(&self, other: &Self) -> bool {
        self.wildcard == other.wildcard
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Name(_), Segment::Name(_)) => true,
                _ => false,
            })
    }

    fn matches<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let mut names = Vec::new();
        let trimmed = path.trim_matches('/');
        let mut rest = segments(trimmed);
        for segment in &self.segments {
            let given = rest.next()?;
            match segment {
                Segment::Literal(literal) if literal == given => {}
                Segment::Name(name) if !given.is_empty() => names.push((name.as_str(), given)),
                _ => return None,
            }
        }
        let rest: Vec<&str> = rest.collect();
        if !self.wildcard && !rest.is_empty() {
            return None;
        }
        Some(Match {
            component: &self.component,
            pattern: &self.pattern,
            rest: if self.wildcard { wildcard_rest(&rest.join("/"), path) } else { String::new() },
            names,
        })
    }
}

/// The segments of a path without its outer slashes; none for the root.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(move |_| !path.is_empty())
}

/// `spin-path-info` keeps the slash a path ends with.
fn wildcard_rest(rest: &str, path: &str) -> String {
    let slash = if path.ends_with('/') { "/" } else { "" };
    match rest {
        "" => slash.to_owned(),
        _ => format!("/{rest}{slash}"),
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self> {
        let Some(name) = text.strip_prefix(':') else {
            ensure!(!text.contains('*') && text != "...", "'*' is not supported, and '/...' only at the end");
            return Ok(Self::Literal(text.to_owned()));
        };
        ensure!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
            "a ':name' segment needs a name of letters, digits, '-' and '_'"
        );
        Ok(Self::Name(name.to_owned()))
    }
}

impl Routes {
    /// Adds a route; one that another component already has is refused.
    pub(crate) fn add(&mut self, pattern: &str, component: &str) -> Result<()> {
        let route = Route::parse(pattern, component)
            .map_err(|refusal| refusal.context(format!("route {pattern:?} of {component:?}")))?;
        ensure!(
            !pattern.starts_with(RESERVED),
            "route {pattern:?} of {component:?}: paths under {RESERVED} are the host's own"
        );
        if let Some(other) = self.0.iter().find(|other| other.same_paths(&route)) {
            bail!("duplicate route {pattern:?}: {component:?} and {:?}", other.component);
        }
        self.0.push(route);
        self.0.sort_by_key(Route::rank);
        Ok(())
    }

    /// The most specific route for a path.
    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        self.0.iter().find_map(|route| route.matches(path))
    }

    pub(crate) fn as_slice(&self) -> &[Route] {
        &self.0
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

    fn pattern<'a>(routes: &'a Routes, path: &'a str) -> Option<&'a str> {
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
        assert_eq!(found.names, [("id", "7"), ("post", "8")]);
        assert_eq!(pattern(&routes, "/users//posts/8"), None);
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
