//! Puts what a decoder tells in the order that an encoder may rely on.
//!
//! Upstreams are loose: calls of tools may arrive woven into each other, an end before the last words, no end at all. The
//! [`Encoder`] is told one part after the other, each opened, continued and closed, and the whole answer at the end. What
//! arrives for a part whose turn has not come waits, and only that.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use super::translate::{Delta, Encoder};
use crate::canonical::{
    Annotation, ChatAnswer, ChatEvent, Finish, FinishReason, Logprob, Part, Seal, Text, ToolCall, ids,
};
use crate::error::Error;

/// Orders one stream. See the [module documentation](self).
pub struct Sequencer {
    encoder: Box<dyn Encoder>,
    /// Whose stream it is: for seals.
    dialect: &'static str,
    provider: String,
    /// What names of calls are made of, where the upstream gives none.
    answer_id: String,
    answer: ChatAnswer,
    started: bool,
    ended: bool,
    calls: usize,
    /// The part that the encoder has been told to open.
    open: Option<Pending>,
    /// Parts whose turn has not come.
    waiting: VecDeque<Pending>,
    unmapped: Vec<String>,
}

/// A part that is still arriving, or that waits.
struct Pending {
    part: Part,
    /// Of a call: what its pieces are known by.
    key: Option<u32>,
    /// Nothing more of it can come.
    ended: bool,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl Sequencer {
    /// Orders a stream of `provider`, which speaks `dialect`, for `encoder`. The answer is called `answer_id`.
    pub fn new(encoder: Box<dyn Encoder>, dialect: &'static str, provider: String, answer_id: String) -> Self {
        Self {
            encoder,
            dialect,
            provider,
            answer_id,
            answer: ChatAnswer::default(),
            started: false,
            ended: false,
            calls: 0,
            open: None,
            waiting: VecDeque::new(),
            unmapped: Vec::new(),
        }
    }

    /// Tells the encoder the time.
    pub fn tick(&mut self, elapsed: Duration) {
        self.encoder.tick(elapsed);
    }

    /// Takes the next event.
    pub fn take(&mut self, event: ChatEvent<'_>, out: &mut Vec<u8>) {
        match event {
            ChatEvent::Start { id, model } => {
                let known = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).filter(|text| !text.is_empty());
                self.answer.id = self.answer.id.take().or(known(id));
                self.answer.model = self.answer.model.take().or(known(model));
            }
            ChatEvent::Text { text, logprobs } if text.is_empty() && logprobs.is_empty() => {}
            ChatEvent::Text { text, logprobs } => self.text(&text, logprobs, None, out),
            ChatEvent::Annotation(annotation) => self.text("", Vec::new(), Some(annotation), out),
            ChatEvent::Refusal(text) if text.is_empty() => {}
            ChatEvent::Refusal(text) => self.more(&Part::Refusal(text.into_owned()), out),
            ChatEvent::Reasoning(text) if text.is_empty() => {}
            ChatEvent::Reasoning(text) => self.more(&Part::Reasoning { text: text.into_owned(), seal: None }, out),
            ChatEvent::Seal(data) => self.seal(&data, out),
            ChatEvent::ToolCall { key, id, name, kind } => {
                let id = id.filter(|id| !id.is_empty()).map(Cow::into_owned);
                let id = id.unwrap_or_else(|| ids::call_id(&self.answer_id, self.calls));
                self.calls += 1;
                let call = ToolCall { id, name: name.into_owned(), arguments: String::new(), kind, seal: None };
                self.begin(Pending { part: Part::ToolCall(call), key: Some(key), ended: false }, out);
            }
            ChatEvent::Arguments { key, fragment } => self.arguments(key, &fragment, out),
            ChatEvent::Boundary => self.boundary(out),
            ChatEvent::Usage(usage) => self.answer.usage = Some(usage),
            ChatEvent::Finish(finish) => self.answer.finish = Some(finish.into_owned()),
            ChatEvent::Unmapped(kind) => {
                if !self.unmapped.iter().any(|known| *known == kind) {
                    self.unmapped.push(kind.into_owned());
                }
            }
        }
    }

