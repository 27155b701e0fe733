//! What replicas know of each other's streams, by way of Redis.
//!
//! A stream stays in the memory of the process that produces it. What its producer appends is also written down in Redis
//! ([`writer`]), before any reader sees it; another replica that is asked for the stream makes itself a copy and lets it grow
//! ([`follower`]). Each replica shows that it lives, and ends the streams of one that does not ([`pulse`]).
//!
//! Redis is never in the way. When it fails to answer in time, streams go on in memory alone and say so, and nobody waits for it
//! again until it is back and has caught up. One thread does all this, so that no worker is kept from its clients.

mod card;
mod follower;
mod link;
pub(super) mod mirror;
mod pulse;
mod queue;
mod scripts;
mod writer;

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::runtime::Builder;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::id::{StreamId, random_name};
use super::registry::Registry;
use super::{StreamLog, Summary};
use crate::config::redis::Redis;
use crate::config::resume::Resume;
use crate::error::Error;

pub(super) use card::Card;
pub(super) use link::Down;
use link::Link;
use mirror::Mirror;
use queue::Queue;
use scripts::{Scripts, call};

/// Longer than any stream is kept, and short enough for what Redis counts in.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// This replica's part in what all know. Its thread ends when it is dropped.
pub(super) struct Shared {
    store: Arc<Store>,
    _end: DropGuard,
}

/// What the tasks of the thread work with.
struct Store {
    /// What this replica is called, a new name for each process.
    replica: String,
    prefix: String,
    link: Link,
    scripts: Scripts,
    queue: Queue,
    /// What copies may cost.
    limits: Resume,
    registry: Weak<Registry>,
}

impl Shared {
    /// Starts the thread that shares the streams of `registry`, and gives it a moment to reach Redis.
    ///
    /// # Errors
    ///
    /// If there can be no thread, or the URL cannot be used.
    pub(super) fn start(config: &Redis, limits: &Resume, registry: Weak<Registry>) -> std::io::Result<Option<Self>> {
        let Some(url) = &config.url else { return Ok(None) };
        let client =
            redis::Client::open(url.expose()).map_err(|_| std::io::Error::other("redis.url cannot be used"))?;
        let store = Arc::new(Store {
            replica: random_name(),
            prefix: config.prefix.clone(),
            link: Link::new(client, config.timeout),
            scripts: Scripts::new(),
            queue: Queue::default(),
            limits: limits.clone(),
            registry,
        });
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let end = CancellationToken::new();
        let (tried, first_try) = std::sync::mpsc::channel();
        let (ended, working) = (end.clone(), Arc::clone(&store));
        let work = async move {
            tokio::select! {
                () = ended.cancelled() => {}
                ((), (), ()) = async { tokio::join!(writer::run(&working, tried), follower::run(&working), pulse::run(&working)) } => {}
            }
        };
        thread::Builder::new().name("streams".to_owned()).spawn(move || runtime.block_on(work))?;
        // Streams that begin at once should be shared, and a Redis that is not there should not keep anybody.
        let _ = first_try.recv_timeout(config.timeout * 2);
        Ok(Some(Self { store, _end: end.drop_guard() }))
    }

    /// What a new stream needs to be shared.
    pub(super) fn mirror(&self) -> Mirror {
        Mirror::default()
    }

    /// Makes `log` known to all replicas, at the cost of streams that ended first.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyStreams`] if all replicas together have too many.
    pub(super) async fn begin(&self, log: &StreamLog) -> Result<(), Error> {
        let limits = &log.about().limits;
        let bounds = Some((limits.max_caller_streams, limits.max_total_streams));
        let answer = self.store.ask_one::<Value>(self.store.begin(log, bounds)).await;
        let (key, limit) = match answer {
            Ok(Value::Int(-1)) => ("max_caller_streams", limits.max_caller_streams),
            Ok(Value::Int(-2)) => ("max_total_streams", limits.max_total_streams),
            Ok(_) => {
                log.note_published();
                return Ok(());
            }
            // It will be made known when Redis is back.
            Err(Down) => return Ok(()),
        };
        Err(Error::TooManyStreams { key, limit })
    }

    /// Tells all replicas what has changed about `log`: its token.
    pub(super) async fn publish(&self, log: &StreamLog) {
        // If it fails, it is told when Redis is back.
        let _ = self.store.ask_one::<Value>(self.store.begin(log, None)).await;
    }

    /// `log` has grown, or ended.
    pub(super) fn note(&self, log: &Arc<StreamLog>) {
        self.store.queue.note(log);
    }

    /// The stream called `id` is to be forgotten, when there is time.
    pub(super) fn forget(&self, id: StreamId) {
        self.store.queue.forget(id);
    }

