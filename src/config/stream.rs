//! What a stream may take: time by phase, and size.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// `[stream]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// How long the response head is held for a first frame.
    #[serde(with = "units::duration")]
    pub commit_after: Duration,
    /// Silence after which a keep-alive comment goes out.
    #[serde(with = "units::optional_duration")]
    pub keep_alive: Option<Duration>,
    /// To the upstream, TLS included.
    #[serde(with = "units::duration")]
    pub connect_timeout: Duration,
    /// From the request to the upstream's response headers, for a request that streams.
    #[serde(with = "units::duration")]
    pub headers_timeout: Duration,
    /// From the request to the upstream's response headers, for one that does not.
    #[serde(with = "units::duration")]
    pub response_timeout: Duration,
    /// From the request to the first content.
    #[serde(with = "units::duration")]
    pub first_token_timeout: Duration,
    /// Between two pieces of an upstream's answer, once it has begun to speak.
    #[serde(with = "units::duration")]
    pub idle_timeout: Duration,
    /// The least that an upstream must say while it is waited for, in bytes per second, once it has begun to speak.
    #[serde(with = "units::optional_rate")]
    pub min_rate: Option<u32>,
    /// Over how long a wait that is measured.
    #[serde(with = "units::duration")]
    pub min_rate_window: Duration,
    /// For a whole stream.
    #[serde(with = "units::optional_duration")]
    pub total_timeout: Option<Duration>,
    /// Size of one upstream event, in bytes.
    #[serde(with = "units::bytes")]
    pub max_frame_bytes: usize,
    /// Size of an upstream's answer that does not stream, in bytes.
    #[serde(with = "units::bytes")]
    pub max_response_bytes: usize,
    /// How often one answer is given to another target to go on with, where the target's provider says how.
    pub max_switches: u32,
    /// Size of the text of an answer that is kept for that, in bytes.
    #[serde(with = "units::bytes")]
    pub max_continued_bytes: usize,
}
