//! Reads what an upstream answers, be it streamed or not.

use std::borrow::Cow;

use serde::de::Error as _;

use super::calls::Calls;
use super::details::{Detail, Details};
use super::finish;
use super::message::{Answer, Choice, Content, Message, Piece, parse};
use super::notes::{self, Probabilities};
use crate::canonical::{Annotation, ChatEvent, Logprob};
use crate::dialect::{Decoder, Sink};
use crate::framing::sse::Event;

/// Reads an answer that did not stream.
pub(super) fn answer(body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if answer.choices.as_ref().is_none_or(Vec::is_empty) {
        return Err(serde_json::Error::missing_field("choices"));
    }
    let mut decoder = ChatDecoder::default();
    decoder.read(answer, sink);
    decoder.finish(sink);
    Ok(())
}

/// Reads a stream.
#[derive(Debug, Default)]
pub(super) struct ChatDecoder {
    is_started: bool,
    last: Last,
    calls: Calls,
    details: Details,
    /// Marks that came when they could not be told.
    late: Vec<String>,
    /// Whether any text has been told to have a source.
    is_annotated: bool,
    sources: Vec<Annotation>,
    /// There was a chunk that could not be read.
    has_missed: bool,
}

/// What has been told last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    Text,
    Refusal,
    Thoughts,
    SealedThoughts,
    Call,
}

impl Decoder for ChatDecoder {
    fn decode(&mut self, _: &Event<'_>, data: &str, sink: Sink<'_>) {
        match serde_json::from_str::<Answer<'_>>(data) {
            Ok(chunk) => self.read(chunk, sink),
            Err(_) => self.has_missed |= data != "[DONE]",
        }
    }

    fn has_told_all(&self, _: usize) -> bool {
        !self.has_missed
    }

    fn finish(&mut self, sink: Sink<'_>) {
        self.calls.settle(sink);
        if !self.is_annotated && self.last == Last::Text {
            self.sources.drain(..).for_each(|source| sink(ChatEvent::Annotation(source)));
        }
        for mark in self.late.drain(..) {
            sink(ChatEvent::Boundary);
            sink(ChatEvent::Seal(Cow::Owned(mark)));
        }
    }
}

impl ChatDecoder {
    fn read(&mut self, answer: Answer<'_>, sink: Sink<'_>) {
        // Azure begins with a chunk that has no name. Some name every chunk anew.
        let is_named = !answer.id.is_empty() || !answer.model.is_empty();
        if !self.is_started && is_named {
            self.is_started = true;
            let created = parse(answer.created);
            sink(ChatEvent::Start { id: Some(answer.id.0), model: Some(answer.model.0), created });
        }
        if answer.citations.is_some() || answer.search_results.is_some() {
            self.sources = notes::sources(answer.search_results, answer.citations);
        }
        // A request for more choices than one is not translated.
        for choice in answer.choices.into_iter().flatten().filter(|choice| choice.index.is_none_or(|index| index == 0))
        {
            self.choice(choice, sink);
        }
        if let Some(usage) = answer.usage.or_else(|| answer.x_groq?.usage) {
            sink(ChatEvent::Usage(usage.into()));
        }
    }

    fn choice(&mut self, mut choice: Choice<'_>, sink: Sink<'_>) {
        // At the end of its streams Perplexity says everything once more, in `message`.
        let is_new = self.last == Last::Nothing;
        match (choice.delta.take(), choice.message.take().filter(|_| is_new)) {
            (Some(delta), _) => self.say(delta, &choice, false, sink),
            (None, Some(message)) => self.say(message, &choice, true, sink),
            (None, None) => self.text(std::mem::take(&mut choice.text.0), Vec::new(), sink),
        }
        if let Some(finish) = finish::read(&choice) {
            sink(ChatEvent::Finish(finish));
        }
    }

