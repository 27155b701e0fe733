//! What a client of Ollama asks of a server before it asks a model.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models>

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The version of Ollama whose interface is spoken here. Clients refuse servers that are older than what they need: the
/// GitHub Copilot extension of VS Code wants 0.6.4.
const VERSION: &str = "0.30.0";

/// What any model is said to be able to do, for it is not known: clients offer only what is named here, and who serves the
/// model says in its own words what it cannot. That it thinks is not said, for some clients would ask all models to think.
const CAPABILITIES: [&str; 3] = ["completion", "tools", "vision"];

/// When a model was changed that is not known to have been.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// The body of `GET /api/version`.
pub fn version() -> Value {
    json!({ "version": VERSION })
}

/// The body of `GET /api/ps`: no model takes memory here.
pub fn running() -> Value {
    json!({ "models": [] })
}

/// The body of `POST /api/show` for a model of which no more is known than its `id` and perhaps how many tokens fit into its
/// context. A client finds that number under a name made of that of the model's architecture.
pub fn show(id: &str, context_length: Option<u64>) -> Value {
    let mut info = json!({ "general.architecture": "unknown", "general.basename": id });
    if let Some(length) = context_length {
        info["unknown.context_length"] = length.into();
    }
    json!({
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": details(),
        "model_info": info,
        "capabilities": CAPABILITIES,
        "modified_at": EPOCH,
    })
}

/// A model in `GET /api/tags`.
pub(super) fn model_card(id: &str) -> Value {
    json!({
        "name": id,
        "model": id,
        "modified_at": EPOCH,
        "size": 0,
        "digest": digest_of(id),
        "details": details(),
    })
}

/// The body of `GET /api/tags`.
pub(super) fn model_list(models: &[Value]) -> Value {
    json!({ "models": models })
}

fn details() -> Value {
    json!({
        "parent_model": "",
        "format": "",
        "family": "",
        "families": [],
        "parameter_size": "",
        "quantization_level": "",
    })
}

/// Clients show the first twelve digits of a model's digest, and `ollama list` fails if there are none.
fn digest_of(id: &str) -> String {
    digest(&SHA256, id.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
