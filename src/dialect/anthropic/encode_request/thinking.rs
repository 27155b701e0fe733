//! Writes how much a model is to think.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/extended-thinking>

use serde_json::{Value, json};

use super::generation::Generation;
use super::messages::Conversation;
use crate::canonical::{ChatRequest, Effort, Field, Losses, Reasoning};

/// The least that a model can be given to think.
const MIN_BUDGET: u64 = 1024;

/// What is said about it.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    pub(super) config: Option<Value>,
    pub(super) effort: Option<&'static str>,
    pub(super) is_on: bool,
}

pub(super) fn encode(
    request: &ChatRequest,
    generation: Generation,
    max_tokens: u64,
    conversation: &Conversation,
    is_forced: bool,
    losses: &mut Losses<'_>,
) -> Thinking {
    let reasoning = &request.reasoning;
    let is_wanted = reasoning.as_effort().is_some_and(|effort| effort != Effort::None);
    if !is_wanted {
        return without(reasoning, generation, losses);
    }
    let obstacle = if !generation.can_think() {
        Some("this model does not think")
    } else if is_forced {
        Some("Anthropic's models cannot think when they must call a tool")
    } else if generation.thinks_adaptively() {
        None
    } else if !conversation.shows_its_thoughts() {
        Some("the thoughts that led to the last calls are not there, and without them a model cannot think on")
    } else {
        (max_tokens <= MIN_BUDGET).then_some("the limit of tokens leaves no room to think")
    };
    if let Some(why) = obstacle {
        losses.hint(Field::Reasoning, why);
        return Thinking::default();
    }
    if generation.thinks_adaptively() {
        adaptive(reasoning, generation, losses)
    } else {
        budgeted(reasoning, generation, max_tokens, losses)
    }
}

/// The client wants no thoughts, or says nothing about it.
fn without(reasoning: &Reasoning, generation: Generation, losses: &mut Losses<'_>) -> Thinking {
    if !reasoning.is_off() || !generation.can_think() {
        return Thinking::default();
    }
    if generation.always_thinks() {
        losses.hint(Field::Reasoning, "this model always thinks; it is asked to think little");
        return Thinking { effort: Some("low"), ..Thinking::default() };
    }
    Thinking { config: Some(json!({ "type": "disabled" })), ..Thinking::default() }
}

fn adaptive(reasoning: &Reasoning, generation: Generation, losses: &mut Losses<'_>) -> Thinking {
    let stated = reasoning.effort.or_else(|| reasoning.budget_tokens.map(Effort::of_budget));
    let effort = stated.map(|effort| match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::XHigh if !generation.knows_xhigh() => "high",
        _ => effort.as_str(),
    });
    if reasoning.effort.is_none() && reasoning.budget_tokens.is_some() {
        losses.hint(Field::Reasoning, "this model has no budget for its thoughts; an effort is asked for");
    }
    let mut config = json!({ "type": "adaptive" });
    display(reasoning, generation, &mut config);
    Thinking { config: Some(config), effort, is_on: true }
}

/// A budget must be less than the limit of all tokens, and ought to leave something for the answer.
fn budgeted(reasoning: &Reasoning, generation: Generation, max_tokens: u64, losses: &mut Losses<'_>) -> Thinking {
    let asked = reasoning.as_budget().unwrap_or(MIN_BUDGET);
    let budget = if asked >= max_tokens { max_tokens - max_tokens / 4 } else { asked }.max(MIN_BUDGET);
    if reasoning.budget_tokens.is_some_and(|asked| asked != budget) {
        losses.hint(
            Field::Reasoning,
            format!("a budget must be at least {MIN_BUDGET} and less than the limit of tokens"),
        );
    }
    let mut config = json!({ "type": "enabled", "budget_tokens": budget });
    display(reasoning, generation, &mut config);
    Thinking { config: Some(config), effort: None, is_on: true }
}

/// Whether thoughts are to be told. Only Anthropic knows the word.
fn display(reasoning: &Reasoning, generation: Generation, config: &mut Value) {
    if let Some(visible) = reasoning.visible.filter(|_| generation.is_claude()) {
        config["display"] = if visible { "summarized" } else { "omitted" }.into();
    }
}
