//! What a request is made of before the message is in it: a JSON body and a path, with the places where it goes.

use serde_json::{Map, Value};

/// Where the message goes.
pub const MESSAGE: &str = "{message}";
/// Where the name of the provider's model goes.
pub const MODEL: &str = "{model}";

/// A JSON body with [`MESSAGE`] in one of its texts or several.
///
/// Invariant: whatever a message says, it is a part of these texts and of nothing else, for it is put into the parsed
/// JSON and not into what is written.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyTemplate(Value);

impl BodyTemplate {
    /// An object whose one member is the message.
    pub fn of_member(name: &str) -> Self {
        Self(Value::Object(Map::from_iter([(name.to_owned(), MESSAGE.into())])))
    }

    /// The template that `json` is, with `model` in its places; none when it is not JSON, or has no place for the message.
    pub fn parse(json: &str, model: &str) -> Option<Self> {
        let template: Value = serde_json::from_str(json).ok()?;
        let template = Self(replaced(&template, MODEL, model));
        (template.0 != replaced(&template.0, MESSAGE, "")).then_some(template)
    }

    /// The body with `message` in it.
    pub fn with(&self, message: &str) -> Vec<u8> {
        replaced(&self.0, MESSAGE, message).to_string().into_bytes()
    }
}

/// The same JSON with `text` for every `place` in its texts; names of members stay as they are.
fn replaced(json: &Value, place: &str, text: &str) -> Value {
    match json {
        Value::String(known) => Value::String(known.replace(place, text)),
        Value::Array(items) => items.iter().map(|item| replaced(item, place, text)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), replaced(value, place, text))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
    }
}

/// `text` as a part of a path or a query: what is more than letters, digits and `*-._` is percent-encoded.
pub fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHAT: &str =
        r#"{"model":"{model}","messages":[{"role":"user","content":"Say {message}."}],"max_tokens":9}"#;

    #[test]
    fn the_message_goes_into_its_texts_and_the_rest_stays() {
        let body = BodyTemplate::parse(CHAT, "m-1").unwrap().with("\"hi\"\n{model}");
        let expected = serde_json::json!({
            "model": "m-1",
            "messages": [{ "role": "user", "content": "Say \"hi\"\n{model}." }],
            "max_tokens": 9,
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        assert_eq!(BodyTemplate::of_member("text").with("hi"), br#"{"text":"hi"}"#);
    }

    #[test]
    fn a_template_is_json_with_a_place_for_the_message_in_a_text() {
        for wrong in
            ["", "{message}", r#"{"text":{message}}"#, "{}", r#"{"text":"{model}"}"#, r#"{"{message}":1}"#]
        {
            assert_eq!(BodyTemplate::parse(wrong, "m"), None, "{wrong}");
        }
        assert!(BodyTemplate::parse(r#"["{message}"]"#, "").is_some());
        assert!(BodyTemplate::parse(r#""{message}""#, "").is_some());
    }

    #[test]
    fn a_part_of_a_path_is_percent_encoded() {
        assert_eq!(encoded("a b+c/d?e&f=ж"), "a%20b%2Bc%2Fd%3Fe%26f%3D%D0%B6");
    }

    proptest! {
        #[test]
        fn no_message_changes_anything_but_its_own_text(message in ".*") {
            let body = BodyTemplate::parse(CHAT, "m-1").unwrap().with(&message);
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(body["messages"][0]["content"].take(), format!("Say {message}."));
            let rest = serde_json::json!({ "model": "m-1", "messages": [{ "role": "user", "content": null }], "max_tokens": 9 });
            prop_assert_eq!(body, rest);
        }
    }
}
