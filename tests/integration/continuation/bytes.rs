//! A stream cut at any byte, without sockets: the frames that have passed and what is told behind them are one answer.

use std::time::Duration;

use bytes::Bytes;
use sluicegate::canonical::ChatRequest;
use sluicegate::dialect::continuation::seam::Seam;
use sluicegate::dialect::{self, AnswerContext, Shape, Transcoder};
use sluicegate::framing::Splitter;

use super::TOKENS;
use crate::support::{Tongue, grammar, told};

fn context() -> AnswerContext {
    AnswerContext {
        id: "ours".to_owned(),
        created: 9,
        created_nanos: 0,
        request: ChatRequest { model: "ours".to_owned(), stream: true, ..ChatRequest::default() }.into(),
        shape: Shape::Chat,
        elapsed: Duration::ZERO,
    }
}

/// What a client of `tongue` is told of a stream whose first `cut` bytes came, and that one of `successor` goes on with; `None` if
/// that may not be.
fn told_across(tongue: Tongue, cut: usize, successor: Tongue) -> Option<String> {
    let (client, next) = (dialect::find(tongue.name()).unwrap(), dialect::find(successor.name()).unwrap());
    let stream = TOKENS.iter().fold(tongue.begin(), |stream, token| stream + &tongue.text(token));
    let mut splitter = Splitter::new(client.framing(), usize::MAX);
    let passed = splitter.push(Bytes::copy_from_slice(&stream.as_bytes()[..cut])).unwrap();
    let mut transcoder = Transcoder::listening(client, "first", String::new());
    transcoder.push(&passed, Duration::ZERO);
    let (text, _) = transcoder.beginning()?;
    transcoder.speak(client, &context());
    let seam = Seam::new(text.clone(), false);
    let rest = TOKENS.concat().split_off(seam.shown().len());
    transcoder.go_on(next, "second", seam);
    let mut told = passed.to_vec();
    let frames = [successor.begin(), successor.text(&rest), successor.end(&rest)].concat();
    told.extend_from_slice(&transcoder.push(frames.as_bytes(), Duration::ZERO));
    told.extend_from_slice(&transcoder.finish(Duration::ZERO));
    Some(String::from_utf8(told).unwrap())
}

#[test]
fn a_stream_cut_at_any_byte_is_one_answer() {
    for tongue in [Tongue::Chat, Tongue::Anthropic, Tongue::Gemini, Tongue::Ollama] {
        let length = TOKENS.iter().fold(tongue.begin(), |stream, token| stream + &tongue.text(token)).len();
        let silent = tongue.begin().len() + tongue.text(TOKENS[0]).len();
        let successors = [Tongue::Chat, Tongue::Anthropic, Tongue::Ollama].into_iter().cycle();
        for (cut, successor) in (0..=length).zip(successors) {
            let about = format!("{tongue:?} cut at {cut}, then {successor:?}");
            let Some(stream) = told_across(tongue, cut, successor) else {
                assert!(cut < silent, "{about}");
                continue;
            };
            let told = told::read(tongue.name(), stream.as_bytes());
            assert_eq!((&told.text, told.ended), (&TOKENS.concat(), true), "{about}: {stream}");
            assert!(!stream.contains("ours"), "{about}: {stream}");
            if tongue == Tongue::Chat {
                grammar::check(tongue.name(), &stream).unwrap_or_else(|why| panic!("{about}: {why}: {stream}"));
            }
        }
    }
}
