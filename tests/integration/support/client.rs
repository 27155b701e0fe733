//! A raw socket, for what no HTTP library would do.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{chat, soon};

pub struct Client {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    /// Connects and sends the usual chat request.
    pub async fn chat(address: SocketAddr, stream: bool) -> Self {
        let mut client = Self::connect(address).await;
        client.send(&request("/v1/chat/completions", &chat(stream))).await;
        client
    }

    pub async fn send(&mut self, bytes: &(impl AsRef<[u8]> + ?Sized)) {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends up to `bytes` of anything, until nobody takes any more; returns how many were taken.
    pub async fn send_until_stuck(&mut self, bytes: usize) -> u64 {
        let piece = vec![b'x'; 64 * 1024];
        let mut taken = 0;
        while taken < bytes {
            let write = self.socket.write(&piece[..piece.len().min(bytes - taken)]);
            match tokio::time::timeout(Duration::from_millis(200), write).await {
                Ok(written) => taken += written.unwrap(),
                Err(_) => break,
            }
        }
        taken as u64
    }

    /// The same where the other side may have closed.
    pub async fn try_send(&mut self, bytes: &(impl AsRef<[u8]> + ?Sized)) -> std::io::Result<()> {
        self.socket.write_all(bytes.as_ref()).await
    }

    /// Forgets what has been received.
    pub fn forget(&mut self) {
        self.received.clear();
    }

    /// Reads until `text` has come; returns everything so far.
    pub async fn read_until(&mut self, text: &str) -> String {
        soon(&format!("receiving {text:?}"), async {
            while !self.text().contains(text) {
                assert!(self.socket.read_buf(&mut self.received).await.unwrap() > 0, "closed after {:?}", self.text());
            }
        })
        .await;
        self.text()
    }

    pub fn received_bytes(&self) -> u64 {
        self.received.len() as u64
    }

    /// Reads at least `bytes`.
    pub async fn read(&mut self, bytes: usize) {
        soon(&format!("receiving {bytes} bytes"), async {
            while self.received.len() < bytes {
                assert!(self.socket.read_buf(&mut self.received).await.unwrap() > 0, "closed too soon");
            }
        })
        .await;
    }

    /// Reads until the other side closes; returns everything so far.
    pub async fn read_to_end(&mut self) -> String {
        let _ = soon("the end of the connection", self.socket.read_to_end(&mut self.received)).await;
        self.text()
    }

    /// Reads one response with a content length, and leaves what is behind it for the next.
    pub async fn response(&mut self) -> Response {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more().await;
        };
        let head = String::from_utf8(self.received.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response { status, head, body: String::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length {
            self.read_more().await;
        }
        response.body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        response
    }

    async fn read_more(&mut self) {
        let read = soon("more of a response", self.socket.read_buf(&mut self.received)).await.unwrap();
        assert!(read > 0, "closed after {:?}", self.text());
    }

    /// The response body received so far, without its chunk sizes.
    pub fn body(&self) -> Vec<u8> {
        body_of(&self.received)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// FIN, with the reading side left open.
    pub async fn close_writing(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// RST.
    pub fn reset(self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// The body of a chunked response of which this has been `received`, without its chunk sizes.
pub fn body_of(received: &[u8]) -> Vec<u8> {
    let find = memchr::memmem::find;
    let mut rest = find(received, b"\r\n\r\n").map_or(&[][..], |end| &received[end + 4..]);
    let mut body = Vec::new();
    while let Some(end) = find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        let start = end + 2;
        body.extend_from_slice(&rest[start..rest.len().min(start + size)]);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    body
}

/// A response as it came.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Status line and header lines.
    pub head: String,
    pub body: String,
}

impl Response {
    /// The value of a header field, if it came.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// The value of the first field called `name` in the head of a message.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A POST of JSON, as bytes.
pub fn request(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The head of a request whose body of `length` bytes is a file.
pub fn upload(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// `request` with one more header line.
pub fn with_header(request: &str, line: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1)
}
