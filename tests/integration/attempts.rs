//! Upstreams that fail, and clients that do not notice: who is asked when, and what a client is told when nobody answers.

mod breakers;
mod departures;
mod first_content;
mod hedging;
mod keys;
mod pool;
mod probes;
mod queue;
mod random;
mod repeats;
mod storms;
mod strategies;
mod told;
mod waits;

use sluicegate::config::Config;
use sluicegate::config::model::{Model, Target};

use crate::support::{FINISH, Proxy, Script, Upstream, provider, token, until};

/// Whole answers that do not stream.
const ANSWER: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"rescued"},"finish_reason":"stop"}]}"#;
const NO: &str = r#"{"error":{"message":"no"}}"#;

/// A proxy whose model `m` is at each of `urls`, whose providers are called `a`, `b` and so on. `change` has the last word.
async fn proxy_at(urls: &[String], change: impl FnOnce(&mut Config)) -> Proxy {
    let names = ["a", "b", "c", "d"];
    let mut config = Config::for_testing();
    config.providers = names.iter().zip(urls).map(|(name, url)| provider(name, url)).collect();
    let targets = names.iter().zip(urls).map(|(name, _)| Target::new(name, "m")).collect();
    config.models = vec![Model { name: "m".to_owned(), targets, ..Model::default() }];
    change(&mut config);
    Proxy::start(config).await
}

async fn proxy_before(upstreams: &[&Upstream], change: impl FnOnce(&mut Config)) -> Proxy {
    let urls: Vec<String> = upstreams.iter().map(|upstream| upstream.url()).collect();
    proxy_at(&urls, change).await
}

/// An upstream that answers every request with `script`.
async fn always(script: Script) -> Upstream {
    Upstream::start(script).await
}

async fn good() -> Upstream {
    always(Script::answer(&["rescued"])).await
}

/// What a good upstream says, byte for byte.
fn good_text() -> String {
    [crate::support::ROLE, &token("rescued"), FINISH, crate::support::DONE].concat()
}

/// The outcomes in `x-sluicegate-attempts`, without the times.
fn outcomes(attempts: &str) -> Vec<String> {
    let outcome = |attempt: &str| attempt.rsplit_once(';').expect("milliseconds").0.to_owned();
    attempts.split(", ").filter(|attempt| !attempt.is_empty()).map(outcome).collect()
}

/// Waits until no target has anything in flight or waiting.
async fn everything_is_given_back(proxy: &Proxy) {
    let is_free = || proxy.fleet.status().iter().all(|status| (status.in_flight, status.waiting) == (0, 0));
    until("every place given back", is_free).await;
}
