//! How requests are put into other dialects.

use serde::{Deserialize, Serialize};

/// `[translation]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Translation {
    /// Whether a request is sent also without what cannot be said in the provider's dialect and would change the answer.
    pub lenient: bool,
}
