//! Reads `options`: how a model is run and how its tokens are chosen.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx#valid-parameters-and-values>

use crate::canonical::{ChatRequest, Weight};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

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

pub(super) fn decode(mut options: Fields, request: &mut ChatRequest, notes: &mut Notes) -> Result<(), Malformed> {
    // Ollama counts -1 as no limit and -2 as that of the context; the least that it counts is 1.
    let positive =
        |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    request.max_output_tokens = positive(integer(&mut options, "num_predict")?);
    request.temperature = options.number("temperature")?;
    request.top_p = options.number("top_p")?;
    // 0 is all of them.
    request.top_k = positive(integer(&mut options, "top_k")?);
    // -1 is any.
    request.seed = integer(&mut options, "seed")?.filter(|seed| *seed >= 0);
    // No penalty is what all have who say nothing of it.
    request.presence_penalty = options.number("presence_penalty")?.filter(|penalty| *penalty != 0.0);
    request.frequency_penalty = options.number("frequency_penalty")?.filter(|penalty| *penalty != 0.0);
    request.stop = options.string_or_strings("stop")?;
    request.stop.retain(|text| !text.is_empty());
    samplers(&mut options, notes);
    for name in SIZES {
        if options.take(name).is_some() {
            notes.hint(options.path_of(name));
        }
    }
    notes.rest(&options, &[]);
    Ok(())
}

/// An integer. Of other numbers Ollama, too, takes what is before the point.
pub(super) fn integer(fields: &mut Fields, name: &'static str) -> Result<Option<i64>, Malformed> {
    #[expect(clippy::cast_possible_truncation, reason = "it is what is wanted")]
    let truncated = |number: f64| number as i64;
    fields.read(name, "a whole number", |value| value.as_i64().or_else(|| value.as_f64().map(truncated)))
}

fn samplers(options: &mut Fields, notes: &mut Notes) {
    for (name, neutral, companions) in SAMPLERS {
        let value = options.take(name);
        let is_used = value.is_some_and(|value| value.as_f64().is_none_or(|value| !neutral.contains(&value)));
        let weight = if is_used { Weight::Meaning } else { Weight::Hint };
        if is_used {
            notes.add(options.path_of(name), weight);
        }
        for companion in companions {
            if options.take(companion).is_some() {
                notes.add(options.path_of(companion), weight);
            }
        }
    }
}
