//! How the answer is to be made: `generationConfig`.

use serde_json::{Map, Value, json};

use super::model::Model;
use crate::canonical::{ChatRequest, Effort, Field, Losses, OutputFormat, Reasoning};

/// How many texts may end an answer.
const MAX_STOPS: usize = 5;

pub(super) fn write(request: &ChatRequest, model: Model<'_>, losses: &mut Losses<'_>) -> Option<Value> {
    let mut config = Map::new();
    let mut set = |name: &str, value: Option<Value>| drop(value.map(|value| config.insert(name.to_owned(), value)));
    let temperature = request.temperature.map(|temperature| {
        if temperature > 2.0 {
            losses.hint(Field::Temperature, "Gemini's ends at 2, which was sent");
        }
        temperature.min(2.0)
    });
    set("temperature", temperature.map(Value::from));
    set("topP", request.top_p.map(Value::from));
    set("topK", request.top_k.map(Value::from));
    set("maxOutputTokens", request.max_output_tokens.map(Value::from));
    let stops: Vec<&String> = request.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if stops.len() > MAX_STOPS {
        losses.meaning(Field::Stop, "Gemini takes five at most");
    }
    set("stopSequences", (!stops.is_empty()).then(|| json!(stops.get(..MAX_STOPS).unwrap_or(&stops))));
    let seed = request.seed.and_then(|seed| i32::try_from(seed).ok());
    if seed.is_none() && request.seed.is_some() {
        losses.meaning(Field::Seed, "Gemini's is a number of 32 bits");
    }
    set("seed", seed.map(Value::from));
    set("presencePenalty", request.presence_penalty.map(Value::from));
    set("frequencyPenalty", request.frequency_penalty.map(Value::from));
    set("responseLogprobs", request.logprobs.map(|_| Value::Bool(true)));
    set("logprobs", request.logprobs.filter(|count| *count > 0).map(Value::from));
    let is_json = !matches!(request.output, OutputFormat::Text);
    set("responseMimeType", is_json.then(|| "application/json".into()));
    if let OutputFormat::Schema { schema, description, .. } = &request.output {
        set("responseJsonSchema", Some(schema.clone()));
        if description.is_some() {
            losses.hint(Field::Output, "a Gemini schema has no description beside its own");
        }
    }
    if request.verbosity.as_deref().is_some_and(|verbosity| verbosity != "medium") {
        losses.hint(Field::Verbosity, "Gemini cannot be told how long an answer should be");
    }
    set("thinkingConfig", thinking(&request.reasoning, model, losses));
    (!config.is_empty()).then_some(Value::Object(config))
}

fn thinking(reasoning: &Reasoning, model: Model<'_>, losses: &mut Losses<'_>) -> Option<Value> {
    if reasoning.is_unset() || (reasoning.is_off() && !model.thinks()) {
        return None;
    }
    if !model.thinks() {
        losses.hint(Field::Reasoning, "this model does not think");
        return None;
    }
    let mut config = Map::new();
    if let Some(visible) = reasoning.visible {
        config.insert("includeThoughts".into(), visible.into());
    }
    if model.is_third() {
        // A model that is only told to think does so as it likes.
        let effort = reasoning.effort.is_some() || reasoning.budget_tokens.is_some() || reasoning.is_off();
        if let Some(effort) = reasoning.as_effort().filter(|_| effort) {
            config.insert("thinkingLevel".into(), level(effort, model, losses).into());
        }
    } else if let Some(budget) = budget(reasoning, model, losses) {
        config.insert("thinkingBudget".into(), budget.into());
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

fn level(effort: Effort, model: Model<'_>, losses: &mut Losses<'_>) -> &'static str {
    if effort == Effort::None {
        losses.hint(Field::Reasoning, "this model always thinks; it was asked to think as little as it can");
    }
    match effort {
        Effort::None | Effort::Minimal if model.has_minimal_level() => "MINIMAL",
        Effort::None | Effort::Minimal | Effort::Low => "LOW",
        Effort::Medium if !model.has_two_levels() => "MEDIUM",
        Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => "HIGH",
    }
}

/// <https://ai.google.dev/gemini-api/docs/thinking#set-budget>: each model has its bounds, and -1 is as it likes.
fn budget(reasoning: &Reasoning, model: Model<'_>, losses: &mut Losses<'_>) -> Option<i64> {
    if reasoning.is_off() && !model.is_pro() {
        return Some(0);
    }
    let Some(budget) = reasoning.budget_tokens.or_else(|| reasoning.effort.map(Effort::budget)) else {
        return match reasoning.enabled? {
            true => Some(-1),
            false => bounded(0, model, losses),
        };
    };
    bounded(budget, model, losses)
}

fn bounded(budget: u64, model: Model<'_>, losses: &mut Losses<'_>) -> Option<i64> {
    let (least, most) = match model {
        _ if model.is_pro() => (128, 32_768),
        _ if model.is_lite() => (512, 24_576),
        _ => (1, 24_576),
    };
    let bounded = budget.clamp(least, most);
    if bounded != budget {
        losses.hint(Field::Reasoning, format!("this model thinks for {least} to {most} tokens; {bounded} were sent"));
    }
    i64::try_from(bounded).ok()
}
