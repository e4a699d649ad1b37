//! The layering rule: platform <- domain <- component.

use std::path::Component as Part;

use crate::workspace::{Kind, Package};

/// Where a package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer<'a> {
    /// Used by every system, and knows none.
    Platform,
    /// The rules of a system.
    Domain(&'a str),
    /// What a system tells others: the formats of its events.
    Events(&'a str),
    /// A component of a system.
    Component(&'a str),
    /// Tests and tools, which may use all.
    Tool,
}

/// The one package that names Spin's SDK.
const SDK_USER: &str = "octo-spin";

fn layer(package: &Package) -> Layer<'_> {
    let parts: Vec<&str> = package
        .folder
        .components()
        .filter_map(|part| match part {
            Part::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match (parts.as_slice(), package.kind) {
        (["components", "platform", _], _) => Layer::Platform,
        (["components", system, _], Kind::Component) => Layer::Component(system),
        (["components", system, "events"], _) => Layer::Events(system),
        (["components", system, _], _) => Layer::Domain(system),
        _ => Layer::Tool,
    }
}

/// What breaks the rule, a sentence each.
pub fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for user in packages {
        let own = layer(user);
        if own != Layer::Tool && user.names_sdk && user.name != SDK_USER {
            found.push(format!("{} names Spin's SDK; only {SDK_USER} may", user.name));
        }
        for used in packages.iter().filter(|other| user.uses.contains(&other.name)) {
            if let Some(rule) = forbidden(own, layer(used)) {
                found.push(format!("{} uses {}: {rule}", user.name, used.name));
            }
        }
    }
    found
}

/// The rule that one breaks by using the other.
fn forbidden(user: Layer<'_>, used: Layer<'_>) -> Option<&'static str> {
    match (user, used) {
        (Layer::Tool, _) | (_, Layer::Platform) => None,
        (_, Layer::Component(_)) => {
            Some("nothing uses a component; systems call each other by service chaining")
        }
        (Layer::Platform, _) => Some("the platform knows no system"),
        (
            Layer::Domain(own) | Layer::Events(own) | Layer::Component(own),
            Layer::Domain(other) | Layer::Events(other),
        ) if own == other => None,
        (_, Layer::Events(_)) => None,
        (_, Layer::Domain(_)) => Some("a system knows no other system's domain, only its events"),
        (_, Layer::Tool) => Some("what ships uses no test or tool"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::packages;

    fn package(folder: &str, kind: Kind, uses: &[&str]) -> Package {
        Package {
            name: folder.replace('/', "-"),
            folder: folder.into(),
            kind,
            uses: uses.iter().map(|folder| folder.replace('/', "-")).collect(),
            names_sdk: false,
            test_targets: Vec::new(),
        }
    }

    fn found(folder: &str, kind: Kind, uses: &str) -> bool {
        let used_kind = if uses.ends_with("component") { Kind::Component } else { Kind::Native };
        !violations(&[package(folder, kind, &[uses]), package(uses, used_kind, &[])]).is_empty()
    }

    #[test]
    fn each_way_to_break_the_rule_is_found() {
        for (folder, kind, uses) in [
            ("components/platform/http", Kind::Native, "components/shop/domain"),
            ("components/shop/domain", Kind::Native, "components/loyalty/domain"),
            ("components/shop/component", Kind::Component, "components/loyalty/domain"),
            ("components/shop/domain", Kind::Native, "components/shop/component"),
            ("components/shop/component", Kind::Component, "components/loyalty/component"),
            ("components/shop/domain", Kind::Native, "tests/databases"),
        ] {
            assert!(found(folder, kind, uses), "{folder} uses {uses}");
        }
    }

    #[test]
    fn what_points_down_is_allowed() {
        for (folder, kind, uses) in [
            ("components/platform/http", Kind::Native, "components/platform/core"),
            ("components/shop/domain", Kind::Native, "components/platform/core"),
            ("components/shop/domain", Kind::Native, "components/accounts/events"),
            ("components/shop/component", Kind::Component, "components/shop/domain"),
            ("tests/openapi", Kind::Native, "components/shop/component"),
        ] {
            assert!(!found(folder, kind, uses), "{folder} uses {uses}");
        }
    }

    #[test]
    fn only_one_package_names_the_sdk() {
        let named = |folder: &str| Package { names_sdk: true, ..package(folder, Kind::Native, &[]) };
        let mut own = named("components/platform/spin");
        own.name = SDK_USER.to_owned();
        assert_eq!(violations(&[own]), [""; 0]);
        assert_eq!(violations(&[named("components/shop/component")]).len(), 1);
    }

    #[test]
    fn this_workspace_keeps_the_rule() {
        assert_eq!(violations(&packages().unwrap()), [""; 0]);
    }
}
