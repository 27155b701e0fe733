//! Guessing the language of a message: by its script, by what it asks for, or by a few common words.

/// A language the demo can answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
    Spanish,
    Italian,
    Portuguese,
    Greek,
    Russian,
    Arabic,
    Japanese,
    Chinese,
    Korean,
}

use Language::{
    Arabic, Chinese, English, French, German, Greek, Italian, Japanese, Korean, Portuguese, Russian, Spanish,
};

impl Language {
    pub(super) const ALL: [Self; 12] =
        [English, German, French, Spanish, Italian, Portuguese, Greek, Russian, Arabic, Japanese, Chinese, Korean];

    /// The language a message is to be answered in.
    pub(super) fn of(message: &str) -> Self {
        // The beginning is enough to tell, and a pasted book must not cost a scan.
        let message: String = message.chars().take(2_000).collect::<String>().to_lowercase();
        asked_for(&message).or_else(|| by_script(&message)).unwrap_or_else(|| by_words(&message))
    }
}

/// "Answer in German", "auf Deutsch bitte": the wish counts for more than the language it is uttered in.
fn asked_for(message: &str) -> Option<Language> {
    const WISHES: [(&[&str], Language); 12] = [
        (&["in english", "auf englisch", "en anglais", "en inglés", "in inglese", "英語で", "用英语"], English),
        (&["in german", "auf deutsch", "en allemand", "en alemán", "in tedesco"], German),
        (&["in french", "auf französisch", "en français", "en francés", "in francese"], French),
        (&["in spanish", "auf spanisch", "en espagnol", "en español", "in spagnolo"], Spanish),
        (&["in italian", "auf italienisch", "en italien", "in italiano"], Italian),
        (&["in portuguese", "auf portugiesisch", "en portugais", "em português"], Portuguese),
        (&["in greek", "auf griechisch", "en grec", "στα ελληνικά"], Greek),
        (&["in russian", "auf russisch", "en russe", "по-русски"], Russian),
        (&["in arabic", "auf arabisch", "en arabe", "بالعربية"], Arabic),
        (&["in japanese", "auf japanisch", "en japonais", "日本語で"], Japanese),
        (&["in chinese", "auf chinesisch", "en chinois", "用中文"], Chinese),
        (&["in korean", "auf koreanisch", "en coréen", "한국어로"], Korean),
    ];
    // The last wish wins: "not in English, in German".
    let last = |phrases: &[&str]| phrases.iter().filter_map(|phrase| message.rfind(phrase)).max();
    let wishes = WISHES.iter().filter_map(|(phrases, language)| Some((last(phrases)?, *language)));
    wishes.max_by_key(|(position, _)| *position).map(|(_, language)| language)
}

