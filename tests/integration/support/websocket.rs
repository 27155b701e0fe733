//! A WebSocket client that says what it is told to, and remembers nothing.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::client::header;
use super::{Proxy, soon};

/// The handshake of the standard's own example.
pub const HANDSHAKE: &str = "GET /v1/responses HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[derive(Debug)]
pub struct WebSocket {
    socket: WebSocketStream<TcpStream>,
    /// The head of the response that the connection began with.
    pub head: String,
}

impl WebSocket {
    pub async fn connect(proxy: &Proxy) -> Self {
        Self::connect_with(proxy, HANDSHAKE).await.expect("an upgrade")
    }

    /// Begins with `handshake`; the response head if that is no upgrade.
    pub async fn connect_with(proxy: &Proxy, handshake: &str) -> Result<Self, String> {
        let (socket, head) = begin(proxy.address, handshake).await;
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(head);
        }
        let socket = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
        Ok(Self { socket, head })
    }

    /// Lets the kernel keep little on this side, so that it is soon felt when one of the two does not read.
    pub fn keep_little(&self) {
        let socket = socket2::SockRef::from(self.socket.get_ref());
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.set_send_buffer_size(16 * 1024).unwrap();
    }

    /// The id of the request that the connection began with.
    pub fn request_id(&self) -> String {
        header(&self.head, "x-request-id").unwrap().to_owned()
    }

    /// The id of the request that asked for the `n`th response.
    pub fn id_of_response(&self, n: usize) -> String {
        format!("{}.{n}", self.request_id())
    }

    pub async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        soon("sending", self.socket.send(message)).await.unwrap();
    }

    /// Asks for a response with these members beside the usual ones.
    pub async fn create(&mut self, more: Value) {
        let mut message = json!({"type": "response.create", "model": "m", "input": "hi"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.say(&message).await;
    }

    /// The next message of any kind.
    pub async fn message(&mut self) -> Message {
        soon("a message", self.socket.next()).await.expect("an open connection").unwrap()
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        loop {
            match self.message().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} instead of an event"),
            }
        }
    }

    /// All events up to the first of a `kind`.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = vec![self.event().await];
        while events.last().unwrap()["type"] != kind {
            events.push(self.event().await);
        }
        events
    }

    /// The error that the next event is.
    pub async fn error(&mut self) -> Value {
        let event = self.event().await;
        assert_eq!(event["type"], "error", "{event}");
        assert!(event["error"]["message"].is_string() && event["error"]["type"].is_string(), "{event}");
        event
    }

    /// Reads on to the close frame, and returns its code.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a reason").code.into();
            }
        }
    }

    /// Whether the other side has nothing to say for a while.
    pub async fn is_silent(&mut self) -> bool {
        let next = tokio::time::timeout(std::time::Duration::from_millis(300), self.socket.next());
        next.await.is_err()
    }

    /// The bare connection, for what no client library would do.
    pub fn into_raw(self) -> TcpStream {
        self.socket.into_inner()
    }
}

/// Connects, sends `handshake`, and reads the head of the response.
async fn begin(address: SocketAddr, handshake: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(handshake.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    // One by one: what follows is no head.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("a response head", socket.read_u8()).await.unwrap());
    }
    (socket, String::from_utf8(head).unwrap())
}

/// A frame as a client sends it: `first` is its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut frame = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length => frame.extend([&[0x80 | 126], &length.to_be_bytes()[..]].concat()),
    }
    frame.extend(mask);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

/// The text that events tell.
pub fn text(events: &[Value]) -> String {
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    deltas.map(|event| event["delta"].as_str().unwrap()).collect()
}
