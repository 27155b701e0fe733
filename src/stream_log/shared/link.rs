//! The connection to Redis that everybody in the process uses, and whether it can be used.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisResult};
use tokio::sync::Notify;

/// Redis cannot be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Down;

/// See the [module documentation](self).
pub(super) struct Link {
    client: Client,
    /// How long anybody waits for an answer.
    pub(super) timeout: Duration,
    state: Mutex<State>,
    broken: Notify,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections: what one did is not another's fault.
    generation: u64,
    /// Why the last one is gone.
    fault: Option<String>,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, state: Mutex::default(), broken: Notify::new() }
    }

    /// A new connection, of which nobody else knows. `response` bounds the wait for each of its answers.
    pub(super) async fn connect(&self, response: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout.max(Duration::from_secs(1))))
            .set_response_timeout(Some(response));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// From now on `connection` is used.
    pub(super) fn set_up(&self, connection: MultiplexedConnection) {
        let mut state = self.state();
        state.generation += 1;
        state.connection = Some(connection);
    }

    /// Waits until the connection fails whoever uses it, and returns why.
    pub(super) async fn broken(&self) -> String {
        loop {
            let told = self.broken.notified();
            {
                let mut state = self.state();
                if state.connection.is_none() {
                    return state.fault.take().unwrap_or_default();
                }
            }
            told.await;
        }
    }

    /// Sends `pipeline` and waits for its answers, but not for long. Whatever goes wrong, the connection is given up: what
    /// cannot be written down completely is not written down.
    pub(super) async fn ask<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Down> {
        let (mut connection, generation) = {
            let state = self.state();
            (state.connection.clone().ok_or(Down)?, state.generation)
        };
        match tokio::time::timeout(self.timeout, pipeline.query_async(&mut connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.fail(generation, error.to_string())),
            Err(_) => Err(self.fail(generation, "it does not answer in time".to_owned())),
        }
    }

    fn fail(&self, generation: u64, fault: String) -> Down {
        let mut state = self.state();
        if state.generation == generation && state.connection.take().is_some() {
            state.fault = Some(fault);
            self.broken.notify_one();
        }
        Down
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics in the middle of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
