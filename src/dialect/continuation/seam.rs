//! Where the rest of an answer is joined to its beginning.
//!
//! A model that is asked to go on may begin anew instead, and servers that take no prefill answer as if asked for the first
//! time. Shown to the client that would be the same text twice. So its first words are held until they show which it is. In
//! doubt it is a beginning: an error is honest, a text that repeats itself is not.

use std::borrow::Cow;

use crate::canonical::ChatEvent;
use crate::dialect::Sink;

/// So many bytes of the beginning said again are no chance.
const REPEATED: usize = 12;

/// So many bytes that may be anything are something: a model may say nothing but white space.
const UNDECIDED: usize = 1024;

/// With these words models begin an answer, and take up one that broke off.
const OPENINGS: [&str; 17] = [
    "Absolutely",
    "Apologies",
    "As I was saying",
    "Certainly",
    "Continuing",
    "Hello",
    "Hey",
    "Hi",
    "I apologize",
    "I'm sorry",
    "Let me continue",
    "My apologies",
    "Of course",
    "Okay",
    "Sorry",
    "Sure",
    "To continue",
];

/// Behind these such a word is said by somebody in the text.
const QUOTES: [char; 9] = ['"', '\'', '“', '‘', '«', '„', '(', '*', '`'];

/// Joins one rest to one beginning.
#[derive(Debug)]
pub struct Seam {
    /// All of the beginning.
    said: String,
    /// How much of it has been shown to whoever goes on: what follows is white space.
    shown: usize,
    may_echo: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The first words, which may be anything yet.
    Held(String),
    /// They went on where the beginning ended.
    Joined,
    /// They began anew.
    Refused,
}

/// What the first words are.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// Not known yet.
    Open,
    /// The rest, behind so many bytes that the client has.
    Rest(usize),
    /// Another beginning.
    Beginning,
}

impl Seam {
    /// The end of `said`. Whoever goes on may say it all once more if it `may_echo`.
    pub fn new(said: String, may_echo: bool) -> Self {
        let shown = said.trim_end().len();
        Self { said, shown, may_echo, state: State::Held(String::new()) }
    }

    /// The beginning as it is shown to whoever is to go on.
    pub fn shown(&self) -> &str {
        &self.said[..self.shown]
    }

    /// Whether what came is the rest.
    pub fn is_joined(&self) -> bool {
        matches!(self.state, State::Joined)
    }

    /// Whether what came is another beginning. Nothing of it is told.
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused)
    }

    /// Takes what a decoder tells, and passes on what belongs to the rest.
    pub fn take(&mut self, event: ChatEvent<'_>, sink: Sink<'_>) {
        match (&mut self.state, event) {
            (State::Joined, event) => sink(event),
            // Tokens are counted whoever was asked what.
            (_, ChatEvent::Usage(usage)) => sink(ChatEvent::Usage(usage)),
            (State::Refused, _) => {}
            // That the answer begins, the client knows.
            (State::Held(_), ChatEvent::Start { .. } | ChatEvent::Boundary | ChatEvent::Seal(_)) => {}
            (State::Held(held), ChatEvent::Text { text, .. }) => {
                held.push_str(&text);
                self.settle(false, sink);
            }
            // A model that thinks first, or declines, does not go on.
            (State::Held(_), ChatEvent::Reasoning(text) | ChatEvent::Refusal(text)) if text.is_empty() => {}
            (State::Held(_), ChatEvent::Reasoning(_) | ChatEvent::Refusal(_)) => self.state = State::Refused,
            (State::Held(_), event) => {
                self.settle(true, sink);
                if self.is_joined() {
                    sink(event);
                }
            }
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self, sink: Sink<'_>) {
        self.settle(true, sink);
    }

    fn settle(&mut self, is_all: bool, sink: Sink<'_>) {
        let State::Held(held) = &mut self.state else { return };
        let held = std::mem::take(held);
        match self.judge(&held, is_all) {
            Judgement::Open => self.state = State::Held(held),
            Judgement::Beginning => self.state = State::Refused,
            Judgement::Rest(known) => {
                self.state = State::Joined;
                sink(ChatEvent::Text { text: Cow::Borrowed(&held[known..]), logprobs: Vec::new() });
            }
        }
    }

    /// What `held` is, which is all that comes if it `is_all`.
    fn judge(&self, held: &str, is_all: bool) -> Judgement {
        let (shown, words) = (self.shown().trim_start(), held.trim_start());
        let repeated = common(words, shown);
        if repeated == shown.len() {
            // All of it.
            let from = held.len() - words.len() + repeated;
            return if self.may_echo { self.behind_space(held, from, is_all) } else { Judgement::Beginning };
        }
        let is_open = repeated == words.len() && (self.may_echo || repeated < REPEATED);
        if is_open && !is_all && held.len() < self.said.len() + UNDECIDED {
            return Judgement::Open;
        }
        if repeated >= REPEATED {
            return Judgement::Beginning;
        }
        match self.opens(held) {
            Some(true) => Judgement::Beginning,
            None if !is_all => Judgement::Open,
            _ => self.behind_space(held, 0, is_all),
        }
    }

    /// Whether `held` has the words that an answer begins with; `None` if it may come to have them.
    fn opens(&self, held: &str) -> Option<bool> {
        if self.said.ends_with(QUOTES) {
            return Some(false);
        }
        let mut may_come = false;
        for opening in OPENINGS {
            if let Some(rest) = held.strip_prefix(opening) {
                match rest.chars().next() {
                    Some(next) if next.is_alphanumeric() => {}
                    Some(_) => return Some(true),
                    None => may_come = true,
                }
            }
            may_come |= opening.starts_with(held);
        }
        if may_come { None } else { Some(false) }
    }

    /// The rest begins at `from` in `held`, behind white space that the client has and whoever goes on was not shown.
    fn behind_space(&self, held: &str, from: usize, is_all: bool) -> Judgement {
        let (space, rest) = (&self.said[self.shown..], &held[from..]);
        let known = common(rest, space);
        if known == rest.len() && known < space.len() && !is_all {
            Judgement::Open
        } else {
            Judgement::Rest(from + known)
        }
    }
}