/// A script that belongs to one language settles the question, if it makes up a good part of the letters.
fn by_script(message: &str) -> Option<Language> {
    let share = |within: fn(char) -> bool| message.chars().filter(|c| within(*c)).count();
    let letters = message.chars().filter(|c| c.is_alphabetic()).count();
    let kana = share(|c| matches!(c, '\u{3040}'..='\u{30ff}'));
    let han = share(|c| matches!(c, '\u{3400}'..='\u{9fff}'));
    let candidates = [
        // Japanese is full of Han characters, Chinese has no kana.
        (if kana > 0 { kana + han } else { 0 }, Japanese),
        (if kana > 0 { 0 } else { han }, Chinese),
        (share(|c| matches!(c, '\u{ac00}'..='\u{d7af}')), Korean),
        (share(|c| matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}')), Greek),
        (share(|c| matches!(c, '\u{400}'..='\u{4ff}')), Russian),
        (share(|c| matches!(c, '\u{600}'..='\u{6ff}')), Arabic),
    ];
    let (count, language) = candidates.into_iter().max_by_key(|(count, _)| *count)?;
    (count > 0 && count * 4 >= letters).then_some(language)
}

/// Words that are frequent in one of the languages and rare or absent in the others.
#[rustfmt::skip]
const COMMON_WORDS: [(Language, &[&str]); 6] = [
    (English, &[
        "the", "is", "are", "and", "of", "to", "you", "what", "how", "why", "with", "this", "that", "please",
        "as", "for", "it", "can", "do", "my", "hello", "who", "tell", "write", "from",
    ]),
    (German, &[
        "der", "das", "ist", "und", "ich", "du", "nicht", "ein", "eine", "wie", "warum", "mit", "für", "bitte", "hallo",
        "mir", "dir", "sie", "wer", "wo", "dem", "den", "guten", "danke", "servus", "erzähl", "erkläre", "schreib",
    ]),
    (French, &[
        "le", "les", "est", "et", "je", "vous", "des", "une", "dans", "pour", "pas", "avec", "qui", "quoi", "comment",
        "pourquoi", "bonjour", "salut", "merci", "ce", "sur", "moi", "tu", "il", "au", "quelle", "quel",
    ]),
    (Spanish, &[
        "el", "los", "las", "y", "es", "qué", "cómo", "por", "una", "para", "con", "hola", "gracias", "está", "yo",
        "usted", "en", "del", "cuál", "dónde", "buenos", "buenas", "muy", "mi", "eres", "puedes",
    ]),
    (Italian, &[
        "il", "gli", "che", "è", "di", "per", "una", "non", "sono", "come", "perché", "ciao", "grazie", "con", "della",
        "puoi", "cosa", "buongiorno", "sei", "mi", "dove", "del",
    ]),
    (Portuguese, &[
        "o", "os", "é", "que", "um", "uma", "não", "você", "para", "com", "como", "olá", "obrigado", "em", "por",
        "obrigada", "da", "está", "eu", "bom", "boa", "dia", "fale", "quem",
    ]),
];

fn by_words(message: &str) -> Language {
    let hits = |words: &[&str]| {
        let spoken = message.split(|c: char| !c.is_alphanumeric());
        spoken.filter(|word| words.contains(word)).count()
    };
    // English comes first and only a strictly better score replaces it: in doubt the demo speaks English.
    let mut best = (0, English);
    for (language, words) in COMMON_WORDS {
        let score = hits(words);
        if score > best.0 {
            best = (score, language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::super::texts;
    use super::*;

    #[test]
    fn every_prepared_text_is_recognised_as_what_it_is() {
        for language in Language::ALL {
            for text in texts::everything_in(language) {
                assert_eq!(Language::of(text), language, "{text}");
            }
        }
    }

    #[test]
    fn short_messages_are_recognised() {
        let messages = [
            ("Hello", English),
            ("What is a proxy?", English),
            ("", English),
            ("12345", English),
            ("Hallo, wer bist du?", German),
            ("Bonjour !", French),
            ("Qu'est-ce que le streaming ?", French),
            ("¿Qué es un proxy?", Spanish),
            ("Ciao, come stai?", Italian),
            ("Olá, quem é você?", Portuguese),
            ("Τι κάνεις;", Greek),
            ("Как дела?", Russian),
            ("مرحبا", Arabic),
            ("プロキシとは何ですか", Japanese),
            ("什么是代理？", Chinese),
            ("안녕하세요", Korean),
        ];
        for (message, language) in messages {
            assert_eq!(Language::of(message), language, "{message}");
        }
    }

    #[test]
    fn a_wish_outweighs_the_language_it_is_uttered_in() {
        assert_eq!(Language::of("Please answer in Greek"), Greek);
        assert_eq!(Language::of("Erkläre mir das bitte auf Englisch"), English);
        assert_eq!(Language::of("not in English, in Japanese please"), Japanese);
    }

    #[test]
    fn a_foreign_word_in_an_english_sentence_changes_nothing() {
        assert_eq!(Language::of("What is the meaning of the Greek letter π in this formula?"), English);
    }
}
