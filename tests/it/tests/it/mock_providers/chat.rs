//! A provider with one of the usual chat APIs: it takes what that API takes and nothing else, and responds in its shape.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Reply, Server};

/// What every chat provider takes.
pub(crate) const CHAT_KEY: &str = "sk-of-the-chat-provider";
pub(crate) const CHAT_MODEL: &str = "reverser-1";

/// The API that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChatApi {
    OpenAi,
    Anthropic,
    Gemini,
}

/// A model that reverses the letters of the last thing said to it.
pub(crate) struct MockChat {
    inside: Arc<Inside>,
    server: Server,
}

struct Inside {
    api: ChatApi,
    taken: Mutex<Vec<(HeaderMap, Value)>>,
    /// What it responds instead, the next last.
    replies: Mutex<Vec<(u16, Value)>>,
}

impl ChatApi {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// The name of its preset.
    pub(crate) fn preset(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// What is wrong with a request: status and error.
    fn fault(self, method: &Method, path: &str, headers: &HeaderMap, body: &Value) -> Option<(u16, Value)> {
        let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (right_path, key, model) = match self {
            Self::OpenAi => ("/v1/chat/completions", field("authorization"), &body["model"]),
            Self::Anthropic => ("/v1/messages", field("x-api-key"), &body["model"]),
            Self::Gemini => {
                ("/v1beta/models/reverser-1:generateContent", field("x-goog-api-key"), &Value::Null)
            }
        };
        let key_is_right = key.strip_prefix("Bearer ").unwrap_or(key) == CHAT_KEY;
        let complete = match self {
            Self::Anthropic => field("anthropic-version") == "2023-06-01" && body["max_tokens"].is_u64(),
            Self::OpenAi | Self::Gemini => true,
        };
        let error = |status: u16, openai: &str, anthropic: &str, gemini: Value| {
            let error = match self {
                Self::OpenAi => {
                    json!({ "error": { "message": "No.", "type": "invalid_request_error", "param": null, "code": openai } })
                }
                Self::Anthropic => {
                    json!({ "type": "error", "error": { "type": anthropic, "message": "No." }, "request_id": "req_1" })
                }
                Self::Gemini => json!({ "error": gemini }),
            };
            Some((status, error))
        };
        if !key_is_right {
            let info =
                json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID" }]);
            let gemini = json!({ "code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": info });
            let status = if self == Self::Gemini { 400 } else { 401 };
            return error(status, "invalid_api_key", "authentication_error", gemini);
        }
        if path != right_path || model.as_str().is_some_and(|model| model != CHAT_MODEL) {
            let gemini = json!({ "code": 404, "message": "It is not found.", "status": "NOT_FOUND" });
            return error(404, "model_not_found", "not_found_error", gemini);
        }
        if method != Method::POST || !complete || self.said(body).is_none() {
            let gemini = json!({ "code": 400, "message": "It is invalid.", "status": "INVALID_ARGUMENT" });
            return error(400, "invalid_value", "invalid_request_error", gemini);
        }
        None
    }

    /// The last thing said.
    fn said(self, body: &Value) -> Option<&str> {
        let last = |list: &'static str| body[list].as_array().and_then(|items| items.last());
        let (item, text) = match self {
            Self::OpenAi | Self::Anthropic => (last("messages")?, "/content"),
            Self::Gemini => (last("contents")?, "/parts/0/text"),
        };
        item.pointer(text)?.as_str().filter(|_| item["role"] == "user")
    }

    fn reply(self, text: &str) -> Value {
        match self {
            Self::OpenAi => json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1_800_000_030, "model": CHAT_MODEL,
                "choices": [{
                    "index": 0, "finish_reason": "stop", "logprobs": null,
                    "message": { "role": "assistant", "content": text, "refusal": null },
                }],
                "usage": { "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12 },
            }),
            Self::Anthropic => json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": CHAT_MODEL,
                "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": { "input_tokens": 9, "output_tokens": 3 },
            }),
            Self::Gemini => json!({
                "candidates": [{ "content": { "parts": [{ "text": text }], "role": "model" }, "finishReason": "STOP", "index": 0 }],
                "usageMetadata": { "promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12 },
                "modelVersion": CHAT_MODEL,
            }),
        }
    }
}

impl MockChat {
    pub(crate) async fn start(api: ChatApi) -> Self {
        let inside = Arc::new(Inside { api, taken: Mutex::default(), replies: Mutex::default() });
        let own = Arc::clone(&inside);
        let server = Server::of_requests(move |request| Arc::clone(&own).answer(request)).await;
        Self { inside, server }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// What it responds to the next call, whatever that is.
    pub(crate) fn will(&self, status: u16, body: Value) {
        self.inside.replies.lock().unwrap().insert(0, (status, body));
    }

    /// The calls that it understood since the last time: header fields and body.
    pub(crate) fn taken(&self) -> Vec<(HeaderMap, Value)> {
        std::mem::take(&mut self.inside.taken.lock().unwrap())
    }
}

impl Inside {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Option<Reply> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Self { api, taken, replies } = &*self;
        let fault = api.fault(&head.method, head.uri.path(), &head.headers, &body);
        if fault.is_none() {
            taken.lock().unwrap().push((head.headers, body.clone()));
        }
        let told = replies.lock().unwrap().pop();
        let (status, body) = told.or(fault).unwrap_or_else(|| {
            let said = api.said(&body).unwrap_or_default();
            (200, api.reply(&said.chars().rev().collect::<String>()))
        });
        let reply = Response::builder().status(status).header("content-type", "application/json");
        reply.body(Full::new(Bytes::from(body.to_string()))).ok()
    }
}
