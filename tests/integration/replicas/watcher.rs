//! A client that knows how to come back: what an `EventSource` does, and what a page with fetch would.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::CHAT;
use crate::resume::{Event, events};
use crate::support::client;

/// Where there are replicas to come back to. As a load balancer does, it forgets those that are gone.
pub(super) type Replicas = Arc<Mutex<Vec<SocketAddr>>>;

/// What a client has seen when there was no more to come.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) events: Vec<Event>,
    /// How often it had to come back.
    pub(super) returns: usize,
}

impl Seen {
    /// The events are those of one stream, each once and in order.
    pub(super) fn is_in_order(&self) -> bool {
        let numbers = self.events.iter().map(|event| event.id.rsplit(':').next().unwrap().parse::<usize>().unwrap());
        numbers.eq(1..=self.events.len())
    }

    pub(super) fn text(&self) -> String {
        self.events.iter().map(|event| event.text.as_str()).collect()
    }
}

/// Asks one of `replicas` for a stream and follows it, at whichever replica there is, until it has ended.
pub(super) async fn watch(replicas: Replicas) -> Seen {
    let (mut seen, mut stream) = (Seen::default(), None::<String>);
    for turn in 0.. {
        assert!(turn < 600, "it comes back for ever: {seen:?}");
        let any = {
            let replicas = replicas.lock().unwrap();
            replicas[turn % replicas.len()]
        };
        let request = match &stream {
            None => client()
                .post(format!("http://{any}{}", CHAT.path(true)))
                .header("x-sluicegate-resumable", "true")
                .header("content-type", "application/json")
                .body(CHAT.request(true).to_string()),
            Some(name) => client().get(format!("http://{any}/v1/streams/{name}")),
        };
        let request = match seen.events.last() {
            Some(event) => request.header("last-event-id", event.id.clone()),
            None => request,
        };
        if let Ok(response) = request.send().await {
            match response.status().as_u16() {
                200 => {
                    let name = response.headers()["x-sluicegate-stream-id"].to_str().unwrap().to_owned();
                    stream = Some(name);
                    if read(response, &mut seen).await {
                        return seen;
                    }
                }
                204 => return seen,
                // Told to come back in a moment.
                503 => {}
                status => panic!("{status} after {seen:?}"),
            }
        }
        seen.returns += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    unreachable!("it counts for ever")
}

/// Adds what comes to `seen`; true if it came to a proper end.
async fn read(mut response: reqwest::Response, seen: &mut Seen) -> bool {
    let mut text = Vec::new();
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    seen.events.extend(events(&String::from_utf8_lossy(&text)));
    is_whole
}