/// How many bytes at the beginning `a` and `b` have in common, whole characters.
fn common(a: &str, b: &str) -> usize {
    let pairs = a.char_indices().zip(b.chars());
    let other = pairs.clone().find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    other.unwrap_or_else(|| a.len().min(b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{Finish, FinishReason, ToolKind, Usage};

    /// What the client is told of `pieces` behind `said`; `None` if they are another beginning.
    fn rest(said: &str, may_echo: bool, pieces: &[&str]) -> Option<String> {
        let mut seam = Seam::new(said.to_owned(), may_echo);
        let mut told = String::new();
        let mut sink = |event: ChatEvent<'_>| {
            if let ChatEvent::Text { text, .. } = event {
                told.push_str(&text);
            }
        };
        for piece in pieces {
            seam.take(ChatEvent::Text { text: (*piece).into(), logprobs: Vec::new() }, &mut sink);
        }
        seam.end(&mut sink);
        seam.is_joined().then_some(told)
    }

    const SAID: &str = "The quick brown fox ";

    #[test]
    fn a_rest_is_told_without_the_space_that_the_client_has() {
        for (said, pieces, told) in [
            (SAID, &[" jumps"][..], "jumps"),
            (SAID, &["jumps"], "jumps"),
            (SAID, &[" ", "jumps"], "jumps"),
            ("a\n\n", &["\n\nb"], "b"),
            ("a\n\n", &["\n", "\n", " b"], " b"),
            ("a\n\n", &["\nb"], "b"),
            ("The quick brown fox", &[" jumps"], " jumps"),
            ("The qui", &["ck brown"], "ck brown"),
            (SAID, &["The slow one"], "The slow one"),
            (SAID, &["Hidden"], "Hidden"),
            (SAID, &["H", "igh"], "High"),
            ("“", &["Hello, world"], "Hello, world"),
            ("été", &["êtê"], "êtê"),
            (SAID, &[], ""),
            (SAID, &["The q"], "The q"),
        ] {
            assert_eq!(rest(said, false, pieces).as_deref(), Some(told), "{said:?} and {pieces:?}");
        }
    }

    #[test]
    fn another_beginning_is_no_rest() {
        for (said, pieces) in [
            (SAID, &["The quick brown"][..]),
            (SAID, &["The", " quick", " brown", " fox", " jumps"]),
            (SAID, &["\n\nThe quick brown bear"]),
            ("The", &["The quick"]),
            (SAID, &["Sure! Here is"]),
            (SAID, &["S", "ure", ", "]),
            (SAID, &["I'm", " sorry", ", but"]),
            (SAID, &["Hello.", " "]),
        ] {
            assert_eq!(rest(said, false, pieces), None, "{said:?} and {pieces:?}");
        }
    }

    #[test]
    fn an_echo_is_left_out_where_servers_echo() {
        for (pieces, told) in [
            (&["The quick brown fox", " jumps"][..], Some("jumps")),
            (&["The quick brown fox jumps"], Some("jumps")),
            (&["The quick", " brown fox ", "jumps"], Some("jumps")),
            (&["The quick brown fox"], Some("")),
            (&[" jumps"], Some("jumps")),
            (&["The quick brown bear"], None),
            (&["The quick brown"], None),
        ] {
            assert_eq!(rest(SAID, true, pieces).as_deref(), told, "{pieces:?}");
        }
    }

    #[test]
    fn what_is_no_text_settles_it() {
        let after = |event: ChatEvent<'_>, held: &str| {
            let mut seam = Seam::new(SAID.to_owned(), false);
            let mut told = 0;
            if !held.is_empty() {
                seam.take(ChatEvent::Text { text: held.into(), logprobs: Vec::new() }, &mut |_| {});
            }
            seam.take(event, &mut |_| told += 1);
            (seam.is_joined(), seam.is_refused(), told)
        };
        let call = ChatEvent::ToolCall { key: 0, id: None, name: "f".into(), kind: ToolKind::Function };
        let finish = || ChatEvent::Finish(Finish::new(FinishReason::Stop, "stop"));
        // The text, though empty, and the event itself.
        assert_eq!(after(call, ""), (true, false, 2));
        assert_eq!(after(finish(), ""), (true, false, 2));
        assert_eq!(after(finish(), "The"), (true, false, 2));
        assert_eq!(after(ChatEvent::Usage(Usage::default()), ""), (false, false, 1));
        assert_eq!(after(ChatEvent::Boundary, ""), (false, false, 0));
        assert_eq!(after(ChatEvent::Reasoning("Hm".into()), ""), (false, true, 0));
        assert_eq!(after(ChatEvent::Refusal("No".into()), ""), (false, true, 0));
        // Another beginning stays one, whatever ends it.
        let mut seam = Seam::new("The".to_owned(), false);
        seam.take(ChatEvent::Text { text: "The end".into(), logprobs: Vec::new() }, &mut |_| panic!("told"));
        seam.take(finish(), &mut |_| panic!("told"));
        assert!(seam.is_refused());
    }

    #[test]
    fn white_space_at_the_end_is_not_shown() {
        assert_eq!(Seam::new("a b \n".to_owned(), false).shown(), "a b");
    }
}
