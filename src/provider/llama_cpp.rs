//! llama.cpp server on this machine. <https://github.com/ggml-org/llama.cpp/tree/master/tools/server>

use super::Provider;
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "llama.cpp",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("http://127.0.0.1:8080/v1"),
    api_key_variable: None,
    key_header: None,
    quirks: Quirks { chat: ChatQuirks { thoughts: Some("reasoning_content"), ..ChatQuirks::NONE }, ..Quirks::NONE },
};
