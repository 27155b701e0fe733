//! The same contract, where streams are also written down in Redis before anybody sees them.
#![allow(clippy::duplicate_mod, reason = "one contract, two stores")]

#[path = "access.rs"]
mod access;
#[path = "background.rs"]
mod background;
#[path = "coming_back.rs"]
mod coming_back;
#[path = "departures.rs"]
mod departures;
#[path = "event_source.rs"]
mod event_source;
#[path = "limits.rs"]
mod limits;
#[path = "named.rs"]
mod named;
#[path = "opting_in.rs"]
mod opting_in;
#[path = "random.rs"]
pub(crate) mod random;
#[path = "readers.rs"]
mod readers;
#[path = "whole.rs"]
mod whole;
#[path = "workers.rs"]
mod workers;

use super::*;
use crate::support::Redis;

/// A proxy that says nothing of its own, and whose only provider speaks `tongue`.
async fn proxy(upstream: &Upstream, tongue: Tongue, change: impl FnOnce(&mut Config)) -> Proxy {
    start(configuration(upstream, tongue, change)).await
}

async fn start(config: Config) -> Proxy {
    Proxy::start_sharing(config).await
}

/// A Redis for `config`.
async fn store(config: &mut Config) -> Option<Redis> {
    let redis = Redis::start().await;
    redis.share(config);
    Some(redis)
}
