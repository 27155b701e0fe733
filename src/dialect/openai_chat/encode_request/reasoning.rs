//! How much to think, as the provider wants to be told.

use serde_json::{Map, Value, json};

use crate::canonical::{Effort, Field, Losses, Reasoning};
use crate::dialect::Recipient;
use crate::dialect::quirks::ReasoningStyle;

pub(super) fn encode(
    reasoning: &Reasoning,
    to: &Recipient<'_>,
    losses: &mut Losses<'_>,
    body: &mut Map<String, Value>,
) {
    if reasoning.is_unset() {
        return;
    }
    let effort = reasoning.as_effort();
    let is_off = effort == Some(Effort::None);
    match to.quirks.chat.reasoning {
        ReasoningStyle::Object => return object(reasoning, body),
        ReasoningStyle::Effort(words) => word(effort, words, losses, body),
        ReasoningStyle::Thinking => {
            if let Some(effort) = effort {
                let switch = if is_off { "disabled" } else { "enabled" };
                body.insert("thinking".to_owned(), json!({ "type": switch }));
                word(Some(effort).filter(|_| !is_off && says_how_much(reasoning)), &[], losses, body);
            }
        }
        ReasoningStyle::Template => {
            if let Some(effort) = effort {
                // Templates call the switch one or the other.
                let switches = json!({ "enable_thinking": !is_off, "thinking": !is_off });
                body.insert("chat_template_kwargs".to_owned(), switches);
                word(Some(effort).filter(|_| !is_off && says_how_much(reasoning)), &[], losses, body);
            }
        }
    }
    if reasoning.budget_tokens.is_some() && reasoning.effort.is_none() && !is_off {
        losses.hint(Field::Reasoning, "the model's provider takes no number of tokens; it is told the nearest word");
    }
    match reasoning.visible {
        Some(true) if to.quirks.chat.custom_tools => {
            losses.hint(Field::Reasoning, "OpenAI tells no thoughts in Chat Completions");
        }
        Some(false) => losses.hint(Field::Reasoning, "the model's provider cannot be told to keep thoughts to itself"),
        _ => {}
    }
}

/// Whether more is said than that there should be thoughts.
fn says_how_much(reasoning: &Reasoning) -> bool {
    reasoning.effort.is_some() || reasoning.budget_tokens.is_some()
}

/// The effort as one of `known` words, if there are any.
fn word(effort: Option<Effort>, known: &[Effort], losses: &mut Losses<'_>, body: &mut Map<String, Value>) {
    let Some(wanted) = effort else { return };
    let told = nearest(wanted, known);
    if told != wanted {
        let why =
            format!("the model's provider knows no effort \"{}\"; it is told \"{}\"", wanted.as_str(), told.as_str());
        losses.hint(Field::Reasoning, why);
    }
    body.insert("reasoning_effort".to_owned(), told.as_str().into());
}

/// The next higher of `known`, else the highest. Only who wants none gets none.
fn nearest(wanted: Effort, known: &[Effort]) -> Effort {
    let next = known.iter().copied().filter(|effort| *effort >= wanted).min();
    next.or_else(|| known.iter().copied().max()).unwrap_or(wanted)
}

/// <https://openrouter.ai/docs/use-cases/reasoning-tokens#controlling-reasoning-tokens>: an effort or a number, not both.
fn object(reasoning: &Reasoning, body: &mut Map<String, Value>) {
    let mut object = Map::new();
    if reasoning.is_off() {
        object.insert("enabled".to_owned(), false.into());
    } else if let Some(tokens) = reasoning.budget_tokens {
        object.insert("max_tokens".to_owned(), tokens.into());
    } else if let Some(effort) = reasoning.effort {
        // It has no word for more.
        object.insert("effort".to_owned(), effort.min(Effort::XHigh).as_str().into());
    } else if let Some(enabled) = reasoning.enabled {
        object.insert("enabled".to_owned(), enabled.into());
    }
    if let Some(visible) = reasoning.visible {
        object.insert("exclude".to_owned(), (!visible).into());
    }
    body.insert("reasoning".to_owned(), object.into());
}
