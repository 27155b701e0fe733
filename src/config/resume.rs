//! Streams that outlive the connection they were asked over.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// `[resume]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Which streams can be resumed.
    pub mode: Mode,
    /// What becomes of one that nobody reads, where the request does not say.
    pub on_disconnect: OnDisconnect,
    /// What a request may say.
    pub on_disconnect_allowed: Vec<OnDisconnect>,
    /// How long `grace` waits for a reader.
    #[serde(with = "units::duration")]
    pub grace: Duration,
    /// How long `drain` goes on without a reader.
    #[serde(with = "units::duration")]
    pub drain_limit: Duration,
    /// How long any of them may run.
    #[serde(with = "units::duration")]
    pub max_age: Duration,
    /// How long one that has ended is kept for those who come back.
    #[serde(with = "units::duration")]
    pub keep_finished: Duration,
    /// How long the token in the URL of a stream lets readers in while there are none.
    #[serde(with = "units::duration")]
    pub token_lifetime: Duration,
    /// After how long `EventSource` is to come back.
    #[serde(with = "units::duration")]
    pub retry: Duration,
    /// What is kept of one stream, in bytes.
    #[serde(with = "units::bytes")]
    pub max_stream_bytes: usize,
    /// What is kept of all streams of one caller, in bytes.
    #[serde(with = "units::bytes")]
    pub max_caller_bytes: usize,
    /// What is kept of all streams, in bytes.
    #[serde(with = "units::bytes")]
    pub max_total_bytes: usize,
    /// Streams of one caller at a time.
    pub max_caller_streams: usize,
    /// Streams at a time.
    pub max_total_streams: usize,
}

/// Which streams can be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// None.
    Off,
    /// Those whose request asks for it, and those of models that are marked.
    OnRequest,
    /// All whose request does not ask for the contrary, and whose clients understand ids.
    Always,
}

/// What becomes of a stream that nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDisconnect {
    /// It is stopped at once.
    Cancel,
    /// It is stopped if nobody comes back for a while.
    Grace,
    /// It goes on to its end, within a limit.
    Drain,
    /// It goes on to its end, as long as any stream may run.
    Detach,
}

impl OnDisconnect {
    const ALL: [Self; 4] = [Self::Cancel, Self::Grace, Self::Drain, Self::Detach];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Grace => "grace",
            Self::Drain => "drain",
            Self::Detach => "detach",
        }
    }
}

impl FromStr for OnDisconnect {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or(())
    }
}

impl fmt::Display for OnDisconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Resume {
    /// How long a stream goes on that nobody reads; `None` for as long as it may run.
    pub fn patience(&self, policy: OnDisconnect) -> Option<Duration> {
        match policy {
            OnDisconnect::Cancel => Some(Duration::ZERO),
            OnDisconnect::Grace => Some(self.grace),
            OnDisconnect::Drain => Some(self.drain_limit),
            OnDisconnect::Detach => None,
        }
    }
}
