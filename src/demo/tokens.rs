//! A tokenizer that looks like one.
//!
//! Real models stream sub-word pieces: a word carries its leading space, a long word comes in two or three parts, and
//! Chinese or Japanese arrives by a character or two. The pieces here have that shape and that size, so counting them
//! gives a believable usage figure.

/// A word longer than this is cut as if it were this long: the look ahead stays short on a pasted megabyte.
const LOOK_AHEAD: usize = 48;

/// Splits `text` into pieces that concatenate back to exactly `text`.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, tail) = rest.split_at(first_piece(rest));
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

/// How many pieces `text` has.
pub(super) fn count(text: &str) -> usize {
    pieces(text).count()
}

/// The length in bytes of the first piece; zero only for an empty text.
fn first_piece(text: &str) -> usize {
    let blank = text.len() - text.trim_start().len();
    let body = &text[blank..];
    // One space belongs to the word behind it; whatever blank space comes before that is a piece of its own.
    match blank {
        0 => visible_piece(body),
        1 if text.starts_with(' ') && !body.is_empty() => 1 + visible_piece(body),
        _ if text[..blank].ends_with(' ') && !body.is_empty() => blank - 1,
        _ => blank,
    }
}

/// The length in bytes of the first piece of a text that does not begin with blank space.
fn visible_piece(text: &str) -> usize {
    let Some(first) = text.chars().next() else {
        return 0;
    };
    match Script::of(first) {
        Script::Mark => first.len_utf8(),
        Script::Ideograph => {
            // Common pairs are one token in real vocabularies; the code point decides who is a pair here.
            let take = if u32::from(first).is_multiple_of(3) { 2 } else { 1 };
            run(text, Script::Ideograph, take)
        }
        Script::Latin => even_part(text, Script::Latin, 7),
        Script::Alphabet => even_part(text, Script::Alphabet, 4),
    }
}

/// Cuts a word into parts of about equal length, none longer than `limit` characters, and measures the first.
fn even_part(text: &str, script: Script, limit: usize) -> usize {
    let length = text.chars().take(LOOK_AHEAD).take_while(|c| Script::of(*c) == script).count();
    let parts = length.div_ceil(limit);
    run(text, script, length.div_ceil(parts))
}

/// The bytes of at most `limit` leading characters of one script.
fn run(text: &str, script: Script, limit: usize) -> usize {
    let letters = text.chars().take(limit).take_while(|c| Script::of(*c) == script);
    letters.map(char::len_utf8).sum()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    /// Greek, Cyrillic, Arabic…: letters that vocabularies cut finer than Latin ones.
    Alphabet,
    /// Han, kana and Hangul.
    Ideograph,
    /// Punctuation, symbols and emoji: a piece each.
    Mark,
}

impl Script {
    fn of(c: char) -> Self {
        match c {
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' => Self::Ideograph,
            _ if !c.is_alphanumeric() => Self::Mark,
            '\0'..='\u{24f}' => Self::Latin,
            _ => Self::Alphabet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{language::Language, texts};
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        pieces(text).collect()
    }

    #[test]
    fn a_word_carries_its_leading_space() {
        assert_eq!(split("a river runs, slowly"), ["a", " river", " runs", ",", " slowly"]);
    }

    #[test]
    fn long_words_come_in_even_parts() {
        assert_eq!(split("backpressure"), ["backpr", "essure"]);
        assert_eq!(split(" internationalisation"), [" interna", "tionali", "sation"]);
    }

    #[test]
    fn paragraphs_and_indentation_are_pieces_of_their_own() {
        assert_eq!(split("one\n\ntwo"), ["one", "\n\n", "two"]);
        assert_eq!(split("{\n    let"), ["{", "\n   ", " let"]);
        assert_eq!(split("end \n"), ["end", " \n"]);
        assert_eq!(split("  "), ["  "]);
    }

    #[test]
    fn ideographs_come_by_one_or_two_and_other_alphabets_by_four() {
        assert!(split("流式代理从不抢跑").iter().all(|p| (1..=2).contains(&p.chars().count())));
        assert!(split("διαμεσολαβητής").iter().all(|p| p.chars().count() <= 4));
    }

    #[test]
    fn pieces_concatenate_back_to_every_text() {
        for language in Language::ALL {
            for text in texts::everything_in(language) {
                assert_eq!(pieces(text).collect::<String>(), text);
                assert!(pieces(text).all(|piece| !piece.is_empty() && piece.chars().count() <= 8));
            }
        }
    }

    #[test]
    fn odd_texts_survive_too() {
        for text in ["", " ", "\u{3000}全角", "👩‍👩‍👧 family", "a\u{301}e\u{301}", "\r\n \t x", "مَرْحَبًا"]
        {
            assert_eq!(pieces(text).collect::<String>(), text);
        }
        let megabyte = "x".repeat(1 << 20);
        assert_eq!(pieces(&megabyte).map(str::len).sum::<usize>(), megabyte.len());
    }
}
