//! What is written down about a stream, beside its frames.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::{FromRedisValue, Value};
use tokio::time::Instant;

use super::super::StreamLog;
use super::super::about::{Description, Scope, State, Summary};
use super::super::id::StreamId;
use crate::config::client_key::Digest;
use crate::config::resume::Resume;
use crate::dialect;

/// A stream as every replica may know it.
pub(in super::super) struct Card {
    pub(in super::super) id: StreamId,
    pub(in super::super) about: Description,
    /// Who produces it.
    pub(in super::super) replica: String,
    pub(super) age: Duration,
    state: State,
    /// The number of its last frame.
    pub(super) last: u64,
    readers: usize,
    bytes: usize,
    /// Nobody is to find it any more.
    pub(super) is_deleted: bool,
    /// The digest of the token that lets readers in, and for how long it does.
    pub(in super::super) token: Option<(Digest, Duration)>,
}

/// How a caller is called in the names of keys: one without a name is not one with an empty name.
pub(super) fn caller(owner: Option<&str>) -> String {
    owner.map_or_else(String::new, |name| format!("={name}"))
}

/// The owner that is called so.
pub(super) fn owner(caller: &str) -> Option<Arc<str>> {
    caller.strip_prefix('=').map(Arc::from)
}

/// What is written about `log` when it begins. The rest is added as it grows.
pub(super) fn fields(log: &StreamLog) -> Vec<(&'static str, String)> {
    let about = log.about();
    let mut fields = vec![
        ("dialect", about.dialect.name().to_owned()),
        ("model", about.model.clone()),
        ("on_disconnect", about.on_disconnect.as_str().to_owned()),
        ("background", about.background.to_string()),
    ];
    let is_read = log.seats.count() > 0;
    if let Some((digest, until)) = log.log().token {
        // While it is read it does not age.
        let until = if is_read { Instant::now() + about.limits.token_lifetime } else { until };
        let until = unix_time() + until.saturating_duration_since(Instant::now());
        fields.extend([("token", digest.into()), ("token_until", until.as_millis().to_string())]);
    }
    fields
}

/// The clocks of replicas must agree as far as the lifetime of a token matters.
fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What Redis says of the time.
pub(super) fn time(answer: &Value) -> Duration {
    let (seconds, microseconds) = <(u64, u64)>::from_redis_value_ref(answer).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}

impl Card {
    /// Reads what is written about the stream called `id`; `None` if it is nothing.
    pub(super) fn read(id: StreamId, written: &Value, now: Duration, limits: &Resume) -> Option<Self> {
        let fields = HashMap::<String, String>::from_redis_value_ref(written).ok()?;
        let field = |name: &str| fields.get(name).map(String::as_str);
        let number = |name: &str| field(name)?.parse::<u64>().ok();
        let owner = owner(field("caller")?);
        let about = Description {
            owner,
            dialect: dialect::find(field("dialect")?)?,
            model: field("model")?.to_owned(),
            on_disconnect: field("on_disconnect")?.parse().ok()?,
            background: field("background") == Some("true"),
            limits: limits.clone(),
        };
        let is_read = number("readers").is_some_and(|readers| readers > 0);
        let digest = field("token").and_then(|digest| Digest::try_from(digest.to_owned()).ok());
        let until = Duration::from_millis(number("token_until").unwrap_or(0));
        Some(Self {
            id,
            about,
            replica: field("replica")?.to_owned(),
            age: now.saturating_sub(Duration::from_millis(number("begun")?)),
            state: State::parse(field("state")?)?,
            last: number("last")?,
            readers: number("readers")?.try_into().ok()?,
            bytes: number("bytes")?.try_into().ok()?,
            is_deleted: field("deleted").is_some(),
            token: digest.map(|digest| {
                (digest, if is_read { limits.token_lifetime } else { until.saturating_sub(unix_time()) })
            }),
        })
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            id: self.id,
            state: self.state,
            model: self.about.model.clone(),
            dialect: self.about.dialect.name(),
            on_disconnect: self.about.on_disconnect,
            age: self.age,
            events: self.last,
            bytes: self.bytes,
            readers: self.readers,
            scope: Scope::Shared,
        }
    }
}
