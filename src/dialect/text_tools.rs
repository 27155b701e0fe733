//! Tools that take a text, at providers that know only tools that take JSON.
//!
//! Such a tool is shown to them as one that takes an object with a text in it, called `input`. The client knows nothing of the
//! object: what the model puts in it is taken out before the client is told.

use std::time::Duration;

use serde::Deserialize;

use super::translate::{Begun, Delta, Encoder};
use crate::canonical::{ChatAnswer, ChatRequest, Part, ToolCall, ToolInput, ToolKind};
use crate::error::Error;

/// `encoder`, told of calls of the tools of `request` that take a text as of such.
pub(super) fn unwrapping(encoder: Box<dyn Encoder>, request: &ChatRequest) -> Box<dyn Encoder> {
    let names = names(request);
    if names.is_empty() { encoder } else { Box::new(Unwrapping { encoder, names, is_held: false }) }
}

/// Takes the texts in `answer` to `request` out of their objects.
pub(super) fn unwrap(answer: &mut ChatAnswer, request: &ChatRequest) {
    let names = names(request);
    for part in &mut answer.parts {
        *part = unwrapped(part, &names);
    }
}

fn names(request: &ChatRequest) -> Vec<String> {
    let texts = request.tools.iter().filter(|tool| matches!(tool.input, ToolInput::Text { .. }));
    texts.map(|tool| tool.name.clone()).collect()
}

fn is_wrapped(call: &ToolCall, names: &[String]) -> bool {
    call.kind == ToolKind::Function && names.contains(&call.name)
}

/// `part` with the text for the tool in place of the object. Arguments of any other form are the text themselves.
fn unwrapped(part: &Part, names: &[String]) -> Part {
    #[derive(Deserialize)]
    struct Object {
        input: String,
    }
    match part {
        Part::ToolCall(call) if is_wrapped(call, names) => {
            let object = serde_json::from_str(&call.arguments);
            let arguments = object.map_or_else(|_| call.arguments.clone(), |Object { input }| input);
            Part::ToolCall(ToolCall { arguments, kind: ToolKind::Custom, ..call.clone() })
        }
        part => part.clone(),
    }
}

struct Unwrapping {
    encoder: Box<dyn Encoder>,
    names: Vec<String>,
    /// The open part is a call whose arguments are taken out when they are whole.
    is_held: bool,
}

impl Encoder for Unwrapping {
    fn tick(&mut self, elapsed: Duration) {
        self.encoder.tick(elapsed);
    }

    fn take_over(&mut self, begun: &Begun<'_>) {
        self.encoder.take_over(begun);
    }

    fn start(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        self.encoder.start(answer, out);
    }

    fn open(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.is_held = matches!(part, Part::ToolCall(call) if is_wrapped(call, &self.names));
        self.encoder.open(&unwrapped(part, &self.names), out);
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        if !(self.is_held && matches!(delta, Delta::Arguments(_))) {
            self.encoder.delta(delta, out);
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        let part = unwrapped(part, &self.names);
        if let Part::ToolCall(call) = &part
            && self.is_held
        {
            self.encoder.delta(Delta::Arguments(&call.arguments), out);
        }
        self.encoder.close(&part, out);
    }

    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        let parts = answer.parts.iter().map(|part| unwrapped(part, &self.names)).collect();
        self.encoder.finish(&ChatAnswer { parts, ..answer.clone() }, out);
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.encoder.fail(error, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::Tool;
    use crate::dialect::transcoder::read_answer;
    use crate::dialect::{AnswerContext, Anthropic, OpenAiChat, Shape, Transcoder, Translate};

    fn context() -> AnswerContext {
        let tool = Tool { name: "shell".into(), description: None, input: ToolInput::Text { format: None } };
        AnswerContext {
            id: "a".into(),
            created: 0,
            created_nanos: 0,
            request: ChatRequest { tools: vec![tool], ..ChatRequest::default() }.into(),
            shape: Shape::Chat,
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn a_client_that_gave_a_tool_of_text_is_given_the_text() {
        let block = r#"{"type":"tool_use","id":"t","name":"shell","input":{}}"#;
        let stream = [
            format!("data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{block}}}\n\n"),
            r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"inp"}}"#.to_owned() + "\n\n",
            r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"ut\": \"ls -l\"}"}}"#.to_owned() + "\n\n",
            "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n".to_owned(),
        ];
        let mut transcoder = Transcoder::new(&Anthropic, "p", &OpenAiChat, &context());
        let told = transcoder.push(stream.concat().as_bytes(), Duration::ZERO);
        let told = str::from_utf8(&told).unwrap();
        assert!(told.contains(r#""type":"custom""#) && told.contains(r#""input":"ls -l""#), "{told}");
        assert!(!told.contains("inp\\\""), "{told}");

        let answer = r#"{"type":"message","content":[{"type":"tool_use","id":"t","name":"shell","input":{"input":"ls"}}],"stop_reason":"tool_use"}"#;
        let (mut answer, _) = read_answer(&Anthropic, "p", "a", answer.as_bytes()).unwrap();
        unwrap(&mut answer, &context().request);
        let body = OpenAiChat.encode_answer(&answer, &context());
        assert!(str::from_utf8(&body).unwrap().contains(r#""custom":{"name":"shell","input":"ls"}"#), "{body:?}");
    }
}
