//! What is done about upstreams that fail: how often others are asked, when a target is avoided, who waits for one that is full.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// `[retry]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Attempts per request, the first included.
    pub max_attempts: NonZeroU32,
    /// No attempt but the first begins later than this after the request came.
    #[serde(with = "units::optional_duration")]
    pub deadline: Option<Duration>,
    /// The wait before a target is asked a second time; it doubles each time, and up to half of it is left to chance.
    #[serde(with = "units::duration")]
    pub backoff: Duration,
    /// The longest such wait. Where an upstream asks for a longer one, it is not asked again.
    #[serde(with = "units::duration")]
    pub max_backoff: Duration,
    /// Attempts at targets that have failed, in percent of all requests of the process.
    #[serde(deserialize_with = "units::percent")]
    pub budget_percent: u32,
    /// Whether a target is asked again when it may have done what it was asked.
    pub after_sent: bool,
}

/// `[health]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Failures in a row after which a target is avoided.
    pub failures: NonZeroU32,
    /// Percentage of failures at which it is, too.
    #[serde(deserialize_with = "units::percent")]
    pub failure_percent: u32,
    /// How many attempts that percentage needs.
    pub min_requests: u32,
    /// Within what time these are counted.
    #[serde(with = "units::duration")]
    pub window: Duration,
    /// How long it is avoided; twice as long each time that it fails again.
    #[serde(with = "units::duration")]
    pub cool_down: Duration,
    /// How long at most.
    #[serde(with = "units::duration")]
    pub max_cool_down: Duration,
    /// How often providers are asked whether they are there.
    #[serde(with = "units::optional_duration")]
    pub probe_interval: Option<Duration>,
}

/// `[queue]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Requests that wait for a place at a target at a time.
    pub max_queue: usize,
    /// How long each of them waits.
    #[serde(with = "units::duration")]
    pub queue_timeout: Duration,
}
