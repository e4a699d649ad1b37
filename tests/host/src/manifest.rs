//! `spin.toml`, version 2: the part of it this host supports.
//!
//! A key the host does not know is refused by name, never ignored, so that what runs here is what
//! the manifest says. Spin accepts more (files, dependencies, profiles, other triggers).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::allowed_hosts::HostEntry;
use crate::template::Template;

/// A manifest whose references all hold.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// `application.name`
    pub name: String,
    /// `[variables]`, by name.
    pub variables: BTreeMap<String, Variable>,
    /// `[[trigger.http]]`, in order.
    pub triggers: Vec<Trigger>,
    /// `[component.ID]`, by id.
    pub components: BTreeMap<String, Component>,
}

/// A setting of the application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its value when nobody sets it.
    pub default: Option<String>,
    /// Whether somebody must set it.
    #[serde(default)]
    pub required: bool,
    /// Whether the value must not be shown.
    #[serde(default)]
    pub secret: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// Where requests for a component come from.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The component that answers.
    pub component: String,
    /// Which requests it answers.
    pub route: TriggerRoute,
}

/// The `route` of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerRoute {
    /// Requests from outside whose path matches this pattern.
    Public(String),
    /// Chained calls only.
    Private,
}

/// One component and what it may use.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its wasm file.
    pub source: PathBuf,
    /// Its settings, by the name the component asks for.
    pub(crate) variables: BTreeMap<String, Template>,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    pub(crate) allowed_outbound_hosts: Vec<HostEntry>,
    /// The key-value labels it may open.
    pub key_value_stores: Vec<String>,
    /// The database labels it may open.
    pub sqlite_databases: Vec<String>,
}

impl Manifest {
    /// Reads a manifest. Paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).with_context(|| format!("in the manifest {}", path.display()))
    }

    /// Parses a manifest that stands in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let document: Document = toml::from_str(text).map_err(|refusal| {
            anyhow::anyhow!("{refusal}(this host supports only a part of what Spin does)")
        })?;
        document.check(folder)
    }
}

/// The manifest as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default)]
    component: BTreeMap<String, ComponentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "accepted and not used")]
