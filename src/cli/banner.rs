//! What the server says of itself when it starts.

use std::net::SocketAddr;

use crate::config::Config;
use crate::config::provider::{BaseUrl, Origin, Provider};
use crate::demo;

/// The start-up lines: where it listens, what it serves and from where, and a line to paste.
pub(super) fn lines(config: &Config, listen: SocketAddr) -> String {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let reachable =
        if listen.ip().is_unspecified() { format!("127.0.0.1:{}", listen.port()) } else { listen.to_string() };
    let url = format!("{scheme}://{reachable}");
    let mut lines =
        vec![format!("sluicegate {} on {scheme}://{listen}   chat page: {url}/", env!("CARGO_PKG_VERSION"))];
    lines.extend(config.providers.iter().map(|provider| models(provider, config)));
    lines.extend(config.models.iter().map(|model| {
        let targets: Vec<String> = model.targets.iter().cloned().map(String::from).collect();
        format!("model {}: {}", model.name, targets.join(", then "))
    }));
    lines.extend(curl(config, &url));
    if config.keys.is_empty() && !listen.ip().is_loopback() {
        lines.push(
            "Warning: no client keys, and this address can be reached from outside. Whoever reaches it spends your provider's \
             tokens.\n         Publish it to this machine only (docker run -p 127.0.0.1:8080:8080 …), or require a key:\n         \
             SLUICEGATE__KEY='[{ name = \"me\", secret = \"choose-one\" }]'"
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn models(provider: &Provider, config: &Config) -> String {
    let url = provider.base_url.as_ref().map_or("", BaseUrl::as_str);
    if provider.origin == Origin::Demo {
        let ids: Vec<&str> = demo::MODELS.iter().map(|model| model.id).collect();
        return format!(
            "models {}: the built-in demo upstream, because no provider is configured\n       (set OPENAI_API_KEY, or use \
             --upstream URL or --config FILE)",
            ids.join(", ")
        );
    }
    let from = match &provider.origin {
        Origin::Environment(variable) => format!("{variable} in the environment"),
        Origin::CommandLine => "--upstream".to_owned(),
        Origin::Configuration | Origin::Demo => "the configuration".to_owned(),
    };
    let names =
        if provider.default || config.providers.len() == 1 { "*".to_owned() } else { format!("{}/*", provider.name) };
    format!("models {names}: {} at {url}, from {from}", provider.name)
}

/// A line to paste: a request to the first model, in the dialect of its provider.
fn curl(config: &Config, url: &str) -> Option<String> {
    let model = match (config.models.first(), config.providers.first()) {
        (Some(model), _) => &model.name,
        (None, Some(provider)) if provider.origin == Origin::Demo => "demo",
        _ => "MODEL",
    };
    let provider = match config.models.first() {
        Some(model) => config.providers.iter().find(|provider| provider.name == model.targets[0].provider),
        None => config.providers.first(),
    };
    let dialect = provider?.dialects()[0];
    let key = if config.keys.is_empty() { "" } else { " -H 'authorization: Bearer KEY'" };
    let (endpoint, body) = (dialect.endpoint().replace("{model}", model), dialect.sample_request(model));
    Some(format!("try: curl -N {url}{endpoint} -H 'content-type: application/json'{key} -d '{body}'"))
}
