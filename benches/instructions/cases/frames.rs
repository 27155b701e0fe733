//! Frames as OpenAI sends them, from the recorded streams.

use bytes::Bytes;

const TEXT: &str = include_str!("../../../tests/fixtures/openai-chat/openai-gpt5nano-text-no-usage.sse");
const WITH_USAGE: &str = include_str!("../../../tests/fixtures/openai-chat/openai-tool-use-llm-cli.sse");

/// A token in the middle of an answer, about 300 bytes.
pub(super) fn token() -> Bytes {
    frame(TEXT, "\"content\":\" curious\"")
}

/// As many tokens as one read of 16 KiB brings, each with the size of its chunk.
pub(super) fn tokens() -> Vec<Bytes> {
    let token = token();
    vec![token.clone(); 16 * 1024 / in_chunks(&[token]).len()]
}

/// The frame that an answer begins with: no content yet.
pub(super) fn role() -> Bytes {
    frame(TEXT, "\"role\":\"assistant\"")
}

/// The frames that an answer ends with, in one piece.
pub(super) fn end() -> Bytes {
    [frame(TEXT, "\"finish_reason\":\"stop\""), frame(WITH_USAGE, "\"usage\":{"), frame(TEXT, "[DONE]")].concat().into()
}

/// `pieces` as they stand in a chunked body, a chunk each.
pub(super) fn in_chunks(pieces: &[Bytes]) -> Vec<u8> {
    let chunk = |piece: &Bytes| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    pieces.iter().flat_map(chunk).collect()
}

/// The first frame of `stream` that has `text` in it. Shares its bytes when cloned, as a piece that was read does.
fn frame(stream: &str, text: &str) -> Bytes {
    let frame = stream.split_inclusive("\n\n").find(|frame| frame.contains(text));
    Bytes::copy_from_slice(frame.expect("the recording has such a frame").as_bytes())
}
