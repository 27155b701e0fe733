//! Many responses over one WebSocket: what holds for a response that is posted holds there, too.

mod answers;
mod cancellation;
mod endings;
mod frames;
mod handshake;
mod history;
mod lanes;
mod liveness;
mod refusals;

use sluicegate::config::Config;

use crate::support::{Proxy, Tongue, Upstream, speaker};

/// A proxy whose only provider is `upstream`, which speaks `tongue` and nothing else.
async fn proxy(upstream: &Upstream, tongue: Tongue) -> Proxy {
    proxy_configured(upstream, tongue, |_| {}).await
}

async fn proxy_configured(upstream: &Upstream, tongue: Tongue, change: impl FnOnce(&mut Config)) -> Proxy {
    let mut config = Config::for_testing();
    config.providers.push(speaker(tongue.name(), "upstream", &upstream.url()));
    change(&mut config);
    Proxy::start(config).await
}
