//! Playing a script to a client, event by event or as one document.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use async_stream::stream;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use tokio::{task::yield_now, time::Instant};

use super::{
    draft,
    error::json_response,
    request::Ask,
    script::{Beat, Finish, Script, Step, Usage},
    tools::ToolCall,
};

/// How one endpoint words the steps of a reply. All results are JSON.
pub(super) trait Wording: Send + 'static {
    /// What comes before the first step, if anything does.
    fn opening(&self, first: &Step) -> Option<Vec<u8>>;
    /// A step, unless this endpoint has no words for it.
    fn step(&self, step: &Step) -> Option<Vec<u8>>;
    /// The usage at the end of a stream, if the client asked for it.
    fn usage(&self, usage: &Usage) -> Option<Vec<u8>>;
    /// The whole reply at once.
    fn whole(&self, reply: &Reply, usage: &Usage) -> Vec<u8>;
}

/// Everything a script has said.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) reasoning: String,
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) finish: Finish,
}

/// What all chunks of one reply have in common.
#[derive(Debug)]
pub(super) struct Stamp {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: &'static str,
}

impl Stamp {
    pub(super) fn new(prefix: &str, ask: &Ask) -> Self {
        // The same question gets the same answer, but still another reply, and ids tell replies apart.
        static REPLIES: AtomicU64 = AtomicU64::new(0);
        let number = REPLIES.fetch_add(1, Ordering::Relaxed);
        let mut dice = ask.dice;
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            id: format!("{prefix}-{:016x}{number:08x}", dice.roll()),
            created: since_epoch.as_secs(),
            model: ask.model.id,
        }
    }
}

/// The reply to `ask`, in the form it asks for.
pub(super) async fn reply(ask: &Ask, wording: impl Wording) -> Response {
    let script = draft::write(ask);
    if ask.stream { streamed(script, wording) } else { collected(script, wording).await }
}

fn streamed(script: Script, wording: impl Wording) -> Response {
    let mut response = Response::new(Body::from_stream(stream! {
        let mut clock = Metronome::start();
        let mut begun = false;
        for Beat { after, step } in script.beats {
            clock.wait(after).await;
            if !std::mem::replace(&mut begun, true)
                && let Some(json) = wording.opening(&step)
            {
                yield Ok(event(&json));
                yield_now().await;
            }
            match step {
                Step::Hang => std::future::pending().await,
                Step::Cut(text) => {
                    let whole = wording.step(&Step::Text(text)).map(|json| event(&json)).unwrap_or_default();
                    yield Ok(whole.slice(..whole.len() / 2));
                    // The half has to be on its way before the error takes down the connection and all it still holds.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    yield Err(connection_lost());
                    return;
                }
                step => if let Some(json) = wording.step(&step) {
                    yield Ok(event(&json));
                    // hyper collects what is ready into one write; being pending for a moment makes it send each event.
                    yield_now().await;
                }
            }
        }
        if let Some(json) = wording.usage(&script.usage) {
            yield Ok(event(&json));
            yield_now().await;
        }
        yield Ok(event(b"[DONE]"));
    }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn collected(script: Script, wording: impl Wording) -> Response {
    let mut clock = Metronome::start();
    let mut reply = Reply { reasoning: String::new(), text: String::new(), calls: Vec::new(), finish: Finish::Stop };
    let mut cut = false;
    for Beat { after, step } in script.beats {
        clock.wait(after).await;
        match step {
            Step::Reasoning(piece) => reply.reasoning += &piece,
            Step::Text(piece) => reply.text += &piece,
            Step::Call { id, name, .. } => reply.calls.push(ToolCall { id, name, arguments: String::new() }),
            Step::Arguments { index, fragment } => reply.calls[index].arguments += &fragment,
            Step::Finish(finish) => reply.finish = finish,
            Step::Cut(_) => cut = true,
            Step::Hang => std::future::pending().await,
        }
    }
    let json = Bytes::from(wording.whole(&reply, &script.usage));
    if cut { half_of(json) } else { json_response(StatusCode::OK, json) }
}

/// A response that promises all of `json` and loses its connection half-way.
fn half_of(json: Bytes) -> Response {
    let length = HeaderValue::from(json.len());
    let mut response = json_response(
        StatusCode::OK,
        Body::from_stream(stream! {
            yield Ok(json.slice(..json.len() / 2));
            tokio::time::sleep(Duration::from_millis(20)).await;
            yield Err(connection_lost());
        }),
    );
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}

fn connection_lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the demo model lost its connection on purpose")
}

/// One server-sent event.
fn event(json: &[u8]) -> Bytes {
    [b"data: ", json, b"\n\n"].concat().into()
}

/// Keeps time by the beat it should be at and not by the beat it is at, so that late timers do not slow the music down.
struct Metronome {
    due: Instant,
}

impl Metronome {
    /// A reader who comes back from a pause gets this much of it made up for, and no flood.
    const CATCHES_UP: Duration = Duration::from_millis(50);

    fn start() -> Self {
        Self { due: Instant::now() }
    }

    async fn wait(&mut self, after: Duration) {
        self.due += after;
        tokio::time::sleep_until(self.due).await;
        let late = self.due.elapsed();
        self.due += late.saturating_sub(Self::CATCHES_UP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_data_line_and_an_empty_one() {
        assert_eq!(event(b"{}"), Bytes::from_static(b"data: {}\n\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_metronome_keeps_the_beat_and_forgives_long_pauses() {
        let begin = Instant::now();
        let mut clock = Metronome::start();
        for _ in 0..100 {
            clock.wait(Duration::from_micros(1_500)).await;
        }
        assert!((150..=151).contains(&begin.elapsed().as_millis()));

        tokio::time::sleep(Duration::from_secs(10)).await;
        let resumed = Instant::now();
        for _ in 0..100 {
            clock.wait(Duration::from_millis(10)).await;
        }
        assert!((940..=1_000).contains(&resumed.elapsed().as_millis()));
    }
}
