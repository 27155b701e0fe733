//! Writing a script, each model in its own manner.

use std::time::Duration;

use super::{
    answer,
    dice::Dice,
    models::Behaviour,
    request::Ask,
    script::{Beat, Finish, Script, Step, Usage},
    texts, tokens,
    tools::ToolCall,
};

/// The gap before a token lies between these two, in microseconds.
type Gap = (u64, u64);

const TALKING: Gap = (15_000, 35_000);
const RACING: Gap = (500, 1_500);

const FIRST_TOKEN: Duration = Duration::from_millis(225);
const SILENT_THOUGHT: Duration = Duration::from_secs(8);
const SPOKEN_THOUGHT_MICROS: u64 = 4_000_000;
const TOKENS_BEFORE_CUT: usize = 15;
const TOKENS_BEFORE_HANG: usize = 10;

/// Decides the reply to `ask`.
pub(super) fn write(ask: &Ask) -> Script {
    let mut draft = Draft { beats: Vec::new(), pause: FIRST_TOKEN, gap: TALKING, dice: ask.dice };
    match ask.model.behaviour {
        Behaviour::Races => draft.race(ask),
        Behaviour::Thinks => {
            draft.think(texts::REASONING);
            draft.answer(ask);
        }
        Behaviour::CallsTools => draft.use_tools(ask),
        Behaviour::BreaksOff => draft.break_off(ask),
        Behaviour::FallsSilent => draft.fall_silent(ask),
        // Whoever refuses has done so long before a script is written.
        Behaviour::Talks | Behaviour::Refuses => draft.answer(ask),
    }
    draft.limit(ask.limit);
    Script { usage: Usage::for_beats(ask.prompt_tokens, &draft.beats), beats: draft.beats }
}

/// A script in the making.
struct Draft {
    beats: Vec<Beat>,
    /// An extra pause before the next beat.
    pause: Duration,
    gap: Gap,
    dice: Dice,
}

impl Draft {
    fn add(&mut self, step: Step) {
        let gap = Duration::from_micros(self.dice.between(self.gap.0, self.gap.1));
        self.beats.push(Beat { after: std::mem::take(&mut self.pause) + gap, step });
    }

    /// Follows the last token at once.
    fn finish(&mut self, finish: Finish) {
        self.beats.push(Beat { after: Duration::ZERO, step: Step::Finish(finish) });
    }

    fn say(&mut self, text: &str) {
        for piece in tokens::pieces(text) {
            self.add(Step::Text(piece.to_owned()));
        }
        self.finish(Finish::Stop);
    }

    fn answer(&mut self, ask: &Ask) {
        let answer = answer::short(&ask.message, &mut self.dice);
        self.say(&answer);
    }

    fn race(&mut self, ask: &Ask) {
        (self.pause, self.gap) = (Duration::ZERO, RACING);
        let answer = answer::long(&ask.message, &mut self.dice);
        self.say(&answer);
    }

    fn think(&mut self, thought: &str) {
        self.pause = SILENT_THOUGHT;
        let micros = SPOKEN_THOUGHT_MICROS / tokens::count(thought).max(1) as u64;
        self.gap = (micros / 2, micros * 3 / 2);
        for piece in tokens::pieces(thought) {
            self.add(Step::Reasoning(piece.to_owned()));
        }
        self.gap = TALKING;
    }

    fn use_tools(&mut self, ask: &Ask) {
        if let Some(result) = &ask.tool_result {
            return self.say(&answer::about_tool_result(result, &ask.message));
        }
        if ask.tool_calls.is_empty() {
            return self.answer(ask);
        }
        for (index, ToolCall { id, name, arguments }) in ask.tool_calls.iter().enumerate() {
            self.add(Step::Call { index, id: id.clone(), name: name.clone() });
            for piece in tokens::pieces(arguments) {
                self.add(Step::Arguments { index, fragment: piece.to_owned() });
            }
        }
        self.finish(Finish::ToolCalls);
    }

    fn break_off(&mut self, ask: &Ask) {
        self.answer(ask);
        self.beats.truncate(TOKENS_BEFORE_CUT + 1);
        if let Some(Beat { step, .. }) = self.beats.last_mut()
            && let Step::Text(text) = step
        {
            *step = Step::Cut(std::mem::take(text));
        }
    }

    fn fall_silent(&mut self, ask: &Ask) {
        self.answer(ask);
        self.beats.truncate(TOKENS_BEFORE_HANG);
        self.beats.push(Beat { after: Duration::ZERO, step: Step::Hang });
    }

