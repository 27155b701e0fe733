//! Connections over which many responses are asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// `[websocket]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocket {
    /// How long a connection takes requests.
    #[serde(with = "units::duration")]
    pub max_age: Duration,
    /// Streams of one connection with a response running or waiting.
    pub max_streams: usize,
    /// Responses of one connection that wait behind another of their stream.
    pub max_queued: usize,
    /// What is kept of one connection's last responses, in bytes.
    #[serde(with = "units::bytes")]
    pub max_history_bytes: usize,
}
