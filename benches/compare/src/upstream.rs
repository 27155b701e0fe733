//! The scripted upstream: answers chat completions as each request's own script says.
//!
//! It runs on the load's own thread. The two share a core anyway, need not take it from each
//! other, and can tell each other things past the proxy.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::clock::{Pacer, now_ns};
use crate::fault::When;
use crate::http::{Conn, Framing, bad};
use crate::script::{DONE, RESPONSE_HEAD, Script, TokenChunk, finish_chunk};

/// What the load and the upstream know of one answer.
#[derive(Default)]
pub struct Record {
    pub written: Cell<u64>,
    /// When the connection was seen to be closed before the answer's end.
    pub closed_at: Cell<Option<u64>>,
    /// Tokens written.
    pub tokens: Cell<u64>,
    /// The load wants an answer with an interval to come to its end instead of its next token.
    pub over: Cell<bool>,
    /// Tokens that reached the client, told by the load.
    arrived: Cell<u64>,
    arrival: Notify,
}

impl Record {
    pub fn token_arrived(&self) {
        self.arrived.set(self.arrived.get() + 1);
        self.arrival.notify_one();
    }

    async fn wait_arrived(&self, count: u64) {
        while self.arrived.get() < count {
            self.arrival.notified().await;
        }
    }
}

/// A handle of the upstream, which serves until the runtime ends.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    records: Rc<RefCell<HashMap<u64, Rc<Record>>>>,
    connections: Rc<Cell<usize>>,
}

/// Counts a connection for as long as it is open.
struct Open(Rc<Cell<usize>>);

impl Open {
    fn count(connections: &Rc<Cell<usize>>) -> Self {
        connections.set(connections.get() + 1);
        Self(Rc::clone(connections))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Upstream {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let upstream = Self { address: listener.local_addr()?, records: Rc::default(), connections: Rc::default() };
        tokio::task::spawn_local(upstream.clone().accept(listener));
        Ok(upstream)
    }

    /// How many connections are open, busy or not.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// The record of a request that asked for one, once it has come. It is handed out once.
    pub async fn record(&self, id: u64) -> io::Result<Rc<Record>> {
        wait_for("the request", || self.take_record(id)).await
    }

    /// The same, if it has come.
    pub fn take_record(&self, id: u64) -> Option<Rc<Record>> {
        self.records.borrow_mut().remove(&id)
    }

    async fn accept(self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let upstream = self.clone();
            // A connection that breaks is an everyday event here, and recorded.
            tokio::task::spawn_local(async move { upstream.connection(stream).await.ok() });
        }
    }

    async fn connection(self, stream: TcpStream) -> io::Result<()> {
        let _open = Open::count(&self.connections);
        let mut conn = Conn::new(stream)?;
        while let Some(head) = conn.read_head().await? {
            let is_chat = head.start_line().starts_with("POST /v1/chat/completions ");
            let framing = head.framing.unwrap_or(Framing::Length(0));
            let body = conn.read_body(framing).await?;
            if is_chat {
                self.chat(&mut conn, &body).await?;
            } else {
                conn.write(NOT_FOUND, |_| {}).await?;
            }
            if head.close {
                break;
            }
        }
        Ok(())
    }

    async fn chat(&self, conn: &mut Conn, body: &[u8]) -> io::Result<()> {
        let script = Script::from_body(&String::from_utf8_lossy(body));
        let record = Rc::new(Record::default());
        if script.id != 0 {
            self.records.borrow_mut().insert(script.id, Rc::clone(&record));
        }
        let result = answer(conn, &script, &record).await;
        if result.is_err() {
            record.closed_at.set(Some(now_ns()));
        }
        result
    }
}

/// Looks again and again, without taking much of the core it waits on.
pub async fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> io::Result<T> {
    let found = timeout(Duration::from_secs(3), async {
        loop {
            match look() {
                Some(found) => return found,
                None => sleep(Duration::from_millis(1)).await,
            }
        }
    });
    found.await.map_err(|_| bad(format!("upstream did not see {what} within 3 s")))
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

async fn answer(conn: &mut Conn, script: &Script, record: &Record) -> io::Result<()> {
    if let Some(fault) = script.fault.filter(|fault| fault.when == When::InsteadOfHead) {
        return fault.happen(conn).await;
    }
    if script.interval.is_zero() {
        write(conn, RESPONSE_HEAD, record).await?;
        flat_out(conn, script, record).await?;
    } else {
        paced(conn, script, record).await?;
    }
    if let Some(fault) = script.fault {
        return fault.happen(conn).await;
    }
    if script.hold {
        conn.closed().await;
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    write(conn, &finish_chunk(record.tokens.get()), record).await?;
    write(conn, DONE, record).await
}

/// Each token at its time.
async fn paced(conn: &mut Conn, script: &Script, record: &Record) -> io::Result<()> {
    let mut pacer = Pacer::new(script.first_delay, script.interval)?;
    let mut chunk = TokenChunk::new(script.pad);
    let mut due = while_open(conn, pacer.tick()).await??;
    write(conn, RESPONSE_HEAD, record).await?;
    for index in 0..script.tokens {
        if due == 0 {
            due = while_open(conn, pacer.tick()).await??;
        }
        if record.over.get() {
            break;
        }
        due -= 1;
        write(conn, chunk.token(index, now_ns()), record).await?;
        record.tokens.set(index + 1);
    }
    Ok(())
}

/// Tokens one stream writes, each with its own call, before the next stream has its turn.
/// More of them leave more of the shared core to the upstream, as the load reads more at once.
const BURST: u64 = 16;

/// Each token as soon as the connection takes it or, with a window, as soon as all but so
/// many of those before it have reached the client.
async fn flat_out(conn: &mut Conn, script: &Script, record: &Record) -> io::Result<()> {
    let mut chunk = TokenChunk::new(script.pad);
    for index in 0..script.tokens {
        if script.window > 0 {
            let arrived = record.wait_arrived((index + 1).saturating_sub(script.window));
            while_open(conn, arrived).await?;
        } else if index % BURST == BURST - 1 {
            tokio::task::yield_now().await;
        }
        write(conn, chunk.token(index, now_ns()), record).await?;
        record.tokens.set(index + 1);
    }
    Ok(())
}

/// Waits for something, but no longer than the connection lasts.
async fn while_open<T>(conn: &mut Conn, something: impl Future<Output = T>) -> io::Result<T> {
    tokio::select! {
        biased;
        done = something => Ok(done),
        () = conn.closed() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn write(conn: &Conn, bytes: &[u8], record: &Record) -> io::Result<()> {
    let taken = |count| record.written.set(record.written.get() + count as u64);
    conn.write(bytes, taken).await
}