    /// Tells the encoder that the answer has begun, if it does not know. To be called when what has arrived is read: what
    /// stands beside a beginning, such as its usage, belongs to it.
    pub fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.encoder.start(&self.answer, out);
        }
    }

    /// The stream has ended whole.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.start(out);
        self.waiting.iter_mut().for_each(|pending| pending.ended = true);
        self.close(out);
        self.answer.finish = Some(self.true_finish());
        self.encoder.finish(&self.answer, out);
    }

    /// The stream has broken off.
    pub fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.ended, true) {
            self.encoder.fail(error, out);
        }
    }

    /// Whether the stream has ended, either way.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// All that has been said.
    pub fn into_answer(self) -> ChatAnswer {
        self.answer
    }

    /// The kinds of what the upstream said and no client can be told.
    pub fn unmapped(&self) -> &[String] {
        &self.unmapped
    }

    /// Why the model stopped. A model that has called tools waits for them, whatever word its server has for that; many have
    /// none, and some give no reason at all.
    fn true_finish(&mut self) -> Finish<'static> {
        let finish = self.answer.finish.take();
        let told = finish.as_ref().map_or(FinishReason::Stop, |finish| finish.reason);
        let is_vague = matches!(told, FinishReason::Stop | FinishReason::Other | FinishReason::Pause);
        let reason = if is_vague && self.answer.calls_tools() { FinishReason::ToolCalls } else { told };
        let unsaid = Finish { reason, native: None, stop_sequence: None, explanation: None };
        finish.map_or(unsaid, |finish| Finish { reason, ..finish })
    }

    fn text(&mut self, text: &str, logprobs: Vec<Logprob>, annotation: Option<Annotation>, out: &mut Vec<u8>) {
        let annotations = annotation.into_iter().collect();
        self.more(&Part::Text(Text { text: text.to_owned(), annotations, logprobs, seal: None }), out);
    }

    /// More of the part that was told last if it is of the same kind, else a new one.
    fn more(&mut self, piece: &Part, out: &mut Vec<u8>) {
        let last = self.waiting.back().or(self.open.as_ref());
        if !last.is_some_and(|last| !last.ended && is_continued_by(&last.part, piece)) {
            let part = match piece {
                Part::Text(_) => Part::Text(Text::default()),
                Part::Refusal(_) => Part::Refusal(String::new()),
                _ => Part::Reasoning { text: String::new(), seal: None },
            };
            self.begin(Pending { part, key: None, ended: false }, out);
        }
        match self.waiting.back_mut() {
            Some(waiting) => append(&mut waiting.part, piece),
            None => self.pass(piece, out),
        }
    }

    fn arguments(&mut self, key: u32, fragment: &str, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        let piece = Part::ToolCall(ToolCall { arguments: fragment.to_owned(), ..ToolCall::default() });
        if self.open.as_ref().is_some_and(|open| open.key == Some(key)) {
            self.pass(&piece, out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.key == Some(key)) {
            append(&mut waiting.part, &piece);
        }
    }

    fn seal(&mut self, data: &str, out: &mut Vec<u8>) {
        let provider = self.provider.clone();
        let mark = Seal { dialect: self.dialect.to_owned(), provider, data: data.to_owned() };
        if let Some(waiting) = self.waiting.back_mut() {
            return set_seal(&mut waiting.part, mark);
        }
        if self.open.is_none() {
            let part = Part::Reasoning { text: String::new(), seal: None };
            self.begin(Pending { part, key: None, ended: false }, out);
        }
        if let Some(open) = &mut self.open
            && !matches!(open.part, Part::Refusal(_))
        {
            set_seal(&mut open.part, mark.clone());
            self.encoder.delta(Delta::Seal(&mark), out);
        }
    }

    fn boundary(&mut self, out: &mut Vec<u8>) {
        match self.waiting.back_mut() {
            Some(waiting) => waiting.ended = true,
            None => self.close(out),
        }
    }

    /// A new part. It waits while one is open of which more may come.
    fn begin(&mut self, new: Pending, out: &mut Vec<u8>) {
        if self.waiting.is_empty() && self.open.as_ref().is_none_or(Pending::is_whole) {
            self.close(out);
            self.open(new, out);
        } else {
            // A text in line is finished by what comes behind it; a call only by its own end.
            if let Some(last) = self.waiting.back_mut() {
                last.ended |= last.key.is_none();
            }
            self.waiting.push_back(new);
            self.advance(out);
        }
    }

    fn open(&mut self, pending: Pending, out: &mut Vec<u8>) {
        self.start(out);
        self.encoder.open(&pending.part, out);
        self.open = Some(pending);
    }

    /// Closes the open part, if there is one, and opens what waits.
    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            self.encoder.close(&open.part, out);
            self.answer.parts.push(open.part);
        }
        self.advance(out);
    }

    /// Lets those in line go as far as they can.
    fn advance(&mut self, out: &mut Vec<u8>) {
        while !self.waiting.is_empty() && self.open.as_ref().is_none_or(Pending::is_whole) {
            if let Some(open) = self.open.take() {
                self.encoder.close(&open.part, out);
                self.answer.parts.push(open.part);
            }
            if let Some(next) = self.waiting.pop_front() {
                self.replay(next, out);
            }
        }
        // The last of them may be known to be finished, too.
        if self.waiting.is_empty()
            && let Some(open) = self.open.take_if(|open| open.ended)
        {
            self.encoder.close(&open.part, out);
            self.answer.parts.push(open.part);
        }
    }

    /// Opens a part of which something has arrived while it waited.
    fn replay(&mut self, pending: Pending, out: &mut Vec<u8>) {
        let Pending { part, key, ended } = pending;
        let (empty, seal) = match &part {
            Part::ToolCall(call) => {
                let empty = ToolCall { arguments: String::new(), seal: None, ..call.clone() };
                (Part::ToolCall(empty), call.seal.clone())
            }
            Part::Text(text) => (Part::Text(Text::default()), text.seal.clone()),
            Part::Reasoning { seal, .. } => (Part::Reasoning { text: String::new(), seal: None }, seal.clone()),
            _ => (Part::Refusal(String::new()), None),
        };
        self.open(Pending { part: empty, key, ended }, out);
        self.pass(&part, out);
        if let (Some(seal), Some(open)) = (seal, &mut self.open) {
            self.encoder.delta(Delta::Seal(&seal), out);
            set_seal(&mut open.part, seal);
        }
    }

    /// A piece of the open part.
    fn pass(&mut self, piece: &Part, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else { return };
        append(&mut open.part, piece);
        match piece {
            Part::Text(Text { text, annotations, logprobs, .. }) => {
                if !text.is_empty() || !logprobs.is_empty() {
                    self.encoder.delta(Delta::Text { text, logprobs }, out);
                }
                for annotation in annotations {
                    self.encoder.delta(Delta::Annotation(annotation), out);
                }
            }
            Part::Refusal(text) => self.encoder.delta(Delta::Refusal(text), out),
            Part::Reasoning { text, .. } if !text.is_empty() => self.encoder.delta(Delta::Reasoning(text), out),
            Part::ToolCall(call) if !call.arguments.is_empty() => {
                self.encoder.delta(Delta::Arguments(&call.arguments), out);
            }
            _ => {}
        }
    }
}

