//! Writes down what the streams of this process grow by, so that any replica can go on with them.
//!
//! What has come since the last time goes out in one pipeline, for all streams; while Redis works on it, more comes, and goes out in
//! the next. So a busy process asks no more often than an idle one, and each frame waits for one answer. Every write says from which
//! number on it writes and is there once, however often it is sent: after any failure, writing again is right.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};

use super::super::StreamLog;
use super::super::id::StreamId;
use super::super::registry::Registry;
use super::queue::{BATCH, Work};
use super::scripts::call;
use super::{Store, milliseconds};

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(1);
/// Catching up is more than one answer, and nobody waits for it.
const CATCHING_UP: Duration = Duration::from_secs(5);

/// Keeps the connection, and writes while there is one. Tells `tried` when it has tried to connect for the first time.
pub(super) async fn run(store: &Store, tried: mpsc::Sender<()>) {
    let (mut retry, mut is_known_to_fail) = (FIRST_RETRY, false);
    loop {
        let connected = tokio::select! {
            connected = tokio::time::timeout(CATCHING_UP, catch_up(store)) => connected,
            never = release_queued(store) => match never {},
        };
        let connected = connected.unwrap_or_else(|_| Err("catching up takes too long".to_owned()));
        let fault = match connected {
            Ok(connection) => {
                retry = FIRST_RETRY;
                if std::mem::take(&mut is_known_to_fail) {
                    tracing::info!("Redis is back; streams are shared again");
                }
                store.link.set_up(connection);
                with_registry(store, |registry| registry.produced().iter().for_each(|log| await_from_now(store, log)));
                let _ = tried.send(());
                write_until_broken(store).await
            }
            Err(fault) => fault,
        };
        with_registry(store, |registry| registry.produced().iter().for_each(|log| log.release()));
        if !std::mem::replace(&mut is_known_to_fail, true) {
            tracing::warn!(error = fault, "Redis fails; streams go on in the memory of this replica alone");
        }
        let _ = tried.send(());
        tokio::select! {
            () = tokio::time::sleep(retry) => {}
            never = release_queued(store) => match never {},
        }
        retry = (retry * 2).min(LAST_RETRY);
    }
}

fn with_registry(store: &Store, act: impl FnOnce(&Registry)) {
    if let Some(registry) = store.registry.upgrade() {
        act(&registry);
    }
}

/// Nobody waits while there is nothing to wait for.
async fn release_queued(store: &Store) -> std::convert::Infallible {
    loop {
        for work in store.queue.take().await {
            match work {
                Work::Write(log) => log.release(),
                Work::Forget(id) => store.queue.forget_later(id),
            }
        }
    }
}

/// Connects, and writes what Redis lacks of all that is kept: it may have missed some of it, or lost everything.
async fn catch_up(store: &Store) -> Result<MultiplexedConnection, String> {
    let mut connection = store.link.connect(CATCHING_UP).await.map_err(|error| error.to_string())?;
    store.scripts.load(&mut connection).await.map_err(|error| error.to_string())?;
    super::pulse::beat(store, &mut connection).await.map_err(|error| error.to_string())?;
    with_registry(store, |registry| registry.produced().iter().for_each(|log| log.doubt()));
    let unforgotten = store.queue.take_unforgotten();
    // A pipeline without commands has no answer.
    if !unforgotten.is_empty() {
        write(store, &mut connection, unforgotten).await?;
    }
    loop {
        let behind: Vec<_> = store.registry.upgrade().map_or_else(Vec::new, |registry| registry.produced());
        let behind: Vec<_> = behind.into_iter().filter(|log| log.is_behind()).collect();
        if behind.is_empty() {
            return Ok(connection);
        }
        for logs in behind.chunks(BATCH) {
            write(store, &mut connection, logs.iter().cloned().map(Work::Write).collect()).await?;
        }
    }
}

