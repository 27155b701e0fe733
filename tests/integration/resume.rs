//! Streams that outlive the connection they were asked over.
//!
//! What holds of them holds wherever they are kept: the tests in `resume/` run [in memory](in_memory) and [over Redis](over_redis).

mod in_memory;
pub(crate) mod over_redis;

use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::Config;
use tokio::sync::Notify;

use crate::support::{Client, Proxy, Script, Tongue, Upstream, client, request, soon, speaker, with_header};

/// Those whose streams are events.
pub(crate) const TONGUES: [Tongue; 4] = [Tongue::Chat, Tongue::Responses, Tongue::Anthropic, Tongue::Gemini];

/// One event as it was received, with its id and without what stands beside the upstream's own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// The events in `body` that have an id. Whatever else there is must be a sign of life.
pub(crate) fn events(body: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let body = body.replace(": keep-alive\n", "");
    let normal = body.replace("\r\n", "\n");
    for frame in normal.split_inclusive("\n\n").filter(|frame| frame.ends_with("\n\n")) {
        let Some(id) = frame.lines().find_map(|line| line.strip_prefix("id: ")) else { continue };
        let ours = |line: &&str| line.starts_with("id: ") || line.starts_with("retry: ");
        let text: Vec<&str> = frame.lines().filter(|line| !ours(line)).collect();
        events.push(Event { id: id.to_owned(), text: text.join("\n") + "\n" });
    }
    events
}

/// What the events in `body` say, one behind the other.
pub(crate) fn said(body: &str) -> String {
    events(body).into_iter().map(|event| event.text).collect()
}

/// The configuration of a proxy that says nothing of its own, and whose only provider speaks `tongue`.
pub(crate) fn configuration(upstream: &Upstream, tongue: Tongue, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::for_testing();
    config.stream.keep_alive = None;
    config.providers.push(speaker(tongue.name(), "upstream", &upstream.url()));
    change(&mut config);
    config
}

/// The head and body of a request of `tongue` for a stream that can be resumed.
pub(crate) fn resumable(tongue: Tongue) -> String {
    let plain = request(tongue.path(true), &tongue.request(true).to_string());
    with_header(&plain, "x-sluicegate-resumable: true")
}

/// Asks for a stream that can be resumed, and for `header` too.
pub(crate) async fn begin(proxy: &Proxy, tongue: Tongue, header: Option<&str>) -> Client {
    let mut reader = Client::connect(proxy.address).await;
    let request = resumable(tongue);
    reader.send(&header.map_or(request.clone(), |header| with_header(&request, header))).await;
    reader
}

/// The name of the stream whose response `reader` has begun to read.
pub(crate) fn name(reader: &Client) -> String {
    let text = reader.text();
    let line = text.lines().find_map(|line| line.strip_prefix("x-sluicegate-stream-id: "));
    line.unwrap_or_else(|| panic!("no stream id: {text}")).to_owned()
}

pub(crate) fn body(reader: &Client) -> String {
    String::from_utf8(reader.body()).unwrap()
}

/// Comes back to the stream called `name`, over a connection of its own.
pub(crate) async fn come_back(proxy: &Proxy, name: &str, last_event_id: Option<&str>) -> Client {
    let mut reader = Client::connect(proxy.address).await;
    let get = format!("GET /v1/streams/{name} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
    reader.send(&last_event_id.map_or(get.clone(), |id| with_header(&get, &format!("last-event-id: {id}")))).await;
    reader
}

/// The status of the answer to a request for the stream called `name`.
pub(crate) async fn status_of(proxy: &Proxy, name: &str) -> u16 {
    proxy.get(&format!("/v1/streams/{name}")).await.status().as_u16()
}

pub(crate) async fn delete(proxy: &Proxy, name: &str) -> u16 {
    let request = client().delete(proxy.url(&format!("/v1/streams/{name}")));
    soon("the answer to a DELETE", request.send()).await.unwrap().status().as_u16()
}

/// The caller's streams.
pub(crate) async fn list(proxy: &Proxy) -> Vec<serde_json::Value> {
    let text = soon("a list of streams", proxy.get("/v1/streams").await.text()).await.unwrap();
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    list["data"].as_array().unwrap().clone()
}

/// A stream whose texts wait for a cue each.
pub(crate) fn cued(tongue: Tongue, texts: &[&str], cue: &Arc<Notify>) -> Script {
    let begun = tongue.head().send(tongue.begin());
    let script = texts.iter().fold(begun, |script, text| script.cue(cue).send(tongue.text(text)));
    script.cue(cue).send(tongue.end(&texts.concat())).end()
}

/// A stream that has begun and does not end.
pub(crate) fn endless(tongue: Tongue) -> Script {
    tongue.head().send(tongue.begin()).send(tongue.text("eins")).hang()
}

/// Long enough to see that something does not happen.
pub(crate) async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}
