//! A server of HTTP/2 that the test leads frame by frame, for what no HTTP library would do.
//!
//! <https://www.rfc-editor.org/rfc/rfc9113#section-6>

use std::net::SocketAddr;

use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::script::{DONE, FINISH, ROLE, token};
use super::soon;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `SETTINGS_MAX_CONCURRENT_STREAMS`
const MAX_STREAMS: [u8; 2] = [0, 3];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:status: 200` and `content-type: text/event-stream` as HPACK has them.
const EVENT_STREAM: &[u8] = b"\x88\x5f\x11text/event-stream";

/// Listens, and does nothing by itself.
pub struct FrameUpstream {
    listener: TcpListener,
}

impl FrameUpstream {
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The base URL for a provider.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address())
    }

    /// Waits for the next connection and allows it 100 streams.
    pub async fn accept(&self) -> FrameConnection {
        let (mut socket, _) = soon("a connection to the upstream", self.listener.accept()).await.unwrap();
        let mut preface = [0; PREFACE.len()];
        soon("the preface", socket.read_exact(&mut preface)).await.unwrap();
        assert_eq!(preface, PREFACE);
        let mut connection = FrameConnection { socket, answers_pings: true };
        connection.allow(100).await;
        connection
    }
}

/// A connection, and whatever the test has made of it. Dropping it closes it.
pub struct FrameConnection {
    socket: TcpStream,
    pub answers_pings: bool,
}

impl FrameConnection {
    /// Waits for the end of the next request; the number of its stream.
    pub async fn request(&mut self) -> u32 {
        let ends = |kind, flags| matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
        let request = async {
            loop {
                match self.read().await {
                    Some((kind, flags, stream, _)) if ends(kind, flags) => return stream,
                    Some(_) => {}
                    None => panic!("the connection was closed"),
                }
            }
        };
        soon("a request to the upstream", request).await
    }

    /// Waits for so many.
    pub async fn requests(&mut self, count: usize) -> Vec<u32> {
        let mut streams = Vec::new();
        while streams.len() < count {
            streams.push(self.request().await);
        }
        streams
    }

    /// Waits until the peer resets a stream; which, and why.
    pub async fn reset(&mut self) -> (u32, Reason) {
        let reset = async {
            loop {
                match self.read().await {
                    Some((RST_STREAM, _, stream, reason)) => {
                        return (stream, u32::from_be_bytes(reason.try_into().unwrap()).into());
                    }
                    Some(_) => {}
                    None => panic!("the connection was closed"),
                }
            }
        };
        soon("a reset of a stream", reset).await
    }

    /// Waits until the peer closes the connection.
    pub async fn closed(&mut self) {
        soon("the end of the connection", async { while self.read().await.is_some() {} }).await;
    }

    /// The next frame: its kind, flags, stream and payload. What the protocol wants answered is answered.
    async fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.socket.read_exact(&mut payload).await.ok()?;
        match kind {
            SETTINGS if flags & ACK == 0 => self.write(SETTINGS, ACK, 0, &[]).await,
            PING if flags & ACK == 0 && self.answers_pings => self.write(PING, ACK, 0, &payload).await,
            _ => {}
        }
        Some((kind, flags, u32::from_be_bytes(stream), payload))
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat();
        self.socket.write_all(&frame).await.unwrap();
    }

    /// From now on so many streams may be open.
    pub async fn allow(&mut self, streams: u32) {
        self.write(SETTINGS, 0, 0, &[&MAX_STREAMS[..], &streams.to_be_bytes()].concat()).await;
    }

    /// Sends the head of an event stream and its first events.
    pub async fn begin(&mut self, stream: u32, text: &str) {
        self.write(HEADERS, END_HEADERS, stream, EVENT_STREAM).await;
        self.write(DATA, 0, stream, [ROLE, &token(text)].concat().as_bytes()).await;
    }

    /// Ends an event stream as it should.
    pub async fn finish(&mut self, stream: u32) {
        self.write(DATA, END_STREAM, stream, [FINISH, DONE].concat().as_bytes()).await;
    }

    /// Both.
    pub async fn answer(&mut self, stream: u32, text: &str) {
        self.begin(stream, text).await;
        self.finish(stream).await;
    }

    pub async fn reset_stream(&mut self, stream: u32, reason: Reason) {
        self.write(RST_STREAM, 0, stream, &u32::from(reason).to_be_bytes()).await;
    }

    /// Says goodbye: what came behind `last` has not been looked at.
    pub async fn go_away(&mut self, last: u32, reason: Reason) {
        self.write(GOAWAY, 0, 0, &[last.to_be_bytes(), u32::from(reason).to_be_bytes()].concat()).await;
    }
}
