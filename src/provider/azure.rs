//! OpenAI's models in Azure. <https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle>
//!
//! Its `base_url` is that of one's own resource: `https://RESOURCE.openai.azure.com/openai/v1`. A model's name is that of its
//! deployment.

use super::Provider;
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "azure-openai",
    dialects: &[&OpenAiChat],
    base_url: None,
    api_key_variable: Some("AZURE_OPENAI_API_KEY"),
    key_header: Some("api-key"),
    quirks: Quirks {
        chat: ChatQuirks { user: Some("user"), ..ChatQuirks::OPENAI },
        stores_responses: true,
        ..Quirks::NONE
    },
};
