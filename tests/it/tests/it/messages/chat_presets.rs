//! Providers with the usual chat APIs, called by a preset's name.

use serde_json::json;

use crate::harness::{Setup, TestApp};
use crate::mock_providers::{CHAT_KEY, CHAT_MODEL, ChatApi, MockChat};

/// What an operator sets to use it as the free provider, or as the paid one, and nothing else.
fn calling(setup: Setup, which: &str, chat: &MockChat, api: ChatApi) -> Setup {
    setup
        .with(&format!("{which}_provider_preset"), api.preset())
        .with(&format!("{which}_provider_model"), CHAT_MODEL)
        .with(&format!("{which}_provider_key"), CHAT_KEY)
        .with(&format!("{which}_provider_origin"), chat.origin())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_a_model_an_origin_and_a_key_are_all_that_a_chat_api_needs() {
    const MESSAGE: &str = "line 1\n\"line 2\" {message} {model} ж \u{1}";
    let reversed: String = MESSAGE.chars().rev().collect();
    for api in ChatApi::ALL {
        let (free, paid) = (MockChat::start(api).await, MockChat::start(api).await);
        let setup = calling(TestApp::with("free_limit", 1), "free", &free, api);
        let app = calling(setup, "paid", &paid, api).start().await;
        let ada = app.paying_user("ada").await;
        for (provider, chat) in [("free", &free), ("paid", &paid)] {
            let body = ada.send(MESSAGE).await.expect(200);
            assert_eq!(
                (body["provider"].as_str(), &body["response"]),
                (Some(provider), &json!(reversed)),
                "{api:?}"
            );
            let taken = chat.taken();
            assert_eq!(taken.len(), 1, "{api:?}");
            assert_eq!(taken[0].0["x-request-id"], body["id"].as_str().unwrap());
        }
        // What Octo made for its own paid provider goes to no other.
        let no_key = app.restart(&[("paid_provider_key", "")]).await;
        let ada = no_key.log_in("ada@example.com").await.expect(200);
        let access = ada["access_token"].as_str().unwrap();
        let sent = no_key.post("/messages").bearer(access).json(&json!({ "message": "hello" })).await;
        let problem = sent.problem(502, "providers-failed");
        assert_eq!(problem["providers"][0]["failure"], "credential_refused", "{api:?}");
        assert!(paid.taken().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_or_model_is_the_operators_fault_and_the_log_says_where_to_look() {
    for api in ChatApi::ALL {
        for (variable, failure) in
            [("free_provider_key", "credential_refused"), ("free_provider_model", "call_refused")]
        {
            let chat = MockChat::start(api).await;
            let setup = calling(TestApp::setup(), "free", &chat, api);
            let app = setup.with(variable, "wrong").start().await;
            let ada = app.user("ada").await;
            let problem = ada.send("hello").await.problem(502, "free-provider-failed");
            assert_eq!(problem["providers"][0]["failure"], failure, "{api:?}");
            assert!(app.log().contains(&format!("see `{variable}`")), "{api:?}: {}", app.log());
            assert!(!app.log().contains(CHAT_KEY));
            assert!(chat.taken().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_a_model_will_not_answer_is_refused_and_counted_and_holds_up_nobody() {
    let chat = MockChat::start(ChatApi::OpenAi).await;
    let app = calling(TestApp::with("free_limit", 2), "free", &chat, ChatApi::OpenAi).start().await;
    let ada = app.user("ada").await;
    let message = json!({ "role": "assistant", "content": null, "refusal": "I cannot help with that." });
    chat.will(200, json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": message }] }));
    let problem = ada.send("bad").await.problem(422, "message-refused");
    assert_eq!(problem["providers"][0]["failure"], "message_refused");
    assert_eq!(ada.send("hello").await.expect(200)["response"], "olleh");
    // The provider counted both.
    ada.send("hello").await.problem(429, "free-quota-exhausted");
    assert_eq!(chat.taken().len(), 2);
}
