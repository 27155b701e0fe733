//! When the client leaves, the upstream stops, whatever either of them speaks.

use std::time::Duration;

use super::proxy_configured;
use crate::support::{Client, Script, Upstream, pairs, request, soon};

/// A proxy that writes nothing of its own, so that only the client's leaving can tell it of that.
fn quiet(config: &mut sluicegate::config::Config) {
    config.stream.commit_after = Duration::from_secs(60);
    config.stream.keep_alive = None;
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_upstream_before_its_first_frame_and_in_the_middle() {
    for (client, upstream_speaks) in pairs() {
        let begun = upstream_speaks.head().send(upstream_speaks.begin()).send(upstream_speaks.text("eins")).hang();
        for (stream, script, sign) in [
            (true, Script::silence(), None),
            (true, upstream_speaks.head().hang(), None),
            (true, begun, Some("eins")),
            (false, Script::silence(), None),
        ] {
            let mut upstream = Upstream::start(script).await;
            let proxy = proxy_configured(&upstream, upstream_speaks, quiet).await;
            let mut reader = Client::connect(proxy.address).await;
            reader.send(&request(client.path(stream), &client.request(stream).to_string())).await;
            upstream.request().await;
            if let Some(sign) = sign {
                reader.read_until(sign).await;
            }
            assert!(!upstream.was_abandoned(), "{client:?} at {upstream_speaks:?}");
            drop(reader);
            upstream.abandoned().await;
            soon("the end of the connection", proxy.has_no_connection()).await;
        }
    }
}
