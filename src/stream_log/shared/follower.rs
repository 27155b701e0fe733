//! Lets copies of other replicas' streams grow, and hears what other replicas say.
//!
//! One connection waits for all of it at once: whatever comes for any copy ends the wait, and so does a word to this replica, which
//! it also says to itself when there is one more copy to wait for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult};
use tokio::time::Instant;

use super::super::about::State;
use super::super::id::StreamId;
use super::super::{Accounts, StreamLog};
use super::{Card, Down, Store};

/// How long one wait lasts, so that readers that have left are told of.
const WAIT: Duration = Duration::from_millis(500);
/// After a failure.
const RETRY: Duration = Duration::from_millis(200);
/// How many entries of one stream are read at once.
const COUNT: usize = 256;
/// How many words a replica can leave unheard.
const MAX_WORDS: usize = 10_000;

/// An entry of a Redis stream: its id, and what it holds.
type Entry = (String, Vec<(String, Bytes)>);
type Entries = Vec<(String, Vec<Entry>)>;

pub(super) async fn run(store: &Store) {
    let mut heard = "0-0".to_owned();
    loop {
        if let Ok(mut connection) = store.link.connect(WAIT + store.link.timeout).await {
            // Whatever is wrong with Redis, the link says it.
            let _ = follow(store, &mut connection, &mut heard).await;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Reads until something fails.
async fn follow(store: &Store, connection: &mut MultiplexedConnection, heard: &mut String) -> RedisResult<()> {
    loop {
        let Some(registry) = store.registry.upgrade() else { return Ok(()) };
        let copies: HashMap<String, Arc<StreamLog>> =
            registry.growing_copies().into_iter().map(|log| (store.key(log.id(), "frames"), log)).collect();
        let words = registry.words_of_readers();
        drop(registry);
        say(store, words).await;
        let control = store.control(&store.replica);
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(COUNT).arg("BLOCK").arg(WAIT.as_millis().to_string()).arg("STREAMS").arg(&control);
        copies.keys().for_each(|key| {
            read.arg(key);
        });
        read.arg(&*heard);
        copies.values().for_each(|log| {
            read.arg(format!("{}-0", log.log().frames.last()));
        });
        let news: Option<Entries> = read.query_async(connection).await?;
        for (key, entries) in news.unwrap_or_default() {
            if key == control {
                hear(store, entries, heard).await;
            } else if let Some(log) = copies.get(&key) {
                entries.iter().for_each(|entry| log.receive(entry));
                if let Some(registry) = store.registry.upgrade() {
                    registry.keep_copies_within_limits(log);
                }
            }
        }
    }
}

/// Does what other replicas have said.
async fn hear(store: &Store, entries: Vec<Entry>, heard: &mut String) {
    for (id, fields) in entries {
        *heard = id;
        let Some(registry) = store.registry.upgrade() else { return };
        let field = |name: &str| {
            let (_, value) = fields.iter().find(|(field, _)| field == name)?;
            std::str::from_utf8(value).ok()
        };
        let Some(stream) = field("id").and_then(StreamId::parse) else { continue };
        match field("do") {
            Some("stop") => registry.stop(stream),
            Some("cancel") => registry.cancel_here(stream),
            Some("forget") => registry.forget_finished(stream),
            Some("readers") => {
                let readers = field("readers").and_then(|readers| readers.parse().ok()).unwrap_or(0);
                registry.note_readers(stream, field("from").unwrap_or_default(), readers);
            }
            _ => {}
        }
    }
}

/// Tells each producer how many read its stream here.
async fn say(store: &Store, words: Vec<(StreamId, String, usize)>) {
    if words.is_empty() {
        return;
    }
    let mut pipeline = redis::pipe();
    for (id, producer, readers) in words {
        let control = store.control(&producer);
        pipeline.cmd("XADD").arg(&control).arg("MAXLEN").arg("~").arg(MAX_WORDS).arg("*");
        pipeline.arg("do").arg("readers").arg("id").arg(id.to_string());
        pipeline.arg("from").arg(&store.replica).arg("readers").arg(readers).ignore();
        pipeline.cmd("PEXPIRE").arg(&control).arg(60_000).ignore();
    }
    // Said again within a second.
    let _ = store.link.ask::<()>(&pipeline).await;
}

/// Ends the present wait.
pub(super) async fn wake(store: &Store) {
    let mut word = redis::cmd("XADD");
    word.arg(store.control(&store.replica)).arg("MAXLEN").arg("~").arg(MAX_WORDS).arg("*").arg("do").arg("wake");
    // If it fails, the wait ends by itself.
    let _ = store.ask_one::<String>(word).await;
}

/// A copy of the stream that `card` is about, with all that is written of it now.
pub(super) async fn copy(store: &Store, card: &Card, accounts: Accounts) -> Result<StreamLog, Down> {
    let begun = Instant::now().checked_sub(card.age).unwrap_or_else(Instant::now);
    let log = StreamLog::new(card.id, card.about.clone(), begun, accounts, None);
    log.log().is_copy = true;
    let key = store.key(card.id, "frames");
    let mut after = "-".to_owned();
    loop {
        let entries: Vec<Entry> = store.ask_one(range(&key, &after)).await?;
        let Some((last, _)) = entries.last() else { return Ok(log) };
        after = format!("({last}");
        entries.iter().for_each(|entry| log.receive(entry));
        if entries.len() < COUNT {
            return Ok(log);
        }
    }
}

fn range(key: &str, after: &str) -> Cmd {
    let mut range = redis::cmd("XRANGE");
    range.arg(key).arg(after).arg("+").arg("COUNT").arg(COUNT);
    range
}

impl StreamLog {
    /// Takes what its producer has written.
    fn receive(&self, (id, fields): &Entry) {
        let Some((number, _)) = id.split_once('-') else { return };
        let (Ok(number), Some((field, value))) = (number.parse::<u64>(), fields.first()) else { return };
        match field.as_str() {
            "frame" => self.receive_frame(number, value.clone()),
            "end" => {
                if std::str::from_utf8(value).ok().and_then(State::parse) == Some(State::Stopped) {
                    self.note_stopped();
                }
                self.end();
            }
            _ => {}
        }
    }

    fn receive_frame(&self, number: u64, frame: Bytes) {
        {
            let mut log = self.log();
            if number <= log.frames.last() {
                return;
            }
            if number > log.frames.last() + 1 {
                // What is missing is no longer kept there either.
                let before = log.frames.bytes();
                log.frames.skip_to(number - 1);
                self.accounts.charge(before, 0);
            }
        }
        self.append(frame);
    }
}
