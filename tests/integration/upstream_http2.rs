//! HTTP/2 towards upstreams: streams share connections and never feel it.

mod cancellation;
mod goodbyes;
mod siblings;
mod spreading;
mod tls;

use std::num::NonZeroU32;

use sluicegate::config::Config;
use sluicegate::config::provider::Provider;
use tokio::task::JoinHandle;

use crate::support::{DONE, Proxy, Reply, chat, client, provider, soon};

/// A proxy that speaks HTTP/2 to the server at `url`, within the limits that the test sets.
async fn proxy_before(url: &str, limit: impl FnOnce(&mut Provider)) -> Proxy {
    let mut config = Config::for_testing();
    let mut upstream = Provider { http2: true, ..provider("upstream", url) };
    limit(&mut upstream);
    config.providers.push(upstream);
    // What is sent again here is sent by the way to the upstream itself.
    config.retry.max_attempts = NonZeroU32::MIN;
    Proxy::start(config).await
}

/// Sends `count` chats at once; their replies, once they are whole.
fn ask_at_once(proxy: &Proxy, count: usize) -> Vec<JoinHandle<Reply>> {
    let url = proxy.url("/v1/chat/completions");
    let ask = |_| {
        let request = client().post(&url).header("content-type", "application/json").body(chat(true));
        tokio::spawn(async move { Reply::of(request.send().await.unwrap()).await })
    };
    (0..count).map(ask).collect()
}

/// Holds that every reply is whole.
async fn assert_whole(replies: Vec<JoinHandle<Reply>>) -> Vec<Reply> {
    let mut whole = Vec::new();
    for reply in replies {
        let reply = soon("a reply", reply).await.unwrap();
        assert!(reply.body.ends_with(DONE), "{reply:?}");
        whole.push(reply);
    }
    whole
}
