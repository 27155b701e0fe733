//! What holds for every stream, however it is cut. Also what the fuzz target `splitter` checks.

use bytes::Bytes;

use super::{FrameTooLarge, Framing, Splitter, reference, sse};

/// Cuts `stream` into pieces of `sizes` and one with the rest.
pub(super) fn cut(mut stream: &[u8], sizes: impl IntoIterator<Item = usize>) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for size in sizes {
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// Feeds `pieces` to a splitter and holds all it does against the reference.
pub(super) fn check(pieces: &[&[u8]], limit: usize) {
    let stream = pieces.concat();
    let boundaries = reference::boundaries(&stream);
    let mut splitter = Splitter::new(Framing::EventStream, limit);
    let (mut received, mut released, mut runs) = (0, Vec::new(), Vec::new());
    for piece in pieces {
        received += piece.len();
        let passed = &boundaries[..boundaries.partition_point(|boundary| boundary.at <= received)];
        let last = passed.last().expect("a stream begins at a boundary");
        let ends = passed.iter().map(|boundary| boundary.at).chain([received]);
        let longest = passed.iter().zip(ends.skip(1)).map(|(start, end)| end - start.at).max();
        let pushed = splitter.push(Bytes::copy_from_slice(piece));
        if longest > Some(limit) {
            assert_eq!(pushed, Err(FrameTooLarge { limit }));
            assert_eq!(splitter.take_partial(), "", "nothing of it is left");
            return;
        }
        let run = pushed.expect("no frame exceeds the limit");
        released.extend_from_slice(&run);
        runs.push(run);
        assert_eq!(released, stream[..last.at], "what is whole leaves at once and unchanged");
        assert_eq!(splitter.frames(), last.frames);
        let amid_line_end = stream[..received].ends_with(b"\r");
        assert_eq!(splitter.at_boundary(), !(last.at == received && amid_line_end), "behind {received} bytes");
    }
    let events = read(&runs);
    runs.push(splitter.take_partial());
    assert_eq!(runs.concat(), stream, "nothing is lost");
    assert_eq!(events, reference::events(&stream));
}

/// What a client makes of `runs`, read with [`sse`].
fn read(runs: &[Bytes]) -> Vec<reference::Event> {
    let mut events = Vec::new();
    let mut last_event_id = Vec::new();
    let mut at_start = true;
    for run in runs.iter().filter(|run| !run.is_empty()) {
        let run = if std::mem::take(&mut at_start) { sse::strip_bom(run) } else { run };
        for event in Framing::EventStream.events(run) {
            if let Some(id) = event.id {
                last_event_id = id.to_vec();
            }
            if let Some(data) = event.data {
                let r#type = event.event.filter(|kind| !kind.is_empty()).unwrap_or(b"message").to_vec();
                events.push(reference::Event { r#type, data: data.into(), last_event_id: last_event_id.clone() });
            }
        }
    }
    events
}
