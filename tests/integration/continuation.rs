//! An upstream that fails in the middle of a text is followed by one that goes on with it, and the client sees one stream.

mod bytes;
mod cuts;
mod limits;
mod refusals;
mod requests;
mod resumable;
mod usage;

use serde_json::Value;
use sluicegate::config::Config;
use sluicegate::dialect::Continuation;

use crate::support::{Proxy, Received, Reply, Script, Tongue, Upstream, speaker};

/// What the answer says, as its upstreams say it.
const TOKENS: [&str; 8] = ["Once", " upon", " a", " time,", "\n\n", "„Grüße“ 🌍", " were", " sent."];

/// What the client is told where another upstream goes on.
const SWITCHED: &str = ": continued by another upstream\n";

/// A proxy whose model `m` is at `targets`, in this order: an upstream, what it speaks, and how it is told to go on.
async fn proxy(targets: &[(&Upstream, Tongue, Option<Continuation>)], change: impl FnOnce(&mut Config)) -> Proxy {
    let mut config = Config::for_testing();
    let names = ["first", "second", "third"];
    for ((upstream, tongue, continuation), name) in targets.iter().zip(names) {
        let mut provider = speaker(tongue.name(), name, &upstream.url());
        provider.continuation = *continuation;
        config.providers.push(provider);
    }
    let targets: Vec<String> = names.iter().take(targets.len()).map(|name| format!("\"{name}/of-{name}\"")).collect();
    let model = format!("name = \"m\"\ntargets = [{}]", targets.join(", "));
    config.models.push(toml::from_str(&model).unwrap());
    change(&mut config);
    Proxy::start(config).await
}

/// What `client` is answered.
async fn ask(proxy: &Proxy, client: Tongue) -> Reply {
    Reply::of(proxy.post(client.path(true), client.request(true).to_string()).await).await
}

/// How a server that speaks `tongue` is told to go on.
fn way(tongue: Tongue) -> Continuation {
    if tongue == Tongue::Chat { Continuation::ContinueFinalMessage } else { Continuation::Prefill }
}

/// A stream that begins and has said `tokens`.
fn begun(tongue: Tongue, tokens: &[&str]) -> Script {
    tokens.iter().fold(tongue.head().send(tongue.begin()), |script, text| script.send(tongue.text(text)))
}

/// What the conversation that was asked about ends in, if that is the model's turn.
fn beginning(received: &Received) -> Option<String> {
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    let last = body["messages"].as_array().unwrap().last().unwrap();
    let text = last["content"].as_str().or_else(|| last["content"][0]["text"].as_str());
    (last["role"] == "assistant").then(|| text.unwrap().to_owned())
}

/// An upstream that answers from the beginning, or goes on with any beginning of the answer, under names of its own.
async fn successor(tongue: Tongue) -> Upstream {
    Upstream::start_with(move |received| {
        let Some(beginning) = beginning(received) else { return rest(tongue, &TOKENS) };
        let known = |count: &usize| TOKENS[..*count].concat().trim_end() == beginning;
        let count = (1..=TOKENS.len()).find(known).unwrap_or_else(|| panic!("{beginning:?} is no beginning"));
        rest(tongue, &TOKENS[count..])
    })
    .await
}

/// A stream of `tokens` under other names than those of [`begun`].
fn rest(tongue: Tongue, tokens: &[&str]) -> Script {
    let other = |text: String| {
        text.replace("\"id\":\"c\"", "\"id\":\"other\"")
            .replace("\"msg_1\"", "\"other\"")
            .replace("\"model\":\"m\"", "\"model\":\"other\"")
            .replace("\"created\":1", "\"created\":2")
    };
    let start = tongue.head().send(other(tongue.begin()));
    let script = tokens.iter().fold(start, |script, text| script.send(other(tongue.text(text))));
    script.send(other(tongue.end(&tokens.concat()))).end()
}
