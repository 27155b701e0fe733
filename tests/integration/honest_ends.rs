//! However an upstream ends, the client is told the truth about it.

mod before_the_first_frame;
mod in_the_middle;
mod when_committed_early;

use std::num::NonZeroU32;

use sluicegate::config::Config;
use sluicegate::config::secret::Secret;

use crate::support::{Proxy, Reply, Script, Upstream, logs, soon};

/// What a client gets, streaming or not, from a proxy before an upstream that follows `script`.
async fn reply_to(script: Script, stream: bool) -> Reply {
    replies_to([script], stream).await.remove(0)
}

/// The same for each of `scripts`.
async fn replies_to(scripts: impl IntoIterator<Item = Script>, stream: bool) -> Vec<Reply> {
    let scripts: Vec<_> = scripts.into_iter().collect();
    let count = scripts.len();
    let upstream = Upstream::in_turn(scripts).await;
    let proxy = Proxy::configured(&upstream, once).await;
    let mut replies = Vec::new();
    for _ in 0..count {
        replies.push(proxy.ask(stream).await);
    }
    replies
}

/// Has no upstream asked twice, so that each script is one request's.
fn once(config: &mut Config) {
    config.retry.max_attempts = NonZeroU32::MIN;
}

/// The outcome and the error that the log tells of the request of `reply`.
async fn logged(reply: &Reply) -> (String, Option<String>) {
    let mut line = soon("a log line", logs::line_of(reply.request_id())).await;
    (line.remove("outcome").unwrap(), line.remove("error"))
}

/// Has the provider ask with `key`.
fn with_key(key: &str) -> impl FnOnce(&mut Config) {
    move |config| config.providers[0].api_key = Some(Secret::new(key))
}