/// Does `work` over `connection`, which nobody else uses yet.
async fn write(store: &Store, connection: &mut MultiplexedConnection, work: Vec<Work>) -> Result<(), String> {
    let batch = Batch::of(store, work);
    match batch.pipeline.query_async(connection).await {
        Ok(answers) => batch.settle(store, answers),
        Err(error) => {
            batch.release(store);
            return Err(error.to_string());
        }
    }
    Ok(())
}

fn await_from_now(store: &Store, log: &Arc<StreamLog>) {
    log.be_awaited();
    store.queue.note(log);
}

/// Returns why it cannot go on.
async fn write_until_broken(store: &Store) -> String {
    loop {
        let work = tokio::select! {
            biased;
            fault = store.link.broken() => return fault,
            work = store.queue.take() => work,
        };
        let batch = Batch::of(store, work);
        match store.link.ask(&batch.pipeline).await {
            Ok(answers) => batch.settle(store, answers),
            // Nobody else may have them: they are to be released.
            Err(_) => batch.release(store),
        }
    }
}

/// One pipeline, and what each of its commands is about.
struct Batch {
    pipeline: Pipeline,
    steps: Vec<Step>,
}

enum Step {
    Publish(Arc<StreamLog>),
    Append { log: Arc<StreamLog>, ends: bool },
    Forget(StreamId),
}

impl Batch {
    fn of(store: &Store, work: Vec<Work>) -> Self {
        let (mut pipeline, mut steps) = (redis::pipe(), Vec::new());
        for work in work {
            let (command, step) = match work {
                Work::Forget(id) => {
                    let mut command = call(&store.scripts.forget);
                    command.arg(&store.prefix).arg(id.to_string());
                    (command, Step::Forget(id))
                }
                Work::Write(log) if log.take_turn() => (store.begin(&log, None), Step::Publish(log)),
                Work::Write(log) => {
                    let (command, ends) = append(store, &log);
                    (command, Step::Append { log, ends })
                }
            };
            pipeline.add_command(command);
            steps.push(step);
        }
        Self { pipeline, steps }
    }

    fn settle(self, store: &Store, answers: Vec<Value>) {
        for (step, answer) in self.steps.into_iter().zip(answers) {
            let log = match step {
                Step::Forget(_) => continue,
                Step::Publish(log) => {
                    // The word that its producer was sent may not have come.
                    if log.note_answer_to_publish(&answer) {
                        with_registry(store, |registry| registry.stop(log.id()));
                    }
                    log
                }
                Step::Append { log, ends } => {
                    log.note_answer_to_append(&answer, ends);
                    log
                }
            };
            if log.has_more_to_write() {
                store.queue.note(&log);
            }
        }
    }

    fn release(self, store: &Store) {
        for step in self.steps {
            match step {
                Step::Publish(log) | Step::Append { log, .. } => log.release(),
                Step::Forget(id) => store.queue.forget_later(id),
            }
        }
    }
}

/// The call that writes the next frames of `log`, and whether it writes its end.
fn append(store: &Store, log: &StreamLog) -> (Cmd, bool) {
    let readers = log.seats.count();
    let mut log_now = log.log();
    let frames: Vec<Bytes> = log_now.next_to_write();
    let (first, bytes) = (log_now.frames.first(), log_now.frames.bytes());
    let number = log_now.written().max(first - 1) + 1;
    let is_last = number + frames.len() as u64 > log_now.frames.last();
    let end = log_now.ended.filter(|_| is_last).map_or("", |_| log_now.state().as_str());
    log_now.note_readers_told(readers);
    drop(log_now);
    let mut command = call(&store.scripts.write);
    command.arg(&store.prefix).arg(log.id().to_string()).arg(&store.replica).arg(first).arg(number);
    command.arg(readers).arg(bytes).arg(end).arg(milliseconds(log.about().limits.keep_finished));
    frames.iter().for_each(|frame| {
        command.arg(&frame[..]);
    });
    (command, !end.is_empty())
}
