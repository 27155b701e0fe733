//! Any bytes, cut anywhere.

use proptest::collection::vec;
use proptest::prelude::*;

use super::invariants::{check, cut};

/// Streams that are full of what matters to a parser: line ends, colons, the names of fields, cut and malformed characters.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        &b"data:"[..],
        b"data: {\"a\":1}\n\n",
        b"d",
        b"a",
        b"t",
        b":",
        b": ping\n",
        b" ",
        b"id: 7",
        b"event: e",
        b"\0",
        b"\xef\xbb\xbf",
        "é🦀".as_bytes(),
    ]);
    let line_ends = prop::sample::select(vec![&b"\n"[..], b"\r", b"\r\n", b"\n\n", b"\r\n\r\n"]);
    let piece = prop_oneof![
        4 => words.prop_map(<[u8]>::to_vec),
        4 => line_ends.prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    let start = prop_oneof![3 => Just(vec![]), 1 => Just(b"\xef\xbb\xbf".to_vec())];
    (start, vec(piece, 0..40)).prop_map(|(start, pieces)| [start, pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_stream_cut_anywhere_is_released_whole_in_time_and_unchanged(
        stream in streams(),
        sizes in vec(0..12_usize, 0..60),
        limit in prop_oneof![1 => 1..40_usize, 3 => Just(4096)],
    ) {
        check(&cut(&stream, sizes), limit);
        check(&[&stream], limit);
    }
}
