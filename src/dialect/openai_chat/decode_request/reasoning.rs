//! How much to think: OpenAI has one word for it, and everybody else another field.

use super::note_hints;
use crate::canonical::{Effort, Reasoning};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

pub(super) fn read(fields: &mut Fields, notes: &mut Notes) -> Result<Reasoning, Malformed> {
    let mut reasoning = Reasoning { effort: effort(fields, "reasoning_effort")?, ..Reasoning::default() };
    // OpenRouter's.
    if let Some(mut object) = fields.object("reasoning")? {
        reasoning.effort = reasoning.effort.or(effort(&mut object, "effort")?);
        reasoning.budget_tokens = object.count("max_tokens")?;
        reasoning.enabled = object.boolean("enabled")?;
        reasoning.visible = object.boolean("exclude")?.map(|exclude| !exclude);
        note_hints(&object, notes);
    }
    // vLLM's, Groq's and OpenRouter's elder.
    reasoning.visible = reasoning.visible.or(fields.boolean("include_reasoning")?);
    // DeepSeek's and Z.ai's.
    if let Some(mut thinking) = fields.object("thinking")? {
        reasoning.enabled = reasoning.enabled.or(match thinking.string("type")?.as_deref() {
            Some("disabled") => Some(false),
            Some("enabled" | "adaptive") => Some(true),
            _ => return Err(thinking.wrong("type", "\"enabled\" or \"disabled\"")),
        });
        reasoning.budget_tokens = reasoning.budget_tokens.or(thinking.count("budget_tokens")?);
        note_hints(&thinking, notes);
    }
    // Qwen's, and what vLLM and llama.cpp hand to a model's template.
    reasoning.enabled = reasoning.enabled.or(fields.boolean("enable_thinking")?);
    if let Some(mut template) = fields.object("chat_template_kwargs")? {
        let switch = template.boolean("enable_thinking")?.or(template.boolean("thinking")?);
        reasoning.enabled = reasoning.enabled.or(switch);
        notes.rest(&template, &[]);
    }
    Ok(reasoning)
}

fn effort(fields: &mut Fields, name: &'static str) -> Result<Option<Effort>, Malformed> {
    match fields.string(name)?.as_deref() {
        // Groq's word for saying nothing.
        None | Some("default") => Ok(None),
        Some(word) => Effort::parse(word).map(Some).ok_or_else(|| {
            fields.wrong(name, "\"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"")
        }),
    }
}
