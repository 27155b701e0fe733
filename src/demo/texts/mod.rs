//! What the demo has to say.
//!
//! Every language has openings, which take up the user's words, and passages, which tell the truth about what is going
//! on: that this is a script, and what the proxy in between does with it. The passages are full of accents, other
//! scripts and the odd emoji on purpose, so that a proxy which cuts a character in two gives itself away.

mod english;
mod european;
mod world;

use super::language::Language;

pub(super) use english::{CODE, POEM, REASONING};

/// The prepared lines of one language.
pub(super) struct Voice {
    /// First sentences; `{quote}` stands for the user's words.
    pub(super) openings: &'static [&'static str],
    /// Complete answers, each of which can stand alone.
    pub(super) passages: &'static [&'static str],
}

/// The lines to speak in `language`.
pub(super) fn voice(language: Language) -> &'static Voice {
    match language {
        Language::English => &english::VOICE,
        Language::German => &european::GERMAN,
        Language::French => &european::FRENCH,
        Language::Spanish => &european::SPANISH,
        Language::Italian => &european::ITALIAN,
        Language::Portuguese => &european::PORTUGUESE,
        Language::Greek => &world::GREEK,
        Language::Russian => &world::RUSSIAN,
        Language::Arabic => &world::ARABIC,
        Language::Japanese => &world::JAPANESE,
        Language::Chinese => &world::CHINESE,
        Language::Korean => &world::KOREAN,
    }
}

/// All lines of a language, for tests that must hold for each of them.
#[cfg(test)]
pub(super) fn everything_in(language: Language) -> Vec<&'static str> {
    let voice = voice(language);
    let mut lines = [voice.openings, voice.passages].concat();
    if language == Language::English {
        lines.extend([POEM, CODE, REASONING]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_openings_that_quote_and_passages_that_do_not() {
        for language in Language::ALL {
            let voice = voice(language);
            assert!(!voice.openings.is_empty() && !voice.passages.is_empty());
            assert!(voice.openings.iter().all(|line| line.matches("{quote}").count() == 1));
            assert!(voice.passages.iter().all(|text| !text.contains('{')));
        }
    }

    #[test]
    fn every_passage_has_the_length_of_a_short_answer() {
        for language in Language::ALL {
            for text in voice(language).passages {
                // Chinese and Japanese have no spaces to count; three hundred characters are about as much to read.
                let words = text.split_whitespace().count();
                let characters = text.chars().count();
                let fits = (80..=200).contains(&words) || (words < 20 && (200..=450).contains(&characters));
                assert!(fits, "{words} words, {characters} characters: {text}");
            }
        }
    }

    #[test]
    fn every_passage_has_characters_of_several_bytes_and_no_stray_blank_space() {
        for language in Language::ALL {
            for text in voice(language).passages {
                assert!(!text.is_ascii());
                assert_eq!(text.trim(), *text);
                assert!(!text.contains("  ") && !text.contains('\r'), "{text}");
            }
        }
    }
}
