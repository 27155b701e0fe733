//! The models on offer, and how each of them behaves.

use serde_json::{Value, json};

/// One model of the demo upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// The name a request gives in its `model` field.
    pub id: &'static str,
    /// What the model shows, in one sentence.
    pub description: &'static str,
    pub(super) behaviour: Behaviour,
}

/// What a model does when it is asked something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Talks,
    Races,
    Thinks,
    CallsTools,
    BreaksOff,
    FallsSilent,
    Refuses,
}

/// Every model the demo upstream knows, the most useful first.
pub const MODELS: &[Model] = &[
    Model {
        id: "demo",
        description: "Talks at a believable pace and answers in the language it is asked in.",
        behaviour: Behaviour::Talks,
    },
    Model {
        id: "demo-fast",
        description: "Streams a long text at about a thousand tokens a second.",
        behaviour: Behaviour::Races,
    },
    Model {
        id: "demo-thinking",
        description: "Is silent for eight seconds, reasons for four, then answers.",
        behaviour: Behaviour::Thinks,
    },
    Model {
        id: "demo-tools",
        description: "Calls the tools it is given and talks about their results.",
        behaviour: Behaviour::CallsTools,
    },
    Model {
        id: "demo-flaky",
        description: "Loses its connection in the middle of an event after fifteen tokens.",
        behaviour: Behaviour::BreaksOff,
    },
    Model {
        id: "demo-stall",
        description: "Falls silent for ever after ten tokens and keeps the connection open.",
        behaviour: Behaviour::FallsSilent,
    },
    Model {
        id: "demo-error",
        description: "Refuses every request with status 429 and asks for seven seconds of patience.",
        behaviour: Behaviour::Refuses,
    },
];

impl Model {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == id)
    }

    /// The model as `GET /v1/models/{id}` shows it.
    pub(super) fn card(&self) -> Value {
        // A fixed birthday: clients only sort by it, and a list that changed on every call would say something untrue.
        json!({"id": self.id, "object": "model", "created": 1_763_769_600, "owned_by": "demo"})
    }
}

/// The answer to `GET /v1/models`.
pub(super) fn list() -> Value {
    let cards: Vec<Value> = MODELS.iter().map(Model::card).collect();
    json!({"object": "list", "data": cards})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_found_by_its_id_and_described_in_one_sentence() {
        for model in MODELS {
            assert_eq!(Model::find(model.id), Some(model));
            assert!(model.description.ends_with('.'), "{}", model.id);
            assert_eq!(model.description.matches('.').count(), 1, "{}", model.id);
        }
    }

    #[test]
    fn an_unknown_id_finds_nothing() {
        assert_eq!(Model::find("gpt-4o"), None);
        assert_eq!(Model::find(""), None);
    }

    #[test]
    fn the_list_has_one_card_per_model() {
        let list = list();
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"].as_array().map(Vec::len), Some(MODELS.len()));
        assert_eq!(list["data"][0]["id"], "demo");
    }
}
