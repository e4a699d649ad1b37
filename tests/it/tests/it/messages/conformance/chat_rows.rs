//! What the usual chat APIs say in a body, as their documentation and their clients' issues show it.

use super::rows::{
    CREDENTIAL, Class, DONE, FreeRow, MESSAGE, Next, OPEN, OVERLOADED, QUOTA, RESULT, Reply, STATUS,
    UNREADABLE, blocked, taught,
};

const CALL: Class = Class::Failure("call_refused", 502);

/// OpenAI's error.
fn openai(status: u16, kind: &str, code: &str) -> Reply {
    Reply::of(
        status,
        format!(r#"{{"error":{{"message":"It failed.","type":"{kind}","param":null,"code":{code}}}}}"#),
    )
}

/// Anthropic's.
fn anthropic(status: u16, kind: &str, message: &str) -> Reply {
    let error = format!(r#"{{"type":"{kind}","message":"{message}"}}"#);
    Reply::of(
        status,
        format!(r#"{{"type":"error","error":{error},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}}"#),
    )
}

/// Google's, with one detail.
fn google(status: u16, name: &str, detail: &str) -> String {
    format!(
        r#"{{"error":{{"code":{status},"message":"It failed.","status":"{name}","details":[{detail}]}}}}"#
    )
}

fn gemini(status: u16, name: &str, detail: &str) -> Reply {
    Reply::of(status, google(status, name, detail))
}

/// Google's as its endpoint of OpenAI's shape has it.
fn gemini_by_openai(status: u16, name: &str, detail: &str) -> Reply {
    Reply::of(status, format!("[{}]", google(status, name, detail)))
}

const KEY_INVALID: &str = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}"#;
const RETRY_IN_21_S: &str = r#"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"21s"}"#;

pub(super) fn chat_rows() -> Vec<FreeRow> {
    let mut rows = Vec::new();
    let mut row = |reply: Reply, class: Class, next: Next| rows.push(FreeRow { reply, class, next });

    row(Reply::of(200, RESULT), DONE, OPEN);
    row(Reply::of(200, r#"{"response":""}"#), Class::Result(""), OPEN);

    // A quota comes back, and money does not by itself.
    row(openai(429, "requests", r#""rate_limit_exceeded""#), QUOTA, taught(10));
    row(openai(429, "tokens", r#""rate_limit_exceeded""#).with("retry-after", "20"), QUOTA, taught(20));
    row(openai(429, "insufficient_quota", r#""insufficient_quota""#), CREDENTIAL, OPEN);
    row(openai(429, "insufficient_quota", "null").with("retry-after", "20"), CREDENTIAL, OPEN);
    row(openai(400, "invalid_request_error", r#""billing_hard_limit_reached""#), CREDENTIAL, OPEN);
    row(openai(402, "", "402"), CREDENTIAL, OPEN);
    row(anthropic(429, "rate_limit_error", "Slow down.").with("retry-after", "15"), QUOTA, taught(15));
    row(anthropic(402, "billing_error", "Pay."), CREDENTIAL, OPEN);
    row(
        anthropic(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
        ),
        CREDENTIAL,
        OPEN,
    );
    row(gemini(429, "RESOURCE_EXHAUSTED", RETRY_IN_21_S), QUOTA, taught(21));
    row(gemini(429, "RESOURCE_EXHAUSTED", ""), QUOTA, taught(10));
    row(gemini_by_openai(429, "RESOURCE_EXHAUSTED", RETRY_IN_21_S), QUOTA, taught(21));
    row(Reply::of(429, r#"{"message":"Requests rate limit exceeded"}"#), QUOTA, taught(10));

    // A credential.
    row(openai(401, "invalid_request_error", r#""invalid_api_key""#), CREDENTIAL, OPEN);
    row(anthropic(401, "authentication_error", "invalid x-api-key"), CREDENTIAL, OPEN);
    row(anthropic(403, "permission_error", "Not you."), CREDENTIAL, OPEN);
    row(gemini(400, "INVALID_ARGUMENT", KEY_INVALID), CREDENTIAL, OPEN);
    row(gemini_by_openai(400, "INVALID_ARGUMENT", KEY_INVALID), CREDENTIAL, OPEN);
    row(gemini(400, "FAILED_PRECONDITION", ""), CREDENTIAL, OPEN);
    row(gemini(403, "PERMISSION_DENIED", ""), CREDENTIAL, OPEN);

    // How it is called: no message is to blame.
    row(openai(404, "invalid_request_error", r#""model_not_found""#), CALL, OPEN);
    row(openai(400, "invalid_request_error", r#""model_decommissioned""#), CALL, OPEN);
    row(anthropic(404, "not_found_error", "model: reverser-2"), CALL, OPEN);
    row(gemini(404, "NOT_FOUND", ""), CALL, OPEN);
    row(
        Reply::of(
            400,
            r#"{"object":"error","message":"Invalid model","type":"invalid_model","code":"1500"}"#,
        ),
        CALL,
        OPEN,
    );

    // An overload, also without a time.
    row(openai(503, "server_error", "null"), OVERLOADED, blocked(1));
    row(openai(503, "server_error", "null").with("retry-after", "4"), OVERLOADED, blocked(4));
    row(openai(498, "", r#""capacity_exceeded""#), OVERLOADED, blocked(1));
    row(anthropic(529, "overloaded_error", "Overloaded"), OVERLOADED, blocked(1));
    row(gemini(503, "UNAVAILABLE", ""), OVERLOADED, blocked(1));
    for status in [503, 529] {
        row(Reply::of(status, "<html>"), STATUS, OPEN);
    }
    row(openai(500, "server_error", "null"), STATUS, OPEN);
    row(anthropic(500, "api_error", "It failed."), STATUS, OPEN);
    row(gemini(504, "DEADLINE_EXCEEDED", ""), STATUS, OPEN);

    // The message: its shape, its length, or what it says.
    row(openai(400, "invalid_request_error", r#""context_length_exceeded""#), MESSAGE, OPEN);
    row(openai(400, "invalid_request_error", r#""content_policy_violation""#), MESSAGE, OPEN);
    row(openai(413, "tokens", r#""rate_limit_exceeded""#), MESSAGE, OPEN);
    row(
        anthropic(400, "invalid_request_error", "messages: text content blocks must be non-empty"),
        MESSAGE,
        OPEN,
    );
    row(anthropic(413, "request_too_large", "Too large."), MESSAGE, OPEN);
    row(gemini(400, "INVALID_ARGUMENT", ""), MESSAGE, OPEN);
    for refusal in [
        r#"{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":null,"refusal":"No."}}]}"#,
        r#"{"choices":[{"finish_reason":"content_filter","message":{"role":"assistant","content":""}}]}"#,
        r#"{"type":"message","content":[],"stop_reason":"refusal"}"#,
        r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#,
        r#"{"candidates":[{"finishReason":"SAFETY","index":0}]}"#,
    ] {
        row(Reply::of(200, refusal), MESSAGE, OPEN);
    }
    row(Reply::of(200, r#"{"candidates":[{"finishReason":"MAX_TOKENS","index":0}]}"#), UNREADABLE, OPEN);
    row(Reply::of(200, r#"{"choices":[]}"#), UNREADABLE, OPEN);
    rows
}
