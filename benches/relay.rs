//! What a token costs on its way through the response body, without sockets.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http_body_util::BodyExt;
use sluicegate::config::Config;
use sluicegate::config::provider::{BaseUrl, Origin, Provider};
use sluicegate::dialect::Observer;
use sluicegate::framing::Splitter;
use sluicegate::relay::Relay;
use sluicegate::relay::guard::{Peer, StreamGuard};
use sluicegate::telemetry::Record;
use sluicegate::upstream::{Body, OpenStream, Target, Upstream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const TOKENS: usize = 1000;
const TOKEN: &[u8] = b"data: {\"id\":\"chatcmpl-BWlJBDk2xe66hjff60joVYpXi1hh\",\"object\":\"chat.completion.chunk\",\
    \"created\":1746974925,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\
    \"logprobs\":null,\"finish_reason\":null}]}\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// An upstream body of [`TOKENS`] frames: all ready at once, or each after the last one has been taken.
fn body(one_by_one: bool) -> reqwest::Body {
    reqwest::Body::wrap_stream(async_stream::stream! {
        for _ in 0..TOKENS {
            yield Ok::<_, Infallible>(Bytes::from_static(TOKEN));
            if one_by_one {
                tokio::task::yield_now().await;
            }
        }
        yield Ok(Bytes::from_static(DONE));
    })
}

fn relay(target: &Target, config: &Config, body: Body) -> Relay {
    let stream = OpenStream {
        target: target.clone(),
        headers: http::HeaderMap::new(),
        first: Bytes::new(),
        body,
        splitter: Splitter::new(config.stream.max_frame_bytes),
        observer: Observer::chat(1),
        asked: Instant::now(),
    };
    let record = Record::new("bench".to_owned(), http::Method::POST, "/v1/chat/completions".to_owned());
    Relay::open(stream, &config.stream, StreamGuard::new(record, Peer::default()), CancellationToken::new())
}

/// The time per element is the time per token.
fn tokens(criterion: &mut Criterion) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::for_testing();
    let url = BaseUrl::try_from("http://127.0.0.1:9/v1".to_owned()).expect("a URL");
    let provider = Provider::compatible("upstream", url, Origin::Configuration);
    let upstream = Upstream::new(&provider, &config.stream).expect("a provider without a key").into();
    let target = Target { upstream, model: "m".into() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut group = criterion.benchmark_group("relay");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(TOKENS as u64));
    for (name, one_by_one) in [("tokens one by one", true), ("tokens all at once", false)] {
        group.bench_function(name, |bencher| {
            let open = || runtime.block_on(async { Box::pin(relay(&target, &config, Body::Shared(body(one_by_one)))) });
            let read = |mut relay: std::pin::Pin<Box<Relay>>| {
                runtime.block_on(async { while relay.frame().await.is_some() {} });
            };
            bencher.iter_batched(open, read, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, tokens);
criterion_main!(benches);
