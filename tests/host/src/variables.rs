//! The values of application variables, and what a component sees of them.
//!
//! The first source that knows a name decides: what the host's owner set, then the providers of the
//! runtime-config file in order, then the environment (`SPIN_VARIABLE_` and the name in capitals),
//! then the manifest's default.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

use anyhow::{Result, bail, ensure};

use crate::manifest::{Component, Variable, check_variable_name};

/// The prefix of environment variables that set application variables.
const DEFAULT_PREFIX: &str = "SPIN_VARIABLE";

/// One place values come from.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    /// Fixed values.
    Values(HashMap<String, String>),
    /// Environment variables under a prefix.
    Environment { prefix: Option<String> },
}

/// All application variables of one host.
#[derive(Debug)]
pub(crate) struct Variables {
    declared: BTreeMap<String, Variable>,
    /// From the providers, looked up once at the start.
    provided: HashMap<String, String>,
    set: RwLock<HashMap<String, String>>,
}

/// Why a component gets no value, in Spin's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The name breaks the naming rule.
    InvalidName(String),
    /// The component does not declare it.
    Undefined(String),
    /// Nobody gave the application variable behind it a value.
    NoValue(String),
}

impl Variables {
    pub(crate) fn new(
        declared: &BTreeMap<String, Variable>,
        set: HashMap<String, String>,
        providers: &[Provider],
        environment: &HashMap<String, String>,
    ) -> Result<Self> {
        let mut provided = HashMap::new();
        let fallback = Provider::Environment { prefix: None };
        for name in declared.keys() {
            let value =
                providers.iter().chain([&fallback]).find_map(|provider| provider.get(name, environment));
            if let Some(value) = value {
                provided.insert(name.clone(), value);
            }
        }
        let variables = Self { declared: declared.clone(), provided, set: RwLock::default() };
        for (name, value) in set {
            variables.set(&name, value)?;
        }
        let missing: Vec<&str> =
            declared.keys().map(String::as_str).filter(|name| variables.value(name).is_none()).collect();
        ensure!(
            missing.is_empty(),
            "no provider resolved required variable(s): {missing:?} (set {DEFAULT_PREFIX}_{})",
            missing.first().unwrap_or(&"").to_ascii_uppercase()
        );
        Ok(variables)
    }

    /// Sets a value from now on. A name the manifest does not declare is refused.
    pub(crate) fn set(&self, name: &str, value: String) -> Result<()> {
        ensure!(self.declared.contains_key(name), "the manifest declares no variable {name:?}");
        self.set.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
        Ok(())
    }

    /// The value of an application variable.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.get(name)
            .or_else(|| self.provided.get(name))
            .cloned()
            .or_else(|| self.declared.get(name)?.default.clone())
    }

    /// The value of an application variable, for a template.
    pub(crate) fn require(&self, name: &str) -> Result<String> {
        match self.value(name) {
            Some(value) => Ok(value),
            None => bail!("no provider resolved required variable {name:?}"),
        }
    }

    /// What the component `id` sees under `name`.
    pub(crate) fn of_component(
        &self,
        id: &str,
        component: &Component,
        name: &str,
    ) -> Result<String, Unavailable> {
        check_variable_name(name).map_err(|e| Unavailable::InvalidName(e.to_string()))?;
        let template = component
            .variables
            .get(name)
            .ok_or_else(|| Unavailable::Undefined(format!("no variable for {id:?}.{name:?}")))?;
        template.render(|variable| self.require(variable)).map_err(|e| Unavailable::NoValue(e.to_string()))
    }
}

impl Provider {
    fn get(&self, name: &str, environment: &HashMap<String, String>) -> Option<String> {
        match self {
            Self::Values(values) => values.get(name).cloned(),
            Self::Environment { prefix } => {
                let prefix = prefix.as_deref().unwrap_or(DEFAULT_PREFIX);
                environment.get(&format!("{prefix}_{}", name.to_ascii_uppercase())).cloned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::Manifest;

    fn manifest() -> Manifest {
        let text = r#"
            spin_manifest_version = 2
            [application]
            name = "x"
            [variables]
            limit = { default = "50" }
            secret = { required = true }
            [component.a]
            source = "a"
            variables = { both = "{{ limit }}-{{ secret }}" }
        "#;
        Manifest::parse(text, Path::new("")).unwrap()
    }

    fn pairs(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn variables(
        set: &[(&str, &str)],
        provided: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<Variables> {
        Variables::new(
            &manifest().variables,
            pairs(set),
            &[Provider::Values(pairs(provided))],
            &pairs(environment),
        )
    }

    #[test]
    fn sources_are_asked_in_order() {
        let environment = [("SPIN_VARIABLE_LIMIT", "env"), ("SPIN_VARIABLE_SECRET", "s")];
        let limit = |v: Variables| v.value("limit").unwrap();
        assert_eq!(limit(variables(&[], &[("secret", "s")], &[]).unwrap()), "50");
        assert_eq!(limit(variables(&[], &[], &environment).unwrap()), "env");
        let provided = [("limit", "file")];
        assert_eq!(limit(variables(&[], &provided, &environment).unwrap()), "file");
        let set = [("limit", "owner")];
        let all = variables(&set, &provided, &environment).unwrap();
        all.set("limit", "later".into()).unwrap();
        assert_eq!(limit(all), "later");
    }

    #[test]
    fn a_required_variable_without_a_value_is_refused() {
        let refusal = variables(&[], &[], &[]).unwrap_err().to_string();
        assert!(refusal.contains("[\"secret\"]"), "{refusal}");
        assert!(refusal.contains("SPIN_VARIABLE_SECRET"), "{refusal}");
    }

    #[test]
    fn an_undeclared_variable_cannot_be_set() {
        assert!(variables(&[("other", "x"), ("secret", "s")], &[], &[]).is_err());
    }

    #[test]
    fn a_component_sees_what_it_declares() {
        let manifest = manifest();
        let component = &manifest.components["a"];
        let variables = variables(&[("secret", "s")], &[], &[]).unwrap();
        let seen = |name| variables.of_component("a", component, name);
        assert_eq!(seen("both").unwrap(), "50-s");
        assert_eq!(
            seen("limit").unwrap_err(),
            Unavailable::Undefined("no variable for \"a\".\"limit\"".into())
        );
        assert!(matches!(seen("No"), Err(Unavailable::InvalidName(_))));
    }
}
