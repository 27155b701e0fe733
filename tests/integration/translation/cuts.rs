//! A stream is the same stream however its bytes arrive: frames decide, not reads.

use sluicegate::dialect::Shape;
use sluicegate::framing::Splitter;

use super::assert_none;
use super::invented::invented;
use crate::support::translation::{Source, context, sources, targets};

/// How many bytes may be read again for the cuts of one stream: at every byte of the short ones, here and there in the long.
const BUDGET: usize = 2_000_000;

/// What the decoder tells of `source` in `pieces`.
fn decode<'a>(source: &Source, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let framing = source.dialect.framing();
    let mut splitter = Splitter::new(framing, usize::MAX);
    let mut decoder = source.dialect.decoder();
    let mut told = Vec::new();
    for piece in pieces {
        let run = splitter.push(piece.to_vec().into()).unwrap();
        for event in framing.events(&run) {
            if let Some(data) = event.data.as_deref() {
                decoder.decode(&event, &String::from_utf8_lossy(data), &mut |event| told.push(format!("{event:?}")));
            }
        }
    }
    decoder.finish(&mut |event| told.push(format!("{event:?}")));
    told
}

#[test]
fn a_decoder_tells_the_same_events_wherever_the_stream_is_cut() {
    let mut faults = Vec::new();
    for source in sources().chain(invented()) {
        let stream = &source.stream[..];
        let whole = decode(&source, [stream]);
        assert!(!whole.is_empty(), "{}", source.file);
        if decode(&source, stream.chunks(1)) != whole {
            faults.push(format!("{}, byte by byte", source.file));
        }
        for at in (0..=stream.len()).step_by(1 + stream.len().pow(2) / BUDGET) {
            let (one, other) = stream.split_at(at);
            if decode(&source, [one, other]) != whole {
                faults.push(format!("{}, cut at {at}", source.file));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_client_reads_the_same_bytes_wherever_the_upstreams_stream_is_cut() {
    let mut faults = Vec::new();
    for source in sources().chain(invented()) {
        let stream = &source.stream[..];
        let boundaries = source.boundaries();
        // Half of the cuts are between frames, where most can go wrong.
        let every = 1 + boundaries.len() * stream.len() / (BUDGET / 16);
        let between = boundaries.iter().copied().step_by(every);
        let anywhere = (1..stream.len()).step_by(1 + stream.len().pow(2) / (BUDGET / 16));
        let cuts: Vec<usize> = between.chain(anywhere).collect();
        for (to, _) in targets().filter(|(to, shape)| *to != source.dialect && *shape == Shape::Chat) {
            let whole = source.translate(to, &context(), [stream]);
            let mut check = |pieces: &[&[u8]], how: &str| {
                if source.translate(to, &context(), pieces.iter().copied()) != whole {
                    faults.push(format!("{} to {}, {how}", source.file, to.name()));
                }
            };
            check(&stream.chunks(1).collect::<Vec<_>>(), "byte by byte");
            for at in &cuts {
                check(&[&stream[..*at], &stream[*at..]], &format!("cut at {at}"));
            }
        }
    }
    assert_none(&faults);
}