struct Application {
    name: String,
    version: Option<String>,
    description: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    #[serde(default)]
    targets: Vec<toml::Value>,
    #[serde(default)]
    tool: toml::Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTrigger {
    #[serde(rename = "id")]
    _id: Option<String>,
    component: String,
    route: Route,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Route {
    Pattern(String),
    Private(PrivateRoute),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateRoute {
    private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentTable {
    source: PathBuf,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: Vec<String>,
    #[serde(default)]
    sqlite_databases: Vec<String>,
    #[serde(rename = "build")]
    _build: Option<Build>,
    #[serde(rename = "tool", default)]
    _tool: toml::Table,
}

/// `[component.ID.build]`: read by `spin build`, not by this host.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "accepted and not used")]
struct Build {
    command: toml::Value,
    workdir: Option<PathBuf>,
    #[serde(default)]
    watch: Vec<String>,
}

impl Document {
    fn check(self, folder: &Path) -> Result<Manifest> {
        ensure!(
            self.spin_manifest_version == 2,
            "spin_manifest_version must be 2, not {}",
            self.spin_manifest_version
        );
        for (name, variable) in &self.variables {
            check_variable_name(name)
                .and_then(|()| {
                    ensure!(
                        variable.required != variable.default.is_some(),
                        "it must be `required` or have a `default`, and not both"
                    );
                    Ok(())
                })
                .with_context(|| format!("variable {name:?}"))?;
        }
        let mut components = BTreeMap::new();
        for (id, table) in self.component {
            check_component_id(&id)?;
            let component =
                table.check(folder, &self.variables).with_context(|| format!("component {id:?}"))?;
            components.insert(id, component);
        }
        let triggers = self
            .trigger
            .http
            .into_iter()
            .map(|trigger| trigger.check(&components))
            .collect::<Result<Vec<_>>>()?;
        Ok(Manifest { name: self.application.name, variables: self.variables, triggers, components })
    }
}

impl HttpTrigger {
    fn check(self, components: &BTreeMap<String, Component>) -> Result<Trigger> {
        let Self { component, route, .. } = self;
        ensure!(
            components.contains_key(&component),
            "a trigger names the component {component:?}, which is not defined"
        );
        let route = match route {
            Route::Pattern(pattern) => TriggerRoute::Public(pattern),
            Route::Private(PrivateRoute { private: true }) => TriggerRoute::Private,
            Route::Private(PrivateRoute { private: false }) => bail!(
                "route must be a string pattern or '{{ private = true }}': {component:?} has \
                 {{ private = false }}"
            ),
        };
        Ok(Trigger { component, route })
    }
}

impl ComponentTable {
    fn check(self, folder: &Path, variables: &BTreeMap<String, Variable>) -> Result<Component> {
        let known = |template: &Template| -> Result<()> {
            for name in template.names() {
                ensure!(variables.contains_key(name), "unknown variable {name:?} in template \"{template}\"");
            }
            Ok(())
        };
        let mut templates = BTreeMap::new();
        for (name, text) in self.variables {
            check_variable_name(&name)?;
            let template = Template::parse(&text).with_context(|| format!("variable {name:?}"))?;
            known(&template).with_context(|| format!("variable {name:?}"))?;
            templates.insert(name, template);
        }
        let mut hosts = Vec::new();
        for text in self.allowed_outbound_hosts {
            let entry = HostEntry::parse(&text).context("allowed_outbound_hosts")?;
            if let HostEntry::Template(template) = &entry {
                known(template).context("allowed_outbound_hosts")?;
            }
            hosts.push(entry);
        }
        Ok(Component {
            source: folder.join(self.source),
            variables: templates,
            environment: self.environment,
            allowed_outbound_hosts: hosts,
            key_value_stores: self.key_value_stores,
            sqlite_databases: self.sqlite_databases,
        })
    }
}

/// Spin's rule for variable names.
pub(crate) fn check_variable_name(name: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "must not be empty"
    } else if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        "may contain only lower-case letters, digits and underscores"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must start with a lower-case letter"
    } else if name.ends_with('_') || name.contains("__") {
        "must have underscores only one at a time and between other characters"
    } else {
        return Ok(());
    };
    bail!("invalid variable name {name:?}: {reason}")
}

/// Spin's rule for component ids: words of letters and digits joined by single hyphens.
fn check_component_id(id: &str) -> Result<()> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    ensure!(
        id.split('-').all(word),
        "invalid component id {id:?}: words of letters and digits joined by hyphens, each starting \
         with a letter"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"x\"\n";

    fn parse(rest: &str) -> Result<Manifest> {
        Manifest::parse(&format!("{HEAD}{rest}"), Path::new("/app"))
    }

    fn refusal(rest: &str) -> String {
        format!("{:#}", parse(rest).unwrap_err())
    }

    #[test]
    fn a_whole_manifest_is_read() {
        let manifest = parse(
            r#"
            [variables]
            limit = { default = "50", description = "calls a minute" }
            key = { required = true, secret = true }
            [[trigger.http]]
            route = "/a/..."
            component = "first-one"
            [[trigger.http]]
            route = { private = true }
            component = "two"
            [component.first-one]
            source = "a.wasm"
            allowed_outbound_hosts = ["http://two.spin.internal", "{{ key }}"]
            key_value_stores = ["default"]
            sqlite_databases = ["default"]
            environment = { A = "b" }
            [component.first-one.variables]
            limit = "{{ limit }}"
            [component.first-one.build]
            command = "cargo build"
            watch = ["src"]
            [component.two]
            source = "b.wasm"
            "#,
        )
        .unwrap();
        assert_eq!(manifest.triggers[1].route, TriggerRoute::Private);
        let component = &manifest.components["first-one"];
        assert_eq!(component.source, Path::new("/app/a.wasm"));
        assert_eq!(component.variables["limit"].to_string(), "{{ limit }}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        assert!(refusal("[component.a]\nsource = \"a\"\nfiles = []").contains("`files`"));
        assert!(refusal("[component.a]\nsource = \"a\"\nai_models = []").contains("`ai_models`"));
        assert!(refusal("[trigger.redis]").contains("`redis`"));
        assert!(refusal("[variables]\na = { default = \"\", typo = 1 }").contains("`typo`"));
    }

    #[test]
    fn another_version_is_refused() {
        let text = HEAD.replace('2', "1");
        let refusal = Manifest::parse(&text, Path::new("")).unwrap_err();
        assert!(format!("{refusal:#}").contains("spin_manifest_version"));
    }

    #[test]
    fn a_variable_is_required_or_has_a_default() {
        assert!(refusal("[variables]\na = {}").contains("variable \"a\""));
        assert!(refusal("[variables]\na = { required = true, default = \"\" }").contains("`required`"));
    }

    #[test]
    fn a_misspelt_variable_name_is_refused() {
        for name in ["A", "1a", "a__b", "a_", "a-b"] {
            let text = format!("[variables]\n{name} = {{ default = \"\" }}");
            assert!(refusal(&text).contains("invalid variable name"), "{name}");
        }
    }

    #[test]
    fn a_reference_to_nothing_is_refused() {
        assert!(refusal("[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"").contains("\"a\""));
        let component = "[component.a]\nsource = \"a\"\n";
        assert!(
            refusal(&format!("{component}variables = {{ x = \"{{{{ y }}}}\" }}"))
                .contains("unknown variable \"y\"")
        );
        assert!(
            refusal(&format!("{component}allowed_outbound_hosts = [\"{{{{ y }}}}\"]"))
                .contains("unknown variable \"y\"")
        );
    }

    #[test]
    fn a_route_is_a_pattern_or_private() {
        let component = "[component.a]\nsource = \"a\"\n[[trigger.http]]\ncomponent = \"a\"\n";
        assert!(refusal(&format!("{component}route = {{ private = false }}")).contains("private"));
    }

    #[test]
    fn a_component_id_is_in_kebab_case() {
        assert!(refusal("[component.a_b]\nsource = \"a\"").contains("component id"));
        assert!(refusal("[component.a--b]\nsource = \"a\"").contains("component id"));
    }
}
