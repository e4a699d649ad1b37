//! The one OpenAPI document, made from the code of all components.
//!
//! `site` serves it from a file in its source. When a route has changed, `OCTO_WRITE=1 cargo test -p octo-openapi` writes the
//! file anew; look at what changed before you commit it.

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use octo_http::{Api, openapi};
    use serde_json::Value;

    const COMPONENTS: [&Api; 11] = [
        &auth::API,
        &cart::API,
        &catalog::API,
        &delivery::API,
        &jobs::API,
        &loyalty::API,
        &orders::API,
        &router::API,
        &site::API,
        &subscriptions::API,
        &webhooks::API,
    ];

    fn document() -> String {
        let parts = COMPONENTS.map(|api| (api.document)());
        let mut text = openapi::document(env!("CARGO_PKG_VERSION"), parts).to_pretty_json().unwrap();
        text.push('\n');
        text
    }

    #[test]
    fn the_document_that_is_served_is_what_the_code_says() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components/site/component/openapi.json");
        let made = document();
        if std::env::var_os("OCTO_WRITE").is_some() {
            fs::write(&file, made).unwrap();
            return;
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == made,
            "a route has changed: `OCTO_WRITE=1 cargo test -p octo-openapi` writes {} anew",
            file.display()
        );
    }

    /// How many routes are no part of the API: those that the components have for each other, and the pages.
    fn left_out() -> usize {
        let parts = COMPONENTS.map(|api| serde_json::to_value((api.document)()).unwrap());
        let items = parts.iter().flat_map(|part| part["paths"].as_object().unwrap().values());
        let operations = items.flat_map(|item| item.as_object().unwrap().values());
        let left_out = [openapi::INTERNAL, openapi::PAGES].map(Value::from);
        let is_left_out = |tags: &Vec<Value>| tags.iter().any(|tag| left_out.contains(tag));
        operations.filter(|its| its["tags"].as_array().is_some_and(is_left_out)).count()
    }

    #[test]
    fn no_two_schemas_have_one_name() {
        let mut known = std::collections::BTreeMap::new();
        for api in COMPONENTS {
            let document: Value = serde_json::to_value((api.document)()).unwrap();
            for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
                let before = known.insert(name.clone(), schema.clone());
                assert!(before.is_none_or(|before| before == *schema), "two schemas are called {name}");
            }
        }
    }

    #[test]
    fn each_operation_has_its_own_name_a_summary_and_a_response_that_is_good() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut names = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap().iter().filter(|(_, its)| its.is_object()) {
                let place = format!("{method} {path}");
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{place}: another operation is called {name}");
                assert!(operation["summary"].is_string(), "{place} has no summary");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{place}");
            }
        }
        let routes = COMPONENTS.iter().flat_map(|api| api.routes).flat_map(|route| route.methods()).count();
        assert_eq!(names.len(), routes - left_out(), "the document and the routes are the same set");
    }
}
