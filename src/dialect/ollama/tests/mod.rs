//! What the recordings say, and what clients and upstreams are told.

mod answers;
mod catalogue;
mod relayed;
mod requests_in;
mod requests_out;
mod streams_in;
mod streams_out;

use serde_json::Value;

use crate::canonical::{ChatEvent, Finish, Logprob, Usage};

/// A recording in `tests/fixtures/ollama`.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/ollama/", $name))
    };
}
use fixture;

/// What a decoder told.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    model: String,
    text: String,
    thoughts: String,
    /// Ids, names and arguments.
    calls: Vec<(String, String, String)>,
    logprobs: Vec<Logprob>,
    usage: Option<Usage>,
    finish: Option<Finish<'static>>,
    unmapped: Vec<String>,
}

impl Heard {
    fn hear(&mut self, event: ChatEvent<'_>) {
        match event {
            ChatEvent::Start { model, .. } => self.model = model.unwrap_or_default().into_owned(),
            ChatEvent::Text { text, logprobs } => {
                self.text.push_str(&text);
                self.logprobs.extend(logprobs);
            }
            ChatEvent::Reasoning(text) => self.thoughts.push_str(&text),
            ChatEvent::ToolCall { key, id, name, .. } => {
                assert_eq!(key as usize, self.calls.len());
                self.calls.push((id.unwrap_or_default().into_owned(), name.into_owned(), String::new()));
            }
            ChatEvent::Arguments { key, fragment } => self.calls[key as usize].2.push_str(&fragment),
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::Finish(finish) => self.finish = Some(finish.into_owned()),
            ChatEvent::Unmapped(kind) => self.unmapped.push(kind.into_owned()),
            ChatEvent::Boundary => {}
            other => panic!("{other:?}"),
        }
    }
}

fn usage(input_tokens: u64, output_tokens: u64) -> Option<Usage> {
    Some(Usage { input_tokens, output_tokens, ..Usage::default() })
}

/// The lines of `text`, each of which must be one whole JSON object.
fn lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
