//! The scripted upstream: answers chat completions as each request's own script says.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::clock::{Pacer, now_ns};
use crate::http::{Conn, Framing};
use crate::script::{DONE, RESPONSE_HEAD, Script, TokenChunk, finish_chunk};

/// What is known of one request that asked to be recorded.
#[derive(Default)]
struct Record {
    written: AtomicU64,
    /// When the connection was seen to be closed before the answer's end; 0 before that.
    closed_at: AtomicU64,
}

type Records = Arc<Mutex<HashMap<u64, Arc<Record>>>>;

/// Serves on a free port of the loopback, which it prints, until its standard input ends:
/// so it never outlives the process that started it.
pub async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let (gone, parent_gone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || gone.send(io::copy(&mut io::stdin(), &mut io::sink())));
    tokio::select! {
        result = accept(listener) => result,
        _ = parent_gone => Ok(()),
    }
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let records = Records::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let records = Arc::clone(&records);
        // A connection that breaks is an everyday event here, and already recorded.
        tokio::spawn(async move { connection(stream, records).await.ok() });
    }
}

async fn connection(stream: TcpStream, records: Records) -> io::Result<()> {
    let mut conn = Conn::new(stream)?;
    while let Some(head) = conn.read_head().await? {
        let body = conn.read_body(head.framing.unwrap_or(Framing::Length(0))).await?;
        let target = head.start_line.rsplit_once(' ').map_or("", |(left, _)| left);
        if target == "POST /v1/chat/completions" {
            chat(&mut conn, &body, &records).await?;
        } else if let Some(id) = target.strip_prefix("GET /bench/records/") {
            let text = describe(&records, id.parse().unwrap_or(0));
            plain(&mut conn, "200 OK", &text).await?;
        } else {
            plain(&mut conn, "404 Not Found", "").await?;
        }
        if head.close {
            break;
        }
    }
    Ok(())
}

async fn plain(conn: &mut Conn, status: &str, text: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    conn.write(answer.as_bytes(), |_| {}).await
}

/// `written closed_at`, or nothing for a request that has not come.
fn describe(records: &Records, id: u64) -> String {
    let records = records.lock().unwrap_or_else(PoisonError::into_inner);
    records.get(&id).map_or_else(String::new, |record| {
        let (written, closed_at) = (record.written.load(Relaxed), record.closed_at.load(Relaxed));
        format!("{written} {closed_at}")
    })
}

async fn chat(conn: &mut Conn, body: &[u8], records: &Records) -> io::Result<()> {
    let script = Script::from_body(&String::from_utf8_lossy(body));
    let record = Arc::new(Record::default());
    if script.id != 0 {
        let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
        records.insert(script.id, Arc::clone(&record));
    }
    let result = answer(conn, &script, &record).await;
    if result.is_err() {
        record.closed_at.store(now_ns(), Relaxed);
    }
    result
}

async fn answer(conn: &mut Conn, script: &Script, record: &Record) -> io::Result<()> {
    if script.interval.is_zero() {
        if !script.first_delay.is_zero() {
            let pause = Pacer::new(script.first_delay, Duration::ZERO)?;
            wait(conn, &pause).await?;
        }
        write(conn, RESPONSE_HEAD, record).await?;
        flat_out(conn, script, record).await?;
    } else {
        paced(conn, script, record).await?;
    }
    if script.hold {
        conn.closed().await;
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    write(conn, &finish_chunk(script.tokens), record).await?;
    write(conn, DONE, record).await
}

/// Each token at its time.
async fn paced(conn: &mut Conn, script: &Script, record: &Record) -> io::Result<()> {
    let pacer = Pacer::new(script.first_delay, script.interval)?;
    let mut chunk = TokenChunk::new(script.pad);
    let mut due = wait(conn, &pacer).await?;
    write(conn, RESPONSE_HEAD, record).await?;
    for index in 0..script.tokens {
        if due == 0 {
            due = wait(conn, &pacer).await?;
        }
        due -= 1;
        write(conn, chunk.token(index, now_ns()), record).await?;
    }
    Ok(())
}

/// Tokens as fast as the connection takes them, in turn with all other streams:
/// without the turn, one stream would fill its socket's buffer before the next has a say.
async fn flat_out(conn: &mut Conn, script: &Script, record: &Record) -> io::Result<()> {
    let mut chunk = TokenChunk::new(script.pad);
    for index in 0..script.tokens {
        if index > 0 {
            tokio::task::yield_now().await;
        }
        write(conn, chunk.token(index, now_ns()), record).await?;
    }
    Ok(())
}

/// Waits for the timer, but no longer than the connection lasts.
async fn wait(conn: &mut Conn, pacer: &Pacer) -> io::Result<u64> {
    tokio::select! {
        ticks = pacer.tick() => ticks,
        () = conn.closed() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn write(conn: &Conn, bytes: &[u8], record: &Record) -> io::Result<()> {
    let taken = |count| {
        record.written.fetch_add(count as u64, Relaxed);
    };
    conn.write(bytes, taken).await
}
