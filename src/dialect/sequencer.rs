//! Puts what a decoder tells in the order that an encoder may rely on.
//!
//! Upstreams are loose: calls of tools may arrive woven into each other, an end before the last words, no end at all. The
//! [`Encoder`] is told one part after the other, each opened, continued and closed, and the whole answer at the end. What
//! arrives for a part whose turn has not come waits, and only that.

mod pending;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use super::translate::{Begun, Delta, Encoder};
use crate::canonical::{ChatAnswer, ChatEvent, Finish, FinishReason, Part, Seal, ToolCall, Usage, ids};
use crate::error::Error;
use pending::Pending;

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
    /// The call that was spoken of last, if it was a call: it need not be the last in line.
    last_call: Option<u32>,
    unmapped: Vec<String>,
    /// Bytes of text and arguments so far.
    said: usize,
    /// How many of them had been said when tokens were counted last.
    counted: usize,
    /// What the upstreams took that have begun the answer and did not end it.
    before: Option<Before>,
}

/// What the beginning of an answer took, as far as its upstreams told.
#[derive(Debug, Clone, Copy)]
struct Before {
    usage: Option<Usage>,
    generated: Option<u64>,
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
            last_call: None,
            unmapped: Vec::new(),
            said: 0,
            counted: 0,
            before: None,
        }
    }

    /// From here on another encoder writes what the client has had from its upstream until now.
    pub fn take_over(&mut self, mut encoder: Box<dyn Encoder>) {
        encoder.take_over(&Begun { answer: &self.answer, open: self.open.as_ref().map(|open| &open.part) });
        self.encoder = encoder;
    }

    /// From here on another upstream goes on with the answer: `provider`, which speaks `dialect`.
    pub fn go_on(&mut self, dialect: &'static str, provider: String) {
        self.before = Some(Before { usage: self.answer.usage, generated: self.tokens() });
        (self.dialect, self.provider) = (dialect, provider);
        (self.last_call, self.counted) = (None, 0);
    }

    /// The text so far, if the answer can be continued where it stands: it is nothing but text, behind thoughts perhaps, and
    /// all of it is known here.
    pub fn beginning(&self) -> Option<String> {
        let parts = || self.answer.parts.iter().chain(self.open.as_ref().map(|open| &open.part));
        let is_told = self.started && !self.ended && self.answer.finish.is_none();
        let is_known = self.waiting.is_empty() && self.unmapped.is_empty();
        // What has sources was written from them, and nobody else has them.
        let is_plain = |part: &Part| match part {
            Part::Text(text) => text.annotations.is_empty(),
            part => matches!(part, Part::Reasoning { .. }),
        };
        let is_text = matches!(parts().last(), Some(Part::Text(_))) && parts().all(is_plain);
        let texts = parts().filter_map(|part| if let Part::Text(text) = part { Some(&*text.text) } else { None });
        (is_told && is_known && is_text).then(|| texts.collect::<String>()).filter(|text| !text.trim().is_empty())
    }

    /// How many parts the client has seen begin.
    pub fn parts(&self) -> usize {
        self.answer.parts.len() + usize::from(self.open.is_some())
    }

    /// How many tokens all that has been said took, if they were counted behind it.
    pub fn tokens(&self) -> Option<u64> {
        let usage = self.answer.usage.filter(|_| self.said > 0 && self.counted == self.said)?;
        Some(usage.output_tokens)
    }

    /// Tells the encoder the time.
    pub fn tick(&mut self, elapsed: Duration) {
        self.encoder.tick(elapsed);
    }

    /// Takes the next event. Behind the end there is none.
    pub fn take(&mut self, event: ChatEvent<'_>, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            ChatEvent::Start { id, model, created } => {
                let known = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).filter(|text| !text.is_empty());
                self.answer.id = self.answer.id.take().or(known(id));
                self.answer.model = self.answer.model.take().or(known(model));
                self.answer.created = self.answer.created.or(created);
            }
            ChatEvent::Text { text, logprobs } if !text.is_empty() || !logprobs.is_empty() => {
                self.more(Delta::Text { text: &text, logprobs: &logprobs }, out);
            }
            ChatEvent::Annotation(annotation) => self.more(Delta::Annotation(&annotation), out),
            ChatEvent::Refusal(text) if !text.is_empty() => self.more(Delta::Refusal(&text), out),
            ChatEvent::Reasoning(text) if !text.is_empty() => self.more(Delta::Reasoning(&text), out),
            ChatEvent::Seal(data) if !data.is_empty() => self.seal(data.into_owned(), out),
            ChatEvent::ToolCall { key, id, name, kind } => {
                let id = id.filter(|id| !id.is_empty()).map(Cow::into_owned);
                let id = id.unwrap_or_else(|| ids::call_id(&self.answer_id, self.calls));
                self.calls += 1;
                let call = ToolCall { id, name: name.into_owned(), kind, ..ToolCall::default() };
                self.begin(Pending::call(key, call), out);
                self.last_call = Some(key);
            }
            ChatEvent::Arguments { key, fragment } if !fragment.is_empty() => self.arguments(key, &fragment, out),
            ChatEvent::Boundary => self.boundary(out),
            ChatEvent::Usage(usage) => {
                let before = self.before.as_ref();
                let whole = before.map_or(usage, |before| usage.behind(before.usage, before.generated));
                (self.answer.usage, self.counted) = (Some(whole), self.said);
            }
            ChatEvent::Finish(finish) => self.answer.finish = Some(finish.into_owned()),
            ChatEvent::Unmapped(kind) => self.note(&kind),
            // Empty pieces are nothing.
            ChatEvent::Text { .. }
            | ChatEvent::Refusal(_)
            | ChatEvent::Reasoning(_)
            | ChatEvent::Seal(_)
            | ChatEvent::Arguments { .. } => {}
        }
    }

    /// Tells the encoder that the answer has begun, if it does not know. To be called when what has arrived is read: what
    /// stands beside a beginning, such as its usage, belongs to it.
    pub fn start(&mut self, out: &mut Vec<u8>) {
        if !self.ended && !std::mem::replace(&mut self.started, true) {
            self.encoder.start(&self.answer, out);
        }
    }

    /// The stream has ended whole.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        self.start(out);
        self.waiting.iter_mut().for_each(|pending| pending.ended = true);
        self.close(out);
        self.answer.finish = Some(self.true_finish());
        self.encoder.finish(&self.answer, out);
        self.ended = true;
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

    /// Why there is no answer, although its stream may be whole: all that the model tried was a call, and it got it wrong. An
    /// empty answer would pass for one that is done.
    pub fn failure(&self) -> Option<String> {
        let finish = self.answer.finish.as_ref()?;
        let has_said_nothing = self.said == 0 && self.calls == 0;
        (finish.reason == FinishReason::MalformedToolCall && has_said_nothing).then(|| {
            let explanation = finish.explanation.as_deref().unwrap_or("it got its arguments wrong");
            format!("The model tried to call a tool and failed: {explanation}")
        })
    }

    /// All that has been said.
    pub fn into_answer(self) -> ChatAnswer {
        self.answer
    }

    /// How many bytes of text and arguments have been said: about what the answer takes in memory.
    pub fn said(&self) -> usize {
        self.said
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
        // One call that went wrong does not undo the others.
        let is_vague = matches!(
            told,
            FinishReason::Stop | FinishReason::Other | FinishReason::Pause | FinishReason::MalformedToolCall
        );
        let reason = if is_vague && self.answer.calls_tools() { FinishReason::ToolCalls } else { told };
        let unsaid = Finish { reason, native: None, stop_sequence: None, explanation: None };
        finish.map_or(unsaid, |finish| Finish { reason, ..finish })
    }

    fn note(&mut self, kind: &str) {
        if !self.unmapped.iter().any(|known| known == kind) {
            self.unmapped.push(kind.to_owned());
        }
    }

    /// More of the part that is last in line if it is of the same kind, else a new one.
    fn more(&mut self, piece: Delta<'_>, out: &mut Vec<u8>) {
        let last = self.waiting.back().or(self.open.as_ref());
        if !last.is_some_and(|last| last.takes(&piece)) {
            self.begin(Pending::beginning_with(&piece), out);
        }
        self.last_call = None;
        self.said += piece.len();
        match self.waiting.back_mut() {
            Some(waiting) => waiting.append(piece),
            None => self.pass(piece, out),
        }
    }

    fn arguments(&mut self, key: u32, fragment: &str, out: &mut Vec<u8>) {
        let piece = Delta::Arguments(fragment);
        self.said += piece.len();
        if self.open.as_ref().is_some_and(|open| open.key == Some(key)) {
            self.pass(piece, out);
            self.last_call = Some(key);
            // They may have been what all the others waited for.
            self.advance(out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.key == Some(key)) {
            waiting.append(piece);
            self.last_call = Some(key);
        } else if !fragment.trim().is_empty() {
            // Of a call that is closed, or that never began.
            self.note("stray tool call arguments");
        }
    }

    fn seal(&mut self, data: String, out: &mut Vec<u8>) {
        let mark = Seal { dialect: self.dialect.to_owned(), provider: self.provider.clone(), data };
        let piece = Delta::Seal(&mark);
        self.said += piece.len();
        if self.said_last().is_none_or(|last| !last.takes(&piece)) {
            self.begin(Pending::silent_thoughts(), out);
            self.last_call = None;
        }
        if self.is_last_open() {
            self.pass(piece, out);
        } else if let Some(last) = self.said_last() {
            last.append(piece);
        }
    }

    fn boundary(&mut self, out: &mut Vec<u8>) {
        if self.is_last_open() {
            self.close(out);
        } else if let Some(last) = self.said_last() {
            last.ended = true;
        }
    }

    /// The part that something was said of last, if more of it may come: the last in line, or the call whose arguments came.
    fn said_last(&mut self) -> Option<&mut Pending> {
        match self.last_call {
            Some(key) => self.open.iter_mut().chain(&mut self.waiting).find(|pending| pending.key == Some(key)),
            None => self.waiting.back_mut().or(self.open.as_mut()),
        }
    }

    /// Whether that part is the open one.
    fn is_last_open(&self) -> bool {
        match self.last_call {
            Some(key) => self.open.as_ref().is_some_and(|open| open.key == Some(key)),
            None => self.waiting.is_empty() && self.open.is_some(),
        }
    }

    /// A new part. It waits while one is open of which more may come.
    fn begin(&mut self, new: Pending, out: &mut Vec<u8>) {
        // A text in line is finished by what comes behind it; a call only by its own end.
        if let Some(last) = self.waiting.back_mut() {
            last.ended |= last.key.is_none();
        }
        self.waiting.push_back(new);
        self.advance(out);
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
                self.open(&next, out);
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

    /// Opens a part, and tells what has arrived of it while it waited.
    fn open(&mut self, pending: &Pending, out: &mut Vec<u8>) {
        self.start(out);
        let empty = pending.emptied();
        self.encoder.open(&empty.part, out);
        self.open = Some(empty);
        for piece in pending.pieces() {
            self.pass(piece, out);
        }
    }

    /// A piece of the open part.
    fn pass(&mut self, piece: Delta<'_>, out: &mut Vec<u8>) {
        if let Some(open) = &mut self.open {
            open.append(piece);
            self.encoder.delta(piece, out);
        }
    }
}
