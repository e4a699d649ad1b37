//! The components of `spin.toml`, and what each is granted.
//!
//! Only what building and checking need; the host has the whole reader.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use toml::{Table, Value};

use crate::workspace::{self, read_toml};

/// A component of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its id in `spin.toml`.
    pub id: String,
    /// The package it is built from: the `-p` of its build command.
    pub package: String,
    /// The `.wasm` file, relative to the project's folder.
    pub source: PathBuf,
    /// The capabilities the manifest gives it.
    pub grants: Vec<Capability>,
    /// Capabilities it has only when a variable is set: a host whose variable has no default.
    pub possible_grants: Vec<Capability>,
}

/// Something outside itself that a component may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// `key_value_stores`
    KeyValue,
    /// `sqlite_databases`
    Sqlite,
    /// `variables`
    Variables,
    /// A Redis server among the `allowed_outbound_hosts`.
    Redis,
    /// A Postgres server among the `allowed_outbound_hosts`.
    Postgres,
    /// An HTTP server or another component among the `allowed_outbound_hosts`.
    Http,
}

impl Capability {
    /// What `allowed_outbound_hosts` can grant.
    const NETWORK: [Self; 3] = [Self::Redis, Self::Postgres, Self::Http];

    /// How `spin.toml` grants it.
    pub fn granted_by(self) -> &'static str {
        match self {
            Self::KeyValue => "key_value_stores",
            Self::Sqlite => "sqlite_databases",
            Self::Variables => "variables",
            Self::Redis => "a redis:// host in allowed_outbound_hosts",
            Self::Postgres => "a postgres:// host in allowed_outbound_hosts",
            Self::Http => "an http:// host in allowed_outbound_hosts",
        }
    }
}

/// The components of the project's `spin.toml`, ordered by id.
///
/// # Errors
/// When the file cannot be read, or a component has no source or no build command that names its package.
pub fn components() -> anyhow::Result<Vec<Component>> {
    components_of(&workspace::root().join("spin.toml"))
}

/// The components of a manifest with this text.
///
/// # Errors
/// When it is no manifest, or as for [`components`].
pub fn components_in(manifest: &str) -> anyhow::Result<Vec<Component>> {
    parse(&manifest.parse()?)
}

fn components_of(path: &Path) -> anyhow::Result<Vec<Component>> {
    parse(&read_toml(path)?).with_context(|| format!("in {}", path.display()))
}

fn parse(manifest: &Table) -> anyhow::Result<Vec<Component>> {
    let components = manifest
        .get("component")
        .and_then(Value::as_table)
        .ok_or_else(|| anyhow!("there is no [component.…] table"))?;
    let variables = manifest.get("variables").and_then(Value::as_table);
    let default = |name: &str| variables.and_then(|all| all.get(name)?.get("default")?.as_str());
    components
        .iter()
        .map(|(id, component)| {
            let source = component
                .get("source")
                .and_then(Value::as_str)
                .ok_or_else(|| anyhow!("component {id} has no source file"))?;
            let package = component
                .get("build")
                .and_then(|build| build.get("command")?.as_str())
                .and_then(package_of)
                .ok_or_else(|| anyhow!("the build command of component {id} names no package (-p NAME)"))?;
            let (hosts, open) = hosts(component, default);
            Ok(Component {
                id: id.clone(),
                package: package.to_owned(),
                source: PathBuf::from(source),
                grants: grants(component, &hosts),
                possible_grants: if open { Capability::NETWORK.to_vec() } else { Vec::new() },
            })
        })
        .collect()
}

fn package_of(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace();
    words.find(|word| matches!(*word, "-p" | "--package"))?;
    words.next()
}

/// The hosts a component may reach with the default settings, and whether a setting can add one.
fn hosts<'a>(component: &'a Value, default: impl Fn(&str) -> Option<&'a str>) -> (Vec<&'a str>, bool) {
    let listed = component.get("allowed_outbound_hosts").and_then(Value::as_array);
    let mut hosts = Vec::new();
    let mut open = false;
    for host in listed.into_iter().flatten().filter_map(Value::as_str) {
        // A template stands for the whole host or for none of its scheme; Spin's rules are the host's subject.
        let variable = host.strip_prefix("{{").and_then(|rest| rest.split("}}").next()).map(str::trim);
        match variable.map(&default) {
            None => hosts.push(host),
            Some(Some(value)) if !value.is_empty() => hosts.push(value),
            Some(_) => open = true,
        }
    }
    (hosts, open)
}

fn grants(component: &Value, hosts: &[&str]) -> Vec<Capability> {
    let listed = |key: &str| match component.get(key) {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Table(items)) => !items.is_empty(),
        _ => false,
    };
    let reaches = |schemes: &[&str]| {
        hosts.iter().filter_map(|host| host.split_once("://")).any(|(scheme, _)| schemes.contains(&scheme))
    };
    [
        (Capability::KeyValue, listed("key_value_stores")),
        (Capability::Sqlite, listed("sqlite_databases")),
        (Capability::Variables, listed("variables")),
        (Capability::Redis, reaches(&["redis", "rediss"])),
        (Capability::Postgres, reaches(&["postgres", "postgresql"])),
        (Capability::Http, reaches(&["http", "https"])),
    ]
    .into_iter()
    .filter_map(|(capability, granted)| granted.then_some(capability))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        [component.free-provider]
        source = "target/wasm32-wasip2/wasm/free_provider.wasm"
        key_value_stores = ["default"]
        sqlite_databases = []
        allowed_outbound_hosts = ["redis://localhost:6379"]
        [component.free-provider.build]
        command = "cargo build --profile wasm -p free-provider"
    "#;

    #[test]
    fn a_component_has_its_package_its_file_and_its_grants() {
        let components = parse(&MANIFEST.parse().unwrap()).unwrap();
        assert_eq!(
            components,
            [Component {
                id: "free-provider".into(),
                package: "free-provider".into(),
                source: "target/wasm32-wasip2/wasm/free_provider.wasm".into(),
                grants: vec![Capability::KeyValue, Capability::Redis],
                possible_grants: Vec::new(),
            }]
        );
    }

    #[test]
    fn a_host_in_a_variable_grants_what_its_default_says() {
        let with = |default: &str| {
            let manifest = MANIFEST.replace("redis://localhost:6379", "{{ origin }}");
            let manifest = format!("variables.origin.default = '{default}'\n{manifest}");
            parse(&manifest.parse().unwrap()).unwrap().remove(0)
        };
        let known = with("http://x.spin.internal");
        assert_eq!(known.grants, [Capability::KeyValue, Capability::Http]);
        assert_eq!(known.possible_grants, []);
        let open = with("");
        assert_eq!(open.grants, [Capability::KeyValue]);
        assert_eq!(open.possible_grants, Capability::NETWORK);
    }

    #[test]
    fn a_build_command_without_a_package_is_refused() {
        let manifest = MANIFEST.replace("-p free-provider", "");
        let error = parse(&manifest.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("free-provider names no package"));
    }
}
