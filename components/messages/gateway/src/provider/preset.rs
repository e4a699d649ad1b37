//! How the usual APIs are called, by name.

use std::str::FromStr;

/// How a provider is called and read, where no variable says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// A JSON object with the message; the result is a member of the response. The providers of this application.
    Plain,
    /// OpenAI's chat completions, which many others serve, too.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
}

impl FromStr for Preset {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or(())
    }
}

impl Preset {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Plain, Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// Its name in a variable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// Whether it has a model, and tells its errors and refusals as the chat APIs do.
    pub fn is_chat(self) -> bool {
        self != Self::Plain
    }

    /// The value of `provider_path`.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Plain => "/process",
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
            Self::Gemini => "/v1beta/models/{model}:generateContent",
        }
    }

    /// The value of `provider_template`; none for an object of one member.
    pub(super) fn template(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::OpenAi => Some(r#"{"model":"{model}","messages":[{"role":"user","content":"{message}"}]}"#),
            Self::Anthropic => Some(
                r#"{"model":"{model}","max_tokens":4096,"messages":[{"role":"user","content":"{message}"}]}"#,
            ),
            Self::Gemini => Some(r#"{"contents":[{"role":"user","parts":[{"text":"{message}"}]}]}"#),
        }
    }

    /// Header fields that it needs.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Plain | Self::OpenAi | Self::Gemini => &[],
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
        }
    }

    /// The value of `provider_key_in`.
    pub(super) fn key_in(self) -> &'static str {
        match self {
            Self::Plain | Self::OpenAi => "bearer",
            Self::Anthropic => "header:x-api-key",
            Self::Gemini => "header:x-goog-api-key",
        }
    }

    /// The value of `provider_response_pointer`.
    pub(super) fn response_pointer(self) -> &'static str {
        match self {
            Self::Plain => "/response",
            Self::OpenAi => "/choices/0/message/content",
            Self::Anthropic => "/content/0/text",
            Self::Gemini => "/candidates/0/content/parts/0/text",
        }
    }
}