impl Pending {
    /// Whether nothing more of it can come. A text is finished by whatever follows it; a call may go on behind the beginning
    /// of the next, unless its arguments are a whole JSON object.
    fn is_whole(&self) -> bool {
        match &self.part {
            Part::ToolCall(call) if !self.ended => {
                !call.arguments.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok()
            }
            _ => true,
        }
    }
}

fn is_continued_by(part: &Part, piece: &Part) -> bool {
    match (part, piece) {
        (Part::Text(_), Part::Text(_)) | (Part::Refusal(_), Part::Refusal(_)) => true,
        // A mark ends the thoughts it is on.
        (Part::Reasoning { seal, .. }, Part::Reasoning { .. }) => seal.is_none(),
        _ => false,
    }
}

fn append(part: &mut Part, piece: &Part) {
    match (part, piece) {
        (Part::Text(own), Part::Text(more)) => {
            own.text.push_str(&more.text);
            own.annotations.extend_from_slice(&more.annotations);
            own.logprobs.extend_from_slice(&more.logprobs);
        }
        (Part::Refusal(own), Part::Refusal(more)) => own.push_str(more),
        (Part::Reasoning { text: own, .. }, Part::Reasoning { text: more, .. }) => own.push_str(more),
        (Part::ToolCall(own), Part::ToolCall(more)) => own.arguments.push_str(&more.arguments),
        _ => {}
    }
}

fn set_seal(part: &mut Part, mark: Seal) {
    match part {
        Part::Text(Text { seal, .. }) | Part::Reasoning { seal, .. } => *seal = Some(mark),
        Part::ToolCall(call) => call.seal = Some(mark),
        _ => {}
    }
}
