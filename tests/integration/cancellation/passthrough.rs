//! Leaving in the endpoints that are passed through: bodies stream in both directions, and hyper does not see a client leave
//! behind a body that nobody reads.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{Departure, INTERRUPTIONS, Phase, Sign, leave};
use crate::support::{Client, Proxy, ROLE, Script, Step, Upstream, chat, request, token, until, upload};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_client_that_leaves_while_the_response_headers_are_awaited_stops_the_upstream() {
    let form = format!("{}{}", upload("/v1/files", 5000), "x".repeat(5000));
    for request in [request("/v1/embeddings", &chat(false)), form] {
        Phase::of(request, Script::silence(), Sign::Asked).ends_when_the_client_leaves().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_a_download_stops_the_upstream() {
    let audio = || Script::head("200 OK", "content-type: audio/mpeg\r\n");
    let file = Script::raw("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 99\r\n\r\nfirst").hang();
    for (script, sign) in [
        (audio().send("first").hang(), Sign::Received("first")),
        (file, Sign::Received("first")),
        (audio().repeat(vec![0; 16000], 1 << 20), Sign::Stuck),
    ] {
        Phase::of(request("/v1/audio/speech", &chat(false)), script, sign).ends_when_the_client_leaves().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_a_stream_of_events_stops_the_upstream() {
    let script = Script::stream().send(ROLE).send(token("one")).hang();
    for path in ["/v1/responses", "/v1/completions"] {
        let request = request(path, &chat(true));
        Phase::of(request, script.clone(), Sign::Received("one")).ends_when_the_client_leaves().await;
    }
}

/// A client that has sent so much of an upload of 4 MiB.
async fn uploading(proxy: &Proxy, sent: usize) -> Client {
    let mut client = Client::connect(proxy.address).await;
    client.send(&upload("/v1/files", 4 * MIB)).await;
    client.send_until_stuck(sent).await;
    client
}

#[tokio::test]
async fn a_client_that_leaves_during_an_upload_ends_it() {
    let upstream = Upstream::start(Script::answer(&["never"])).await;
    let proxy = Proxy::before(&upstream).await;
    for departure in INTERRUPTIONS {
        let client = uploading(&proxy, MIB).await;
        until("a connection to the upstream", || upstream.connection_count() == 1).await;
        let _client = leave(client, departure).await;
        until("a disconnect at the upstream", || upstream.connection_count() == 0).await;
        assert_eq!(upstream.request_count(), 0, "{departure:?}: the upload counted as whole");
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_an_upload_that_the_upstream_does_not_read_ends_it() {
    let mut upstream = Upstream::start_without_reading(Script::silence()).await;
    let proxy = Proxy::before(&upstream).await;
    for departure in INTERRUPTIONS {
        let client = uploading(&proxy, MIB / 16).await;
        upstream.request().await;
        let _client = leave(client, departure).await;
        upstream.abandoned().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_an_upload_that_the_upstream_answers_unread_ends_it() {
    let script = Script::stream().send(ROLE).send(token("one")).hang();
    let mut upstream = Upstream::start_without_reading(script).await;
    let proxy = Proxy::before(&upstream).await;
    for departure in INTERRUPTIONS {
        let mut client = uploading(&proxy, MIB / 16).await;
        client.read_until("one").await;
        let _client = leave(client, departure).await;
        upstream.abandoned().await;
    }
}

/// Here nobody reads, and every buffer on the way is full. A FIN of the client would wait in its kernel behind the bytes that the
/// proxy does not take, and nobody could see it; a reset overtakes them. Nor can the proxy's FIN overtake what the upstream
/// does not take: it sees the end when it gets there.
#[tokio::test]
async fn a_client_that_resets_an_upload_with_every_buffer_full_cuts_it_short() {
    let reading = Arc::new(Notify::new());
    let script = Script::default().then(Step::Cue(Arc::clone(&reading))).then(Step::Drain);
    let mut upstream = Upstream::start_without_reading(script).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&upload("/v1/files", 64 * MIB)).await;
    assert!(client.send_until_stuck(64 * MIB).await < 64 << 20);
    leave(client, Departure::Reset).await;
    proxy.has_no_connection().await;
    reading.notify_one();
    upstream.abandoned().await;
}
