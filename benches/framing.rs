//! What cutting a stream into frames costs, and reading along.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sluicegate::dialect::Observer;
use sluicegate::framing::Splitter;

/// A token as OpenAI sends it, 220 bytes.
const TOKEN: &[u8] = b"data: {\"id\":\"chatcmpl-BWlJBDk2xe66hjff60joVYpXi1hh\",\"object\":\"chat.completion.chunk\",\
    \"created\":1746974925,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\
    \"logprobs\":null,\"finish_reason\":null}]}\n\n";
const ERROR: &[u8] =
    b"data: {\"error\":{\"message\":\"The server is overloaded\",\"type\":\"server_error\",\"code\":503}}\n\n";
const LIMIT: usize = 16 * 1024 * 1024;

fn splitter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splitter");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let token = Bytes::from_static(TOKEN);
    let full: Bytes = TOKEN.repeat(16 * 1024 / TOKEN.len()).into();
    let pieces = [token.slice(..70), token.slice(70..140), token.slice(140..)];
    for (name, chunks) in [("one token", &[token][..]), ("16 KiB of tokens", &[full]), ("a token in 3 pieces", &pieces)]
    {
        let mut splitter = Splitter::new(LIMIT);
        group.throughput(Throughput::Bytes(chunks.iter().map(|chunk| chunk.len() as u64).sum()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for chunk in chunks {
                    let _ = black_box(splitter.push(black_box(chunk.clone())));
                }
            });
        });
    }
    group.finish();
}

fn observer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("observer");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let speaking = || {
        let mut observer = Observer::chat(1);
        observer.observe(TOKEN);
        observer
    };
    for (name, frame) in [("a token", TOKEN), ("an error", ERROR)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(speaking, |observer| observer.observe(black_box(frame)), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, splitter, observer);
criterion_main!(benches);
