//! Shows each second that this replica lives and what its streams cost, and ends the streams of replicas that do not.
//!
//! Another replica is gone when it has shown nothing for a while in which this one could have seen it. Nobody's clock matters, and
//! time in which Redis itself stood still does not count.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value};
use tokio::time::Instant;

use super::super::id::StreamId;
use super::super::numbering::Numbering;
use super::scripts::call;
use super::{Card, Down, Store, milliseconds};
use crate::error::Error;

const EVERY: Duration = Duration::from_secs(1);
/// One that shows no pulse for so long is gone.
const GONE: Duration = Duration::from_secs(5);

/// Another replica, the time of its last pulse as Redis says it, and what its callers' streams cost.
type Other = (String, String, HashMap<String, usize>);

pub(super) async fn run(store: &Store) {
    let mut seen: HashMap<String, (String, Instant)> = HashMap::new();
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(registry) = store.registry.upgrade() else { return };
        for log in registry.produced().iter().filter(|log| log.has_news()) {
            // Its token ages while nobody reads it, and only then.
            log.doubt();
            store.queue.note(log);
        }
        drop(registry);
        match store.ask_one::<Vec<Other>>(pulse(store)).await {
            Ok(others) => {
                take_stock(store, &others);
                see(&mut seen, &others);
                for (replica, _) in seen.iter().filter(|(_, (_, since))| since.elapsed() > GONE) {
                    // If it fails, somebody does it later.
                    let _ = bury(store, replica).await;
                }
                let _ = check_copies(store).await;
            }
            Err(Down) => seen.clear(),
        }
    }
}

fn pulse(store: &Store) -> Cmd {
    let mut pulse = call(&store.scripts.pulse);
    pulse.arg(&store.prefix).arg(&store.replica);
    for (caller, bytes) in store.registry.upgrade().map_or_else(Vec::new, |registry| registry.costs()) {
        pulse.arg(super::card::caller(caller.as_deref())).arg(bytes);
    }
    pulse
}

/// Shows over `connection` that this replica lives, and that Redis takes what is written.
pub(super) async fn beat(store: &Store, connection: &mut MultiplexedConnection) -> RedisResult<()> {
    pulse(store).query_async::<Value>(connection).await.map(drop)
}

/// Counts what streams cost elsewhere.
fn take_stock(store: &Store, others: &[Other]) {
    let mut costs: HashMap<Option<Arc<str>>, usize> = HashMap::new();
    for (caller, bytes) in others.iter().flat_map(|(_, _, costs)| costs) {
        *costs.entry(super::card::owner(caller)).or_default() += bytes;
    }
    if let Some(registry) = store.registry.upgrade() {
        registry.set_costs_elsewhere(&costs);
    }
}

/// Notes which pulses are new.
fn see(seen: &mut HashMap<String, (String, Instant)>, others: &[Other]) {
    seen.retain(|replica, _| others.iter().any(|(other, _, _)| other == replica));
    for (replica, pulse, _) in others {
        match seen.get_mut(replica) {
            Some((last, _)) if last == pulse => {}
            _ => {
                seen.insert(replica.clone(), (pulse.clone(), Instant::now()));
            }
        }
    }
}

/// Ends all streams of `replica`, then forgets it.
async fn bury(store: &Store, replica: &str) -> Result<(), Down> {
    let running = format!("{}:running:{replica}", store.prefix);
    let mut members = redis::cmd("SMEMBERS");
    members.arg(&running);
    let names: Vec<String> = store.ask_one(members).await?;
    let ids: Vec<StreamId> = names.iter().filter_map(|name| StreamId::parse(name)).collect();
    if !ids.is_empty() {
        tracing::warn!(streams = ids.len(), "a replica is gone; its streams are ended");
    }
    let mut all_ended = true;
    for ids in ids.chunks(256) {
        let cards = store.cards_of_all(ids).await?;
        let mut pipeline = redis::pipe();
        for (id, card) in ids.iter().zip(&cards) {
            pipeline.add_command(orphan(store, replica, *id, card.as_ref()));
        }
        let answers: Vec<u64> = store.link.ask(&pipeline).await?;
        all_ended &= answers.iter().all(|answer| *answer == 1);
    }
    if all_ended {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZREM").arg(format!("{}:replicas", store.prefix)).arg(replica).ignore();
        store.link.ask::<()>(&pipeline).await?;
    }
    Ok(())
}

/// The call that ends the stream called `id` with an error, if it is as `card` has it.
fn orphan(store: &Store, replica: &str, id: StreamId, card: Option<&Card>) -> Cmd {
    // Of one that cannot be read nothing can be said, but it ends.
    let last = card.map_or_else(|| "-1".to_owned(), |card| card.last.to_string());
    let frame = card.map_or_else(Vec::new, |card| {
        let mut numbering = Numbering::after(card.last, id, card.about.limits.retry);
        numbering.number(&card.about.dialect.error_frame(&Error::ReplicaLost)).concat()
    });
    let mut command = call(&store.scripts.orphan);
    command.arg(&store.prefix).arg(id.to_string()).arg(replica).arg(&store.replica).arg(last);
    command.arg(milliseconds(store.limits.keep_finished)).arg(frame);
    command
}

/// Notes which copies still have an original.
async fn check_copies(store: &Store) -> Result<(), Down> {
    let Some(registry) = store.registry.upgrade() else { return Ok(()) };
    let copies = registry.growing_copies();
    if copies.is_empty() {
        return Ok(());
    }
    let mut pipeline = redis::pipe();
    for log in &copies {
        pipeline.cmd("EXISTS").arg(store.key(log.id(), "about"));
    }
    let answers: Vec<bool> = store.link.ask(&pipeline).await?;
    registry.note_alive(copies.iter().zip(answers).filter(|(_, exists)| *exists).map(|(log, _)| log.id()));
    Ok(())
}
