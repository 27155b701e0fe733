//! Pulls a stream from its upstream, whoever reads it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::StreamLog;
use super::numbering::Numbering;
use super::registry::Registry;
use crate::error::Error;

/// How long a stream waits for its fastest reader in all its life. No reader stalls it for longer.
const COURTESY: Duration = Duration::from_secs(1);

/// Writes the frames of `body` into `log` until it ends, is [stopped](Registry::cancel) or has been without readers for
/// longer than its policy allows. Dropping `body` is what closes the upstream's connection.
///
/// `body` knows by itself how long a stream may take, and when the process ends; it writes nothing that is not to be kept.
pub async fn produce(log: Arc<StreamLog>, registry: Arc<Registry>, body: impl Body<Data = Bytes, Error = Infallible>) {
    // Whatever becomes of this task, its readers must not wait for ever.
    let ending = Ending(&log, &registry);
    let mut numbering = Numbering::new(log.id(), log.about().limits.retry);
    if let Err(why) = write(&log, &registry, &mut numbering, body).await {
        let event = log.about().dialect.error_frame(&Error::StreamStopped { why });
        log.note_stopped();
        numbering.number(&event).into_iter().for_each(|frame| log.append(frame));
    }
    drop(ending);
    log.settled().await;
}

struct Ending<'a>(&'a Arc<StreamLog>, &'a Registry);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.1.note_end(self.0);
    }
}

/// Returns at the end of `body`, or why that must not be waited for.
async fn write(
    log: &Arc<StreamLog>,
    registry: &Registry,
    numbering: &mut Numbering,
    body: impl Body<Data = Bytes, Error = Infallible>,
) -> Result<(), &'static str> {
    let mut body = pin!(body);
    let mut stopped = pin!(log.stop.cancelled());
    let mut abandoned = pin!(abandoned(log));
    let mut courtesy = COURTESY;
    loop {
        let frame = tokio::select! {
            // In this order: an upstream that always has more must not keep the others from being seen.
            biased;
            () = &mut stopped => return Err("it was deleted"),
            () = &mut abandoned => return Err("nobody was reading it"),
            frame = body.frame() => frame,
        };
        let Some(Ok(frame)) = frame else { return Ok(()) };
        for frame in numbering.number(&frame.into_data().unwrap_or_default()) {
            log.append(frame);
            registry.note_growth(log);
            if log.is_ahead() {
                tokio::select! {
                    biased;
                    () = &mut stopped => return Err("it was deleted"),
                    () = wait_for_readers(log, &mut courtesy) => {}
                }
            }
        }
    }
}

/// Lets the fastest reader catch up, while there is any of `courtesy` left: what comes in one heap should not be forgotten before
/// a reader that keeps up with everything has had its turn.
async fn wait_for_readers(log: &StreamLog, courtesy: &mut Duration) {
    while log.is_ahead() && !courtesy.is_zero() {
        let begun = Instant::now();
        let _ = tokio::time::timeout(*courtesy, log.progress.notified()).await;
        *courtesy = courtesy.saturating_sub(begun.elapsed());
    }
}

/// Returns when nobody has read for as long as the stream's policy allows.
async fn abandoned(log: &StreamLog) {
    let about = log.about();
    let Some(patience) = about.limits.patience(about.on_disconnect) else {
        return std::future::pending().await;
    };
    let mut readers = log.seats.subscribe();
    // The first reader may still be on its way.
    if !has_reader(&mut readers, patience.max(about.limits.grace)).await {
        return;
    }
    loop {
        // The log holds the sender: this does not fail.
        drop(readers.wait_for(|readers| *readers == 0).await);
        if !has_reader(&mut readers, patience).await {
            return;
        }
    }
}

/// Waits for a reader, but not for longer than `patience`.
async fn has_reader(readers: &mut watch::Receiver<usize>, patience: Duration) -> bool {
    tokio::time::timeout(patience, readers.wait_for(|readers| *readers > 0)).await.is_ok()
}
