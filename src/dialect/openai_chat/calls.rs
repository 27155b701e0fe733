//! The calls of one answer, put together of their pieces.
//!
//! A piece belongs to the call of its index. That much is OpenAI's rule; its speakers repeat ids and names with every piece,
//! give all calls the same index, leave ids empty, or send a call whole.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::message::{CallPiece, Function, text_of};
use crate::canonical::{ChatEvent, ToolKind};
use crate::dialect::Sink;

/// What is known of the calls so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: Option<i64>,
    id: String,
    name: String,
    kind: ToolKind,
    arguments: String,
    /// The canonical event tells a name whole, and names may come in pieces: a call is told with its first arguments, or
    /// before anything else is.
    is_told: bool,
    is_sealed: bool,
}

impl Calls {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes a piece. `is_whole` says that it is a call of its own.
    pub(super) fn take(&mut self, piece: &CallPiece<'_>, is_whole: bool, sink: Sink<'_>) {
        let (name, arguments, kind) = parts_of(piece);
        let known = if is_whole { None } else { self.find(piece, &name, &arguments) };
        if known.is_none() && piece.id.is_empty() && name.is_empty() && arguments.is_empty() {
            return;
        }
        let at = known.unwrap_or_else(|| self.begin(piece, kind, sink));
        let call = &mut self.list[at];
        if call.id.is_empty() {
            call.id.push_str(&piece.id.0);
        }
        call.add_name(&name);
        let key = u32::try_from(at).unwrap_or(u32::MAX);
        if !arguments.is_empty() {
            call.tell(key, sink);
            call.arguments.push_str(&arguments);
            sink(ChatEvent::Arguments { key, fragment: arguments });
        }
        if let Some(mark) = piece.extra_content.filter(|mark| mark.get().starts_with('{')) {
            call.tell(key, sink);
            call.is_sealed = true;
            sink(ChatEvent::Seal(Cow::Owned(format!("{{\"extra_content\":{}}}", mark.get()))));
        }
    }

    /// Takes a piece of the one call that the elder `function_call` can be.
    pub(super) fn take_function(&mut self, function: Function<'_>, sink: Sink<'_>) {
        let piece = CallPiece { index: Some(-1), function: Some(function), ..CallPiece::default() };
        self.take(&piece, false, sink);
    }

    /// Tells the last call, if it has not been told: something else begins.
    pub(super) fn settle(&mut self, sink: Sink<'_>) {
        let last = self.list.len().wrapping_sub(1);
        if let Some(call) = self.list.last_mut() {
            call.tell(u32::try_from(last).unwrap_or(u32::MAX), sink);
        }
    }

    /// Whether a mark may be put on the last call; it has one from now on.
    pub(super) fn may_seal(&mut self) -> bool {
        self.list.last_mut().is_some_and(|call| !std::mem::replace(&mut call.is_sealed, true))
    }

    fn begin(&mut self, piece: &CallPiece<'_>, kind: ToolKind, sink: Sink<'_>) -> usize {
        self.settle(sink);
        self.list.push(Call {
            index: piece.index,
            id: String::new(),
            name: String::new(),
            kind,
            arguments: String::new(),
            is_told: false,
            is_sealed: false,
        });
        self.list.len() - 1
    }

    /// The call that the piece belongs to, if it begins none.
    fn find(&self, piece: &CallPiece<'_>, name: &str, arguments: &str) -> Option<usize> {
        let id = &*piece.id.0;
        let at = match piece.index {
            Some(_) => self.list.iter().rposition(|call| call.index == piece.index),
            None if !id.is_empty() => self.list.iter().rposition(|call| call.id == id),
            None => self.list.len().checked_sub(1),
        }?;
        (!self.list[at].is_followed_by(id, name, arguments)).then_some(at)
    }
}

impl Call {
    /// Whether a piece that has the call's index begins another. Whatever begins has a name.
    fn is_followed_by(&self, id: &str, name: &str, arguments: &str) -> bool {
        let has_other_id = !id.is_empty() && !self.id.is_empty() && self.id != id;
        let is_complete = || serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok();
        !name.is_empty() && (has_other_id || (id.is_empty() && !arguments.is_empty() && is_complete()))
    }

    /// A name may be repeated, repeated longer, or continued.
    fn add_name(&mut self, piece: &str) {
        if piece.starts_with(&self.name) {
            piece.clone_into(&mut self.name);
        } else {
            self.name.push_str(piece);
        }
    }

    fn tell(&mut self, key: u32, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.is_told, true) {
            let id = Some(Cow::Borrowed(&*self.id));
            sink(ChatEvent::ToolCall { key, id, name: Cow::Borrowed(&self.name), kind: self.kind });
        }
    }
}

/// The name, the arguments and the kind of what a piece is of.
fn parts_of<'p>(piece: &'p CallPiece<'_>) -> (Cow<'p, str>, Cow<'p, str>, ToolKind) {
    match (&piece.function, &piece.custom) {
        (None, Some(custom)) => (Cow::Borrowed(&*custom.name.0), Cow::Borrowed(&*custom.input.0), ToolKind::Custom),
        (Some(function), _) => (Cow::Borrowed(&*function.name.0), text_of(function.arguments), ToolKind::Function),
        (None, None) => (Cow::Borrowed(""), Cow::Borrowed(""), ToolKind::Function),
    }
}
