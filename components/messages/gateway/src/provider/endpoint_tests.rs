use super::*;
use crate::config::{Config, tests::defaults};

const MESSAGE_TEXT: &str = "a \"b\" & ж";

fn read(variables: &[(&str, &str)]) -> Result<Endpoint, String> {
    let settings = variables.iter().fold(defaults(), |settings, (name, value)| settings.with(name, value));
    Config::read(&settings).map(|config| config.free).map_err(|error| error.to_string())
}

fn refusal(name: &str, value: &str) -> String {
    let settings = defaults().with(name, value);
    Config::read(&settings).unwrap_err().to_string()
}

/// The request for [`MESSAGE_TEXT`].
fn request(variables: &[(&str, &str)]) -> Request<Vec<u8>> {
    let endpoint = read(variables).unwrap();
    endpoint.request(endpoint.key.as_deref(), "m-1", &Message::new(MESSAGE_TEXT.into()).unwrap()).unwrap()
}

fn body(request: &Request<Vec<u8>>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

#[test]
fn by_default_a_provider_takes_an_object_with_the_message() {
    let request = request(&[("free_provider_key", "k-1")]);
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/process"));
    assert_eq!(body(&request), serde_json::json!({ "message": MESSAGE_TEXT }));
    assert_eq!(request.headers()["authorization"], "Bearer k-1");
    assert_eq!(request.headers()["content-type"], "application/json");
}

#[test]
fn a_preset_needs_a_model_a_key_and_nothing_else() {
    let of = |preset| {
        let request = request(&[
            ("free_provider_preset", preset),
            ("free_provider_model", "m/1"),
            ("free_provider_key", "k-1"),
            ("free_provider_origin", "https://api.example.com"),
        ]);
        assert_eq!(request.uri().host(), Some("api.example.com"));
        request
    };
    let messages = serde_json::json!([{ "role": "user", "content": MESSAGE_TEXT }]);

    let openai = of("openai");
    assert_eq!(openai.uri().path(), "/v1/chat/completions");
    assert_eq!(openai.headers()["authorization"], "Bearer k-1");
    assert_eq!(body(&openai), serde_json::json!({ "model": "m/1", "messages": messages }));

    let anthropic = of("anthropic");
    assert_eq!(anthropic.uri().path(), "/v1/messages");
    assert_eq!(anthropic.headers()["x-api-key"], "k-1");
    assert_eq!(anthropic.headers()["anthropic-version"], "2023-06-01");
    assert!(!anthropic.headers().contains_key("authorization"));
    assert_eq!(
        body(&anthropic),
        serde_json::json!({ "model": "m/1", "max_tokens": 4096, "messages": messages })
    );

    let gemini = of("gemini");
    assert_eq!(gemini.uri().path(), "/v1beta/models/m%2F1:generateContent");
    assert_eq!(gemini.headers()["x-goog-api-key"], "k-1");
    assert_eq!(
        body(&gemini),
        serde_json::json!({ "contents": [{ "role": "user", "parts": [{ "text": MESSAGE_TEXT }] }] })
    );
}

#[test]
fn each_variable_replaces_what_the_preset_says() {
    let request = request(&[
        ("free_provider_preset", "openai"),
        ("free_provider_model", "m-1"),
        ("free_provider_path", "PUT /chat?v=1"),
        ("free_provider_template", r#"{"q":["{model}: {message}"]}"#),
        ("free_provider_headers", r#"{"x-team":"blue","authorization":"Token t-1"}"#),
        ("free_provider_key", "k&1"),
        ("free_provider_key_in", "query:api key"),
    ]);
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(request.uri().path_and_query().unwrap(), "/chat?v=1&api%20key=k%261");
    assert_eq!(body(&request), serde_json::json!({ "q": [format!("m-1: {MESSAGE_TEXT}")] }));
    assert_eq!(
        (&request.headers()["x-team"], &request.headers()["authorization"]),
        (&"blue".parse().unwrap(), &"Token t-1".parse().unwrap())
    );
}

#[test]
fn a_message_may_go_into_the_query_and_one_that_is_too_long_for_it_is_not_sent() {
    let variables = [
        ("free_provider_path", "GET /reverse?text={message}"),
        ("free_provider_key_in", "header:x-key"),
        ("free_provider_key", "k-1"),
    ];
    let request = request(&variables);
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri().query(), Some("text=a%20%22b%22%20%26%20%D0%B6"));
    assert_eq!(request.headers()["x-key"], "k-1");
    assert!(request.body().is_empty() && !request.headers().contains_key("content-type"));
    let long = Message::new("x".repeat(crate::message::MAX_BYTES)).unwrap();
    assert_eq!(read(&variables).unwrap().request(None, "m-1", &long).unwrap_err(), UriTooLong);
}

#[test]
fn only_a_plain_provider_is_sent_the_key_that_octo_made() {
    let paid = |preset: &str| {
        let settings = defaults().with("paid_provider_key", "").with("paid_provider_preset", preset);
        Config::read(&settings.with("paid_provider_model", "m-1")).unwrap().paid
    };
    assert!(paid("plain").needs_made_key());
    for preset in Preset::ALL.into_iter().filter(|preset| preset.is_chat()) {
        assert!(!paid(preset.name()).needs_made_key(), "{preset:?}");
    }
}

#[test]
fn a_wrong_variable_is_named_with_its_rule() {
    for (name, value, rule) in [
        ("free_provider_origin", "ftp://x", "must be an origin"),
        ("free_provider_origin", "http://user@x", "must be an origin"),
        ("paid_provider_origin", "http://x/path", "must be an origin"),
        (
            "free_provider_preset",
            "chatgpt",
            "must be one of `plain`, `openai`, `anthropic`, `gemini`; it is `chatgpt`",
        ),
        ("free_provider_model", "a b", "must be printable ASCII"),
        ("free_provider_model", "{message}", "must be printable ASCII"),
        ("paid_provider_path", "process", "must start with `/`"),
        ("free_provider_path", "DELETE /process", "must start with `/`"),
        ("free_provider_path", "GET /process", "must have a place for `{message}`"),
        ("free_provider_path", "/a b", "must start with `/`, or with `GET`"),
        ("free_provider_path", "/a\tb", "must be a path"),
        ("free_provider_template", r#"{"text":{message}}"#, "must be JSON in one line"),
        ("free_provider_template", r#"{"text":"hello"}"#, "must be JSON in one line"),
        ("free_provider_headers", "x-team: blue", "must be a JSON object"),
        ("free_provider_headers", r#"{"x-team":1}"#, "must be a JSON object"),
        ("free_provider_headers", r#"{"x team":"blue"}"#, "must be a JSON object"),
        ("free_provider_headers", r#"{"Host":"a"}"#, "must be a JSON object"),
        ("free_provider_key_in", "cookie", "must be `bearer`, `header:NAME` or `query:NAME`"),
        ("free_provider_key_in", "header:x key", "must be `bearer`, `header:NAME` or `query:NAME`"),
        ("free_provider_success", "2xx", "must be statuses"),
        ("free_provider_success", "200,201", "must be statuses"),
        ("free_provider_success", "200 404", "must be statuses"),
        ("paid_provider_response_pointer", "response", "must be a JSON Pointer"),
    ] {
        let refusal = refusal(name, value);
        assert!(refusal.starts_with(&format!("the variable `{name}` {rule}")), "{name}={value}: {refusal}");
    }
}

#[test]
fn what_cannot_go_together_is_refused() {
    let chat = ("free_provider_preset", "openai");
    for (variables, name) in [
        (&[chat][..], "free_provider_model"),
        (&[("free_provider_template", r#"["{model}{message}"]"#)], "free_provider_model"),
        (&[("free_provider_path", "/{model}")], "free_provider_model"),
        (
            &[chat, ("free_provider_model", "m"), ("free_provider_message_field", "text")],
            "free_provider_message_field",
        ),
        (
            &[("free_provider_path", "GET /{message}"), ("free_provider_template", r#"["{message}"]"#)],
            "free_provider_template",
        ),
    ] {
        let refusal = read(variables).unwrap_err();
        assert!(refusal.starts_with(&format!("the variable `{name}`")), "{variables:?}: {refusal}");
    }
}

#[test]
fn a_secret_is_not_repeated_in_an_error() {
    for (name, value) in [("paid_provider_key", "se cret"), ("free_provider_headers", r#"{"x":"secret\n"}"#)]
    {
        let refusal = refusal(name, value);
        assert!(refusal.contains(name) && !refusal.contains("cret"), "{refusal}");
    }
}
