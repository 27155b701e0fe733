//! What a scripted upstream does with a request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

/// The first chunk of a chat stream: no content yet.
pub const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
/// The chunk that ends a choice.
pub const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
/// What ends a stream.
pub const DONE: &str = "data: [DONE]\n\n";

/// A chunk with `text` as content.
pub fn token(text: &str) -> String {
    let delta = serde_json::json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
    format!("data: {delta}\n\n")
}

#[derive(Debug, Clone)]
pub enum Step {
    /// Bytes as they are.
    Raw(Bytes),
    /// Bytes as one chunk of a chunked body.
    Chunk(Bytes),
    /// The same chunk over and over.
    Repeat(Bytes, usize),
    Wait(Duration),
    /// Nothing until the test gives the cue.
    Cue(Arc<Notify>),
    /// Nothing more, but the connection stays open.
    Hang,
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// The steps of one response. After the last one the connection waits for its next request.
#[derive(Debug, Clone, Default)]
pub struct Script(pub Vec<Step>);

impl Script {
    /// Not even a response head.
    pub fn silence() -> Self {
        Self(vec![Step::Hang])
    }

    /// The head of an event stream.
    pub fn stream() -> Self {
        Self::head("200 OK", "content-type: text/event-stream\r\n")
    }

    /// The head of a chunked response with `status` and further header lines.
    pub fn head(status: &str, headers: &str) -> Self {
        Self::raw(format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n{headers}\r\n"))
    }

    /// A whole response with a content length.
    pub fn response(status: &str, headers: &str, body: &str) -> Self {
        Self::raw(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
    }

    /// A whole JSON response.
    pub fn json(status: &str, body: &str) -> Self {
        Self::response(status, "content-type: application/json\r\n", body)
    }

    /// A whole, well-behaved stream of `tokens`.
    pub fn answer(tokens: &[&str]) -> Self {
        let script = tokens.iter().fold(Self::stream().send(ROLE), |script, text| script.send(token(text)));
        script.send(FINISH).send(DONE).end()
    }

    /// Any bytes at all.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self(vec![Step::Raw(bytes.into())])
    }

    pub fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// A piece of the body, in one write.
    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Chunk(bytes.into()))
    }

    /// `count` pieces of the body, as fast as they are taken.
    pub fn repeat(self, bytes: impl Into<Bytes>, count: usize) -> Self {
        self.then(Step::Repeat(bytes.into(), count))
    }

    pub fn wait(self, milliseconds: u64) -> Self {
        self.then(Step::Wait(Duration::from_millis(milliseconds)))
    }

    /// Nothing more until the test calls `notify_one`.
    pub fn cue(self, cue: &Arc<Notify>) -> Self {
        self.then(Step::Cue(Arc::clone(cue)))
    }

    /// The proper end of the body.
    pub fn end(self) -> Self {
        self.then(Step::Raw(Bytes::from_static(b"0\r\n\r\n")))
    }

    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }
}
