//! Every client with every upstream: what holds for a stream in its own dialect holds for a translated one.

mod answers;
mod cancellation;
mod ends;
mod refusals;

use sluicegate::config::Config;

use crate::support::{Proxy, Reply, Tongue, Upstream, speaker};

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

/// What `client` is answered.
async fn ask(proxy: &Proxy, client: Tongue, stream: bool) -> Reply {
    Reply::of(proxy.post(client.path(stream), client.request(stream).to_string()).await).await
}
