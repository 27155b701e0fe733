//! How the answer is to be made: `generationConfig`.

use serde_json::Value;

use super::super::schema;
use crate::canonical::{ChatRequest, Effort, OutputFormat};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

pub(super) fn decode(mut config: Fields, request: &mut ChatRequest, notes: &mut Notes) -> Result<(), Malformed> {
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.count("topK")?;
    request.max_output_tokens = config.count("maxOutputTokens")?;
    request.stop = config.strings("stopSequences")?;
    request.seed = config.integer("seed")?;
    request.presence_penalty = config.number("presencePenalty")?;
    request.frequency_penalty = config.number("frequencyPenalty")?;
    let alternatives = config.count("logprobs")?.unwrap_or(0);
    if config.boolean("responseLogprobs")? == Some(true) {
        request.logprobs = Some(u32::try_from(alternatives).unwrap_or(u32::MAX));
    }
    if let Some(thinking) = config.object("thinkingConfig")? {
        reasoning(thinking, request, notes)?;
    }
    request.output = output(&mut config, notes)?;
    if config.count("candidateCount")?.is_some_and(|count| count > 1) {
        notes.meaning(config.path_of("candidateCount"));
    }
    let is_text = |modality: &String| matches!(&**modality, "TEXT" | "MODALITY_UNSPECIFIED");
    if !config.strings("responseModalities")?.iter().all(is_text) {
        notes.meaning(config.path_of("responseModalities"));
    }
    config.take_hint("mediaResolution", notes);
    notes.rest(&config, &[]);
    Ok(())
}

/// A budget of -1 lets the model decide how much it thinks.
fn reasoning(mut thinking: Fields, request: &mut ChatRequest, notes: &mut Notes) -> Result<(), Malformed> {
    let reasoning = &mut request.reasoning;
    reasoning.visible = thinking.boolean("includeThoughts")?;
    match thinking.integer("thinkingBudget")? {
        Some(budget) if budget < 0 => reasoning.enabled = Some(true),
        budget => reasoning.budget_tokens = budget.and_then(|budget| u64::try_from(budget).ok()),
    }
    if let Some(level) = thinking.string("thinkingLevel")?
        && level != "THINKING_LEVEL_UNSPECIFIED"
    {
        let effort = Effort::parse(&level.to_ascii_lowercase());
        let words = "MINIMAL, LOW, MEDIUM, HIGH or XHIGH";
        reasoning.effort = Some(effort.ok_or_else(|| thinking.wrong("thinkingLevel", words))?);
    }
    notes.rest(&thinking, &[]);
    Ok(())
}

fn output(config: &mut Fields, notes: &mut Notes) -> Result<OutputFormat, Malformed> {
    let own = config.take("responseSchema").map(schema::to_json_schema);
    let schema = config.take("responseJsonSchema").or(own).filter(Value::is_object);
    let kind = config.string("responseMimeType")?;
    Ok(match (kind.as_deref(), schema) {
        (None | Some("application/json"), Some(schema)) => {
            OutputFormat::Schema { name: None, description: None, schema, strict: None }
        }
        (Some("application/json"), None) => OutputFormat::Json,
        (None | Some("" | "text/plain"), _) => OutputFormat::Text,
        (Some(_), _) => {
            notes.meaning(config.path_of("responseMimeType"));
            OutputFormat::Text
        }
    })
}