    /// Makes the stream called `id` unknown everywhere, and tells its producer.
    pub(super) async fn delete(&self, id: StreamId) -> Result<(), Down> {
        let mut command = call(&self.store.scripts.delete);
        command.arg(&self.store.prefix).arg(id.to_string());
        self.store.ask_one::<Value>(command).await.map(drop)
    }

    /// Tells `producer` to stop the stream called `id` and to keep it.
    pub(super) async fn cancel(&self, id: StreamId, producer: &str) -> Result<(), Down> {
        let control = self.store.control(producer);
        let mut pipeline = redis::pipe();
        pipeline.cmd("XADD").arg(&control).arg("*").arg("do").arg("cancel").arg("id").arg(id.to_string()).ignore();
        pipeline.cmd("PEXPIRE").arg(&control).arg(60_000).ignore();
        self.store.link.ask::<()>(&pipeline).await
    }

    /// What is known of the stream called `id`.
    pub(super) async fn describe(&self, id: StreamId) -> Result<Option<Card>, Down> {
        Ok(self.store.cards(&[id]).await?.pop())
    }

    /// A copy of the stream that `card` is about, as far as it has come.
    pub(super) async fn copy(&self, card: &Card, accounts: super::Accounts) -> Result<StreamLog, Down> {
        follower::copy(&self.store, card, accounts).await
    }

    /// Waits until `copy` has come as far as `card` says, but not for long.
    pub(super) async fn catch_up(&self, copy: &StreamLog, card: &Card) {
        let has_come = |log: &super::Log| log.frames.last() >= card.last || log.ended.is_some() || log.cut;
        let _ = tokio::time::timeout(self.store.link.timeout, copy.wait_until(copy.seats.number(), has_come)).await;
    }

    /// A copy has been made, and is to grow.
    pub(super) async fn follow(&self) {
        follower::wake(&self.store).await;
    }

    /// The streams of the caller called `owner`, wherever they are produced.
    pub(super) async fn list(&self, owner: Option<&str>) -> Result<Vec<Summary>, Down> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(format!("{}:streams:{}", self.store.prefix, card::caller(owner))).arg(0).arg(-1);
        let names: Vec<String> = self.store.ask_one(command).await?;
        let ids: Vec<StreamId> = names.iter().filter_map(|name| StreamId::parse(name)).collect();
        Ok(self.store.cards(&ids).await?.iter().map(Card::summary).collect())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("replica", &self.store.replica).finish_non_exhaustive()
    }
}

// === impl Store ===

impl Store {
    async fn ask_one<T: redis::FromRedisValue>(&self, command: Cmd) -> Result<T, Down> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        let (answer,) = self.link.ask(&pipeline).await?;
        Ok(answer)
    }

    fn key(&self, id: StreamId, part: &str) -> String {
        format!("{}:{{{id}}}:{part}", self.prefix)
    }

    fn control(&self, replica: &str) -> String {
        format!("{}:control:{replica}", self.prefix)
    }

    /// The call that makes `log` known, within `bounds` if it is new.
    fn begin(&self, log: &StreamLog, bounds: Option<(usize, usize)>) -> Cmd {
        let (about, limits) = (log.about(), &log.about().limits);
        let bound = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
        let (of_caller, in_total) = bounds.map_or((-1, -1), |(caller, total)| (bound(caller), bound(total)));
        let life = limits.max_age.saturating_add(limits.keep_finished);
        let mut command = call(&self.scripts.begin);
        command
            .arg(&self.prefix)
            .arg(log.id().to_string())
            .arg(&self.replica)
            .arg(card::caller(about.owner.as_deref()));
        command.arg(of_caller).arg(in_total).arg(milliseconds(life)).arg(milliseconds(limits.keep_finished));
        command.arg(milliseconds(log.begun.elapsed()));
        for (field, value) in card::fields(log) {
            command.arg(field).arg(value);
        }
        command
    }

    /// What is known of those of `ids` that can be found.
    async fn cards(&self, ids: &[StreamId]) -> Result<Vec<Card>, Down> {
        Ok(self.cards_of_all(ids).await?.into_iter().flatten().filter(|card| !card.is_deleted).collect())
    }

    /// What is known of each of `ids`.
    async fn cards_of_all(&self, ids: &[StreamId]) -> Result<Vec<Option<Card>>, Down> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("TIME");
        for id in ids {
            pipeline.cmd("HGETALL").arg(self.key(*id, "about"));
        }
        let mut answers: Vec<Value> = self.link.ask(&pipeline).await?;
        let now = card::time(&answers.remove(0));
        Ok(ids.iter().zip(answers).map(|(id, answer)| Card::read(*id, &answer, now, &self.limits)).collect())
    }
}

/// As Redis counts it.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.min(LONGEST_LIFE).as_millis()).unwrap_or(u64::MAX)
}
