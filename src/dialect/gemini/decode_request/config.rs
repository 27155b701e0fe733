//! How the answer is to be made: `generationConfig`.

use serde_json::Value;

use super::super::fields::Fields;
use super::super::schema;
use crate::canonical::{ChatRequest, Effort, OutputFormat, Unmapped, Weight};
use crate::dialect::Malformed;

pub(super) fn decode(mut config: Fields, request: &mut ChatRequest) -> Result<(), Malformed> {
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.count("topK")?;
    request.max_output_tokens = config.count("maxOutputTokens")?;
    request.stop = config.strings("stopSequences")?.unwrap_or_default();
    request.seed = config.integer("seed")?;
    request.presence_penalty = config.number("presencePenalty")?;
    request.frequency_penalty = config.number("frequencyPenalty")?;
    let alternatives = config.count("logprobs")?.unwrap_or(0);
    if config.boolean("responseLogprobs")? == Some(true) {
        request.logprobs = Some(u32::try_from(alternatives).unwrap_or(u32::MAX));
    }
    if let Some(thinking) = config.object("thinkingConfig")? {
        reasoning(thinking, request)?;
    }
    output(&mut config, request)?;
    if config.count("candidateCount")?.is_some_and(|count| count > 1) {
        request.unmapped.push(meaning(config.path_of("candidateCount")));
    }
    let is_text = |modality: &String| matches!(&**modality, "TEXT" | "MODALITY_UNSPECIFIED");
    if config.strings("responseModalities")?.is_some_and(|modalities| !modalities.iter().all(is_text)) {
        request.unmapped.push(meaning(config.path_of("responseModalities")));
    }
    config.take_hint("mediaResolution", &mut request.unmapped);
    config.note_rest(&mut request.unmapped);
    Ok(())
}

fn meaning(param: String) -> Unmapped {
    Unmapped { param, weight: Weight::Meaning }
}

/// A budget of -1 lets the model decide how much it thinks.
fn reasoning(mut thinking: Fields, request: &mut ChatRequest) -> Result<(), Malformed> {
    let reasoning = &mut request.reasoning;
    reasoning.visible = thinking.boolean("includeThoughts")?;
    match thinking.integer("thinkingBudget")? {
        Some(budget) if budget < 0 => reasoning.enabled = Some(true),
        budget => reasoning.budget_tokens = budget.and_then(|budget| u64::try_from(budget).ok()),
    }
    if let Some(level) = thinking.string("thinkingLevel")?
        && level != "THINKING_LEVEL_UNSPECIFIED"
    {
        reasoning.effort = Effort::parse(&level.to_ascii_lowercase());
        if reasoning.effort.is_none() {
            let path = thinking.path_of("thinkingLevel");
            let message = format!("`{path}` must be MINIMAL, LOW, MEDIUM, HIGH or XHIGH.");
            return Err(Malformed { message, param: Some("generationConfig") });
        }
    }
    thinking.note_rest(&mut request.unmapped);
    Ok(())
}

fn output(config: &mut Fields, request: &mut ChatRequest) -> Result<(), Malformed> {
    let own = config.take("responseSchema").map(schema::to_json_schema);
    let schema = config.take("responseJsonSchema").or(own).filter(Value::is_object);
    let kind = config.string("responseMimeType")?;
    request.output = match (kind.as_deref(), schema) {
        (None | Some("application/json"), Some(schema)) => {
            OutputFormat::Schema { name: None, description: None, schema, strict: None }
        }
        (Some("application/json"), None) => OutputFormat::Json,
        (None | Some("" | "text/plain"), _) => OutputFormat::Text,
        (Some(_), _) => {
            request.unmapped.push(meaning(config.path_of("responseMimeType")));
            OutputFormat::Text
        }
    };
    Ok(())
}