    /// Tells what is in `message`, which is whole or a piece.
    fn say(&mut self, message: Message<'_>, choice: &Choice<'_>, is_whole: bool, sink: Sink<'_>) {
        let thinks = self.thoughts(&message, sink);
        let Probabilities { mut content, refusal } = parse(choice.logprobs).unwrap_or_default();
        if refusal.is_some_and(|refusal| !refusal.is_empty()) {
            sink(ChatEvent::Unmapped("logprobs.refusal".into()));
        }
        // Probabilities of other tokens than the text's have no place.
        let is_text = !thinks && message.tool_calls.as_ref().is_none_or(Vec::is_empty);
        let logprobs = content.take().unwrap_or_default().into_iter().map(Into::into);
        match message.content {
            Content::Text(text) if text.is_empty() && !is_text => {}
            Content::Text(text) => self.text(text, logprobs.collect(), sink),
            Content::Parts(parts) => parts.into_iter().for_each(|part| self.part(part, sink)),
        }
        self.refusal(message.refusal.0, sink);
        if let Some(annotations) = message.annotations {
            self.annotations(notes::annotations(annotations), sink);
        }
        for piece in message.tool_calls.iter().flatten() {
            self.calls.take(piece, is_whole, sink);
        }
        if let Some(function) = message.function_call {
            self.calls.take_function(function, sink);
        }
        if message.tool_calls.is_some() && !self.calls.is_empty() {
            self.last = Last::Call;
        }
        for (name, media) in [("audio", message.audio), ("image", message.images)] {
            if media.is_some_and(|media| !matches!(media.get(), "null" | "[]" | "{}")) {
                sink(ChatEvent::Unmapped(name.into()));
            }
        }
    }

    fn text(&mut self, text: Cow<'_, str>, logprobs: Vec<Logprob>, sink: Sink<'_>) {
        if !text.is_empty() || !logprobs.is_empty() {
            self.turn_to(Last::Text, sink);
            sink(ChatEvent::Text { text, logprobs });
        }
    }

    fn refusal(&mut self, text: Cow<'_, str>, sink: Sink<'_>) {
        if !text.is_empty() {
            self.turn_to(Last::Refusal, sink);
            sink(ChatEvent::Refusal(text));
        }
    }

    /// A part of a content that is no string: Mistral's.
    fn part(&mut self, part: Piece<'_>, sink: Sink<'_>) {
        match &*part.r#type.0 {
            "text" | "output_text" => self.text(part.text.0, Vec::new(), sink),
            "refusal" => self.refusal(part.refusal.0, sink),
            "thinking" => match part.thinking {
                Content::Text(text) => self.thought(&text, sink),
                Content::Parts(parts) => parts.iter().for_each(|part| self.thought(&part.text.0, sink)),
            },
            other => sink(ChatEvent::Unmapped(Cow::Owned(format!("content.{other}")))),
        }
    }

    /// Tells the thoughts in `message` once, in whichever of its fields they are, and returns whether there are any.
    fn thoughts(&mut self, message: &Message<'_>, sink: Sink<'_>) -> bool {
        let details: Vec<Detail<'_>> = parse(message.reasoning_details).unwrap_or_default();
        if details.iter().all(|detail| detail.text().is_empty()) {
            let told = message.reasoning_content.non_empty().or(message.reasoning.non_empty());
            self.thought(told.unwrap_or_default(), sink);
        }
        for detail in &details {
            self.thought(detail.text(), sink);
            if let Some(mark) = self.details.mark(detail) {
                self.seal(mark, sink);
            }
        }
        !details.is_empty() || !message.reasoning_content.is_empty() || !message.reasoning.is_empty()
    }

    fn thought(&mut self, text: &str, sink: Sink<'_>) {
        if !text.is_empty() {
            self.turn_to(Last::Thoughts, sink);
            sink(ChatEvent::Reasoning(Cow::Borrowed(text)));
        }
    }

    /// A mark is on the thoughts or the call that it follows, else on thoughts that are not told.
    fn seal(&mut self, mark: String, sink: Sink<'_>) {
        self.calls.settle(sink);
        match self.last {
            // Behind a boundary the rest of the call would be lost.
            Last::Call if !self.calls.may_seal() => return self.late.push(mark),
            Last::Call => {}
            Last::Nothing | Last::Thoughts => self.last = Last::SealedThoughts,
            Last::Text | Last::Refusal | Last::SealedThoughts => {
                sink(ChatEvent::Boundary);
                self.last = Last::SealedThoughts;
            }
        }
        sink(ChatEvent::Seal(Cow::Owned(mark)));
    }

    fn annotations(&mut self, annotations: Vec<Annotation>, sink: Sink<'_>) {
        for annotation in annotations {
            self.is_annotated = true;
            self.turn_to(Last::Text, sink);
            sink(ChatEvent::Annotation(annotation));
        }
    }

    fn turn_to(&mut self, kind: Last, sink: Sink<'_>) {
        self.calls.settle(sink);
        self.last = kind;
    }
}
