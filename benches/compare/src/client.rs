//! The client side: requests, answers, and the check that every token came once, in order.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

use crate::clock::now_ns;
use crate::http::{Conn, Framing, Head, bad};
use crate::script::{Line, LineParser, Script};

/// A token as it arrived; times in nanoseconds of the common clock.
#[derive(Clone, Copy)]
pub struct Token {
    pub sent_at: u64,
    pub arrived_at: u64,
}

impl Token {
    pub fn delay(&self) -> u64 {
        self.arrived_at.saturating_sub(self.sent_at)
    }
}

/// A keep-alive connection to the proxy, or to the upstream itself.
pub struct Client {
    target: SocketAddr,
    conn: Conn,
    reconnect: bool,
}

impl Client {
    pub async fn connect(target: SocketAddr) -> io::Result<Self> {
        Self::from_stream(target, TcpStream::connect(target).await?)
    }

    /// Connects from an address of its own, for more connections than one address has ports.
    pub async fn connect_from(source: Ipv4Addr, target: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        Self::from_stream(target, socket.connect(target).await?)
    }

    /// Connects with a receive buffer of so many bytes: the kernel reads no more ahead of a slow reader.
    pub async fn connect_small(target: SocketAddr, buffer: u32) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(buffer)?;
        Self::from_stream(target, socket.connect(target).await?)
    }

    fn from_stream(target: SocketAddr, stream: TcpStream) -> io::Result<Self> {
        Ok(Self { target, conn: Conn::new(stream)?, reconnect: false })
    }

    /// Sends a request; returns when it was sent.
    pub async fn send(&mut self, script: &Script) -> io::Result<u64> {
        if self.reconnect {
            *self = Self::connect(self.target).await?;
        }
        let request = self.request(script);
        let sent_at = now_ns();
        self.conn.write(request.as_bytes(), |_| {}).await?;
        Ok(sent_at)
    }

    /// Sends only a part of a request, from its beginning: so many thousandths of it.
    pub async fn send_part(&mut self, script: &Script, thousandths: usize) -> io::Result<()> {
        let request = self.request(script);
        let part = &request.as_bytes()[..request.len() * thousandths.min(1000) / 1000];
        self.conn.write(part, |_| {}).await
    }

    fn request(&self, script: &Script) -> String {
        let body = script.to_body();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk-bench\r\n\
             user-agent: compare/0.1\r\naccept: text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.target,
            body.len()
        )
    }

    /// Reads the head of an answer that is to be a stream.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        match self.reply().await? {
            Reply::Stream(answer) => Ok(answer),
            Reply::Error(error) => Err(bad(format!("answered {error:?}"))),
        }
    }

    /// Reads the head of an answer, and all of it if it is not a stream.
    pub async fn reply(&mut self) -> io::Result<Reply> {
        let head = self.conn.read_head().await?;
        let head = head.ok_or_else(|| bad("connection closed before the answer"))?;
        self.reconnect = head.close;
        let status = head.start_line().split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| bad(format!("answered {:?}", head.start_line())))?;
        let error = ErrorReply::new(status, &head);
        let framing = head.framing.unwrap_or(Framing::UntilClose);
        if status == 200 {
            return Ok(Reply::Stream(Answer::new(framing)));
        }
        self.conn.read_body(framing).await?;
        Ok(Reply::Error(error))
    }

    /// Leaves without a word of farewell: the other side sees a reset instead of an end.
    pub fn reset(self) -> io::Result<()> {
        self.conn.stream().set_zero_linger()
    }

    /// Sends a request and reads the whole answer; returns when the request was sent.
    pub async fn ask(&mut self, script: &Script, each: impl FnMut(Token)) -> io::Result<u64> {
        let sent_at = self.send(script).await?;
        let mut answer = self.answer().await?;
        answer.read_to_end(self, script, each).await?;
        Ok(sent_at)
    }

    /// Whether the connection is still there, without waiting.
    pub fn is_open(&self) -> bool {
        match self.conn.stream().try_read(&mut [0; 512]) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// How an answer begins.
pub enum Reply {
    Stream(Answer),
    Error(ErrorReply),
}

/// An answer with an error status.
#[derive(Debug)]
pub struct ErrorReply {
    pub status: u16,
    /// The word for what happened, as sluicegate tells it.
    pub kind: String,
    pub retry_after: Option<String>,
}

impl ErrorReply {
    fn new(status: u16, head: &Head) -> Self {
        let field = |name| head.field(name).map(str::to_owned);
        Self { status, kind: field("x-sluicegate-error").unwrap_or_default(), retry_after: field("retry-after") }
    }
}

/// One answer while it is being read.
pub struct Answer {
    framing: Framing,
    parser: LineParser,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    tokens: u64,
    finished: bool,
    done: bool,
    /// The code of an error told in the stream.
    error: Option<String>,
}

impl Answer {
    fn new(framing: Framing) -> Self {
        Self {
            framing,
            parser: LineParser::default(),
            partial: Vec::new(),
            tokens: 0,
            finished: false,
            done: false,
            error: None,
        }
    }

    /// The code of the error that the stream told.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Reads what comes next; returns whether there may be more.
    pub async fn read(&mut self, client: &mut Client, mut each: impl FnMut(Token)) -> io::Result<bool> {
        let Some(piece) = client.conn.read_piece(&mut self.framing).await? else {
            return Ok(false);
        };
        let (mut rest, arrived_at) = (piece.bytes, piece.read_at);
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            let line = if self.partial.is_empty() {
                self.parser.parse(line)
            } else {
                self.partial.extend_from_slice(line);
                let parsed = self.parser.parse(&self.partial);
                self.partial.clear();
                parsed
            };
            if let Some(sent_at) = self.take(line)? {
                each(Token { sent_at, arrived_at });
            }
        }
        self.partial.extend_from_slice(rest);
        Ok(true)
    }

    /// Checks the order of events; returns the time in a token.
    fn take(&mut self, line: Line) -> io::Result<Option<u64>> {
        let due = self.tokens;
        match line {
            Line::Other => {}
            _ if self.done => return Err(bad("an event after [DONE]")),
            _ if self.error.is_some() => return Err(bad("an event after an error")),
            Line::Error { code } => self.error = Some(code),
            Line::Done => self.done = true,
            Line::Finish => self.finished = true,
            Line::Token { .. } if self.finished => return Err(bad("a token after the last")),
            Line::Token { index, .. } if index > due => {
                return Err(bad(format!("token {due} lost: {index} came in its place")));
            }
            Line::Token { index, .. } if index < due => {
                return Err(bad(format!("token {index} came again, {due} was due")));
            }
            Line::Token { time, .. } => {
                self.tokens += 1;
                return Ok(Some(time));
            }
        }
        Ok(None)
    }

    /// Reads the rest and checks that the answer is whole.
    pub async fn read_to_end(
        &mut self,
        client: &mut Client,
        script: &Script,
        mut each: impl FnMut(Token),
    ) -> io::Result<()> {
        while self.read(client, &mut each).await? {}
        self.expect_whole(script.tokens)
    }

    /// Checks what has been read to its end.
    pub fn expect_whole(&self, tokens: u64) -> io::Result<()> {
        if self.tokens != tokens || !self.finished || !self.done {
            return Err(bad(format!(
                "answer cut short: {} of {tokens} tokens, finish {}, [DONE] {}, error {:?}",
                self.tokens, self.finished, self.done, self.error
            )));
        }
        Ok(())
    }
}
