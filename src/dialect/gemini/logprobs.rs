//! How likely tokens were.
//!
//! <https://ai.google.dev/api/generate-content#LogprobsResult>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::canonical::Logprob;
use crate::dialect::json::write_json;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Logprobs {
    chosen_candidates: Vec<Token>,
    top_candidates: Vec<Top>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Token {
    token: String,
    log_probability: f64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Top {
    candidates: Vec<Token>,
}

/// What a `logprobsResult` tells.
pub(super) fn read(result: &RawValue) -> Vec<Logprob> {
    let told: Logprobs = serde_json::from_str(result.get()).unwrap_or_default();
    let mut tops = told.top_candidates.into_iter();
    let plain = |token: Token| Logprob {
        bytes: Some(token.token.clone().into_bytes()),
        token: token.token,
        logprob: token.log_probability,
        top: Vec::new(),
    };
    let tokens = told.chosen_candidates.into_iter();
    tokens
        .map(|token| {
            let top = tops.next().unwrap_or_default().candidates;
            Logprob { top: top.into_iter().map(plain).collect(), ..plain(token) }
        })
        .collect()
}

/// The `logprobsResult` that tells `logprobs`.
pub(super) fn write(logprobs: &[Logprob], out: &mut Vec<u8>) {
    let token = |logprob: &Logprob| Token { token: logprob.token.clone(), log_probability: logprob.logprob };
    let result = Logprobs {
        chosen_candidates: logprobs.iter().map(token).collect(),
        top_candidates: logprobs
            .iter()
            .map(|logprob| Top { candidates: logprob.top.iter().map(token).collect() })
            .collect(),
    };
    write_json(&result, out);
}
