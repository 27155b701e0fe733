//! An answer that another model goes on with: what it may be asked, and whether what it says is what was missing.
//!
//! An upstream that dies in the middle of a text leaves a client with half of it. A server that can be given the beginning of
//! an answer may write the rest. It is asked what the first was asked, with the text so far as the model's own last turn.

pub mod extend;
pub mod seam;

use serde::{Deserialize, Serialize};

use crate::canonical::{ChatRequest, OutputFormat};

/// How a server is told to go on with a turn of the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Continuation {
    /// By `continue_final_message` and `add_generation_prompt` in a chat completion: vLLM, SGLang, and llama.cpp of late.
    /// <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>
    ContinueFinalMessage,
    /// By nothing but a last turn of the model's: Anthropic, llama.cpp, Ollama.
    /// <https://docs.claude.com/en/docs/build-with-claude/prompt-engineering/prefill-claudes-response>
    Prefill,
    /// By `prefix` in the last message of a chat completion: Mistral, DeepSeek's beta.
    /// <https://api-docs.deepseek.com/guides/chat_prefix_completion>
    Prefix,
}

impl Continuation {
    /// Whether the server may say once more what it was given, before it goes on: Mistral does.
    pub fn may_echo(self) -> bool {
        self == Self::Prefix
    }
}

/// The beginning of an answer, for who is to go on with it.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// The text, without white space at its end: Anthropic refuses it, and templates cut it off.
    pub text: &'a str,
    /// How many tokens it took, if that is known.
    pub tokens: Option<u64>,
    /// How the server is told.
    pub way: Continuation,
}

/// What holds a model to a form, as servers call it beside the fields that all of them know.
const FORMS: [&str; 10] = [
    "ebnf",
    "grammar",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "json_schema",
    "regex",
    "response_format",
    "structured_outputs",
];

/// Why no answer to `request` can be continued, if none can.
pub fn objection(request: &ChatRequest) -> Option<&'static str> {
    // The form is that of all that a server generates, so it would begin the answer anew.
    let has_form = |param: &str| FORMS.iter().any(|form| param.split(['.', '[']).next() == Some(form));
    if request.output != OutputFormat::Text || request.unmapped.iter().any(|unmapped| has_form(&unmapped.param)) {
        return Some("its form is prescribed");
    }
    if request.logprobs.is_some() {
        return Some("probabilities are of one model");
    }
    if request.unmapped.iter().any(|unmapped| matches!(&*unmapped.param, "echo" | "n")) {
        return Some("it is more than one text");
    }
    None
}

/// Whether `text` ends within one of `stops`: whoever goes on would not see the stop that began before.
pub fn ends_within(text: &str, stops: &[String]) -> bool {
    let ends_with_part = |stop: &String| {
        let parts = stop.char_indices().map(|(at, _)| &stop[..at]).filter(|part| !part.is_empty());
        parts.into_iter().any(|part| text.ends_with(part))
    };
    stops.iter().any(ends_with_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{OpenAiChat, Shape, Translate};

    fn objection_to(field: &str) -> Option<&'static str> {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{field}}}"#);
        objection(&OpenAiChat.decode_request(Shape::Chat, body.as_bytes()).unwrap())
    }

    #[test]
    fn an_answer_in_a_form_with_probabilities_or_of_several_texts_is_not_continued() {
        for field in [
            r#""response_format":{"type":"json_object"}"#,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#,
            r#""response_format":{"type":"grammar"}"#,
            r#""guided_json":{"type":"object"}"#,
            r#""structured_outputs":{"regex":"a*"}"#,
            r#""grammar":"root ::= [a-z]+""#,
            r#""logprobs":true"#,
            r#""n":2"#,
            r#""echo":true"#,
        ] {
            assert!(objection_to(field).is_some(), "{field}");
        }
        for field in [
            r#""response_format":{"type":"text"}"#,
            r#""n":1"#,
            r#""stop":"x""#,
            r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
            r#""reasoning_effort":"low""#,
            r#""min_p":0.1"#,
        ] {
            assert_eq!(objection_to(field), None, "{field}");
        }
    }

    #[test]
    fn a_text_ends_within_a_stop_whose_beginning_it_ends_with() {
        let stops = ["END".to_owned(), "\n\néa".to_owned()];
        for text in ["the E", "the EN", "a\n", "a\n\n", "a\n\né"] {
            assert!(ends_within(text, &stops), "{text:?}");
        }
        // A whole one has been seen by whoever said it.
        for text in ["the END", "the e", "", "a\n\nb"] {
            assert!(!ends_within(text, &stops), "{text:?}");
        }
        assert!(!ends_within("a", &["".to_owned()]));
    }
}
