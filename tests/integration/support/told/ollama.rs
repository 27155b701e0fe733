//! Lines of `/api/chat` and `/api/generate`.

use serde_json::Value;

use super::{Reader, Told, Usage, list, number, text};

#[derive(Default)]
pub(super) struct Ollama {
    told: Told,
}

impl Reader for Ollama {
    fn event(&mut self, _name: Option<&str>, data: &str) {
        let line: Value = serde_json::from_str(data).unwrap_or_default();
        if line.get("error").is_some_and(|error| !error.is_null()) {
            return self.told.fail(&line);
        }
        let message = line.get("message").unwrap_or(&line);
        self.told.say_reasoning(text(message, "thinking").unwrap_or_default());
        self.told.say_text(text(message, "content").or(text(message, "response")).unwrap_or_default());
        for call in list(message, "tool_calls") {
            let function = &call["function"];
            let place =
                self.told.call(text(call, "id").unwrap_or_default(), text(function, "name").unwrap_or_default());
            if function["arguments"].is_object() {
                self.told.calls[place].arguments = function["arguments"].to_string();
            }
        }
        if line["done"] == true {
            self.told.finish = text(&line, "done_reason").map(str::to_owned);
            self.told.ended = self.told.error.is_none();
            let (input, output) = (number(&line, "/prompt_eval_count"), number(&line, "/eval_count"));
            if input.is_some() || output.is_some() {
                let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
                self.told.usage = Some(Usage { input, output, ..Usage::default() });
            }
        }
    }

    fn told(&self) -> &Told {
        &self.told
    }
}