    /// Cuts the script at what the client is willing to pay for. Thoughts count, as they do with real models.
    fn limit(&mut self, limit: Option<usize>) {
        let Some(limit) = limit else { return };
        let mut spent = 0;
        let kept = self.beats.iter().position(|beat| {
            spent += usize::from(beat.step.is_token());
            spent > limit
        });
        if let Some(kept) = kept {
            self.beats.truncate(kept);
            self.finish(Finish::Length);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::request::example, *};

    fn script(model: &str, extra: Value) -> Script {
        write(&Ask::chat(&example(model, "hello", extra)).expect("a valid request"))
    }

    fn duration(beats: &[Beat]) -> f64 {
        beats.iter().map(|beat| beat.after).sum::<Duration>().as_secs_f64()
    }

    #[test]
    fn the_ordinary_model_talks_at_about_forty_tokens_a_second() {
        let Script { beats, usage } = script("demo", json!({}));
        assert!((0.225..0.275).contains(&beats[0].after.as_secs_f64()));
        let rate = (usage.completion_tokens - 1) as f64 / duration(&beats[1..]);
        assert!((36.0..44.0).contains(&rate), "{rate}");
        assert_eq!(beats.last().map(|beat| &beat.step), Some(&Step::Finish(Finish::Stop)));
    }

    #[test]
    fn the_fast_model_says_a_thousand_tokens_a_second() {
        let Script { beats, usage } = script("demo-fast", json!({}));
        assert!((1_400..1_900).contains(&usage.completion_tokens));
        let rate = usage.completion_tokens as f64 / duration(&beats);
        assert!((900.0..1_100.0).contains(&rate), "{rate}");
    }

    #[test]
    fn the_thinking_model_is_silent_for_eight_seconds_and_reasons_for_four() {
        let Script { beats, usage } = script("demo-thinking", json!({}));
        let thoughts = usage.completion_tokens_details.reasoning_tokens;
        assert!((8.0..8.1).contains(&beats[0].after.as_secs_f64()));
        assert!((3.6..4.4).contains(&duration(&beats[1..thoughts])));
        assert!(beats[..thoughts].iter().all(|beat| matches!(beat.step, Step::Reasoning(_))));
        assert!(usage.completion_tokens > thoughts);
    }

    #[test]
    fn the_flaky_model_breaks_off_and_the_stalling_one_falls_silent() {
        let beats = script("demo-flaky", json!({})).beats;
        assert_eq!(beats.len(), 16);
        assert!(matches!(beats[15].step, Step::Cut(_)));
        let beats = script("demo-stall", json!({})).beats;
        assert_eq!(beats.len(), 11);
        assert_eq!(beats[10].step, Step::Hang);
    }

    #[test]
    fn the_model_with_tools_calls_one_and_then_speaks_of_its_result() {
        let beats = script("demo-tools", json!({})).beats;
        assert!(matches!(beats[0].step, Step::Call { index: 0, .. }));
        assert_eq!(beats.last().map(|beat| &beat.step), Some(&Step::Finish(Finish::ToolCalls)));

        let history =
            json!({"messages": [{"role": "user", "content": "rain?"}, {"role": "tool", "content": "it rains"}]});
        let beats = script("demo-tools", history).beats;
        let texts = beats.iter().map(|beat| if let Step::Text(text) = &beat.step { text } else { "" });
        let said: String = texts.collect();
        assert!(said.contains("it rains") && said.contains("rain?"));
    }

    #[test]
    fn a_limit_ends_the_script_with_length_and_counts_thoughts() {
        for model in ["demo", "demo-thinking", "demo-tools", "demo-flaky"] {
            let Script { beats, usage } = script(model, json!({"max_tokens": 4}));
            assert_eq!(usage.completion_tokens, 4, "{model}");
            assert_eq!(beats.len(), 5);
            assert_eq!(beats[4].step, Step::Finish(Finish::Length));
        }
    }

    #[test]
    fn a_limit_that_is_not_reached_changes_nothing() {
        let whole = script("demo", json!({}));
        let exact = script("demo", json!({"max_tokens": whole.usage.completion_tokens}));
        assert_eq!(exact.beats.last().map(|beat| &beat.step), Some(&Step::Finish(Finish::Stop)));
    }

    #[test]
    fn the_same_request_gets_the_same_script() {
        assert_eq!(script("demo", json!({})).beats, script("demo", json!({})).beats);
    }
}
