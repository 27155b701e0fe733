//! Reads `options`: how a model is run and how its tokens are chosen.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx#valid-parameters-and-values>

use serde_json::Value;

use super::fields::Fields;
use crate::canonical::{ChatRequest, Unmapped, Weight};
use crate::dialect::Malformed;

/// How much of a machine a model takes. They say nothing to someone who runs it on his own.
const SIZES: [&str; 15] = [
    "num_ctx",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "num_thread",
    "num_keep",
    "draft_num_predict",
    "numa",
    "low_vram",
    "f16_kv",
    "logits_all",
    "vocab_only",
    "use_mmap",
    "use_mlock",
    "embedding_only",
];

/// Ways to choose tokens that others have not: their names, the values that change nothing, and what has a meaning only beside
/// them.
const SAMPLERS: [(&str, &[f64], &[&str]); 5] = [
    ("min_p", &[0.0], &[]),
    ("typical_p", &[1.0], &[]),
    ("tfs_z", &[1.0], &[]),
    // The default has been 1.1.
    ("repeat_penalty", &[1.0, 1.1], &["repeat_last_n", "penalize_newline"]),
    ("mirostat", &[0.0], &["mirostat_tau", "mirostat_eta"]),
];

pub(super) fn decode(options: Value, request: &mut ChatRequest, unmapped: &mut Vec<Unmapped>) -> Result<(), Malformed> {
    let mut options = Fields::of(options, "options", "options")?;
    // Ollama counts -1 as no limit and -2 as that of the context; the least that it counts is 1.
    let positive =
        |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    request.max_output_tokens = positive(options.integer("num_predict")?);
    request.temperature = options.number("temperature")?;
    request.top_p = options.number("top_p")?;
    // 0 is all of them.
    request.top_k = positive(options.integer("top_k")?);
    // -1 is any.
    request.seed = options.integer("seed")?.filter(|seed| *seed >= 0);
    // No penalty is what all have who say nothing of it.
    request.presence_penalty = options.number("presence_penalty")?.filter(|penalty| *penalty != 0.0);
    request.frequency_penalty = options.number("frequency_penalty")?.filter(|penalty| *penalty != 0.0);
    request.stop = stop(&mut options)?;
    samplers(&mut options, unmapped);
    for name in SIZES {
        if options.take(name).is_some() {
            unmapped.push(Unmapped { param: options.path(name), weight: Weight::Hint });
        }
    }
    options.leave(unmapped);
    Ok(())
}

fn stop(options: &mut Fields) -> Result<Vec<String>, Malformed> {
    let list = match options.take("stop") {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(text) => vec![text],
    };
    let texts = list.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        _ => Err(options.malformed("stop", "an array of strings")),
    });
    texts.filter(|text| text.as_ref().map_or(true, |text| !text.is_empty())).collect()
}

fn samplers(options: &mut Fields, unmapped: &mut Vec<Unmapped>) {
    for (name, neutral, companions) in SAMPLERS {
        let value = options.take(name);
        let is_used = value.is_some_and(|value| value.as_f64().is_none_or(|value| !neutral.contains(&value)));
        let weight = if is_used { Weight::Meaning } else { Weight::Hint };
        if is_used {
            unmapped.push(Unmapped { param: options.path(name), weight });
        }
        for companion in companions {
            if options.take(companion).is_some() {
                unmapped.push(Unmapped { param: options.path(companion), weight });
            }
        }
    }
}
