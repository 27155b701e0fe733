//! Several replicas that share their streams over one Redis: whoever comes back may come back to any of them.

mod deaths;
mod deploys;
mod faults;
mod following;
mod limits;
mod random;
mod watcher;

use std::time::Duration;

use sluicegate::config::Config;

use crate::resume::configuration;
use crate::support::{Program, Proxy, Redis, Tongue, Upstream};

const CHAT: Tongue = Tongue::Chat;

/// Two replicas in this process, before the same upstream.
async fn pair(upstream: &Upstream, tongue: Tongue, change: impl Fn(&mut Config)) -> (Redis, Proxy, Proxy) {
    let redis = Redis::start().await;
    let (one, two) =
        (replica(&redis, upstream, tongue, &change).await, replica(&redis, upstream, tongue, &change).await);
    (redis, one, two)
}

async fn replica(redis: &Redis, upstream: &Upstream, tongue: Tongue, change: impl Fn(&mut Config)) -> Proxy {
    let mut config = configuration(upstream, tongue, change);
    redis.share(&mut config);
    Proxy::start(config).await
}

/// A replica in a process of its own.
fn process(redis: &Redis, upstream: &Upstream, environment: &[(&str, &str)]) -> Program {
    let url = redis.url();
    let environment = [&[("SLUICEGATE__REDIS__URL", url.as_str())], environment].concat();
    Program::start(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url()], &environment)
}

/// Waits until `condition` holds, which may take a replica's pulse or two.
async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, holds).await.unwrap_or_else(|_| panic!("{what} did not happen within {limit:?}"));
}
