//! Composing an answer out of the prepared lines and the user's own words.

use super::{
    dice::Dice,
    language::Language,
    texts::{self, Voice},
    tokens,
};

/// An answer of `demo-fast` grows until it has at least this many tokens.
const LONG_ANSWER: usize = 1_400;

/// How much of the user's message an opening repeats.
const QUOTE_CHARACTERS: usize = 60;

/// An answer of ordinary length to `message`, in its language.
pub(super) fn short(message: &str, dice: &mut Dice) -> String {
    let language = Language::of(message);
    let voice = texts::voice(language);
    let passage = special_wish(message, language).unwrap_or_else(|| *dice.pick(voice.passages));
    opening(message, voice, dice) + passage
}

/// All there is to say in the language of `message`, and then the same in the other ones: a long text in many scripts.
pub(super) fn long(message: &str, dice: &mut Dice) -> String {
    let own = Language::of(message);
    let voice = texts::voice(own);
    let mut answer = opening(message, voice, dice) + &voice.passages.join("\n\n");
    for language in Language::ALL.into_iter().filter(|language| *language != own) {
        for passage in texts::voice(language).passages {
            if tokens::count(&answer) >= LONG_ANSWER {
                return answer;
            }
            answer = answer + "\n\n" + passage;
        }
    }
    answer
}

/// An answer that makes use of what a tool has found.
pub(super) fn about_tool_result(result: &str, message: &str) -> String {
    let found = quote(result, 300);
    let question = match quote(message, QUOTE_CHARACTERS) {
        words if words.is_empty() => String::new(),
        words => format!(" You wanted to know about “{words}”, so this should settle it."),
    };
    format!(
        "The tool has answered, and what it says is: {found}\n\n\
         I asked it the way a real model would, and the proxy carried my question out and its answer back in, \
         fragment by fragment, without looking for meaning in either. 🔧{question} I am only a scripted \
         demo, so I leave the conclusions to you."
    )
}

/// English speakers may ask for a poem or for code.
fn special_wish(message: &str, language: Language) -> Option<&'static str> {
    let words: Vec<String> = message.split(|c: char| !c.is_alphanumeric()).take(400).map(str::to_lowercase).collect();
    let mentions = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    match language {
        Language::English if mentions(&["poem", "poetry", "verse", "rhyme", "haiku", "song"]) => Some(texts::POEM),
        Language::English if mentions(&["code", "rust", "function", "program", "snippet"]) => Some(texts::CODE),
        _ => None,
    }
}

fn opening(message: &str, voice: &Voice, dice: &mut Dice) -> String {
    let words = quote(message, QUOTE_CHARACTERS);
    // Rolled in any case, so that the passage does not depend on whether there was something to quote.
    let line = dice.pick(voice.openings);
    if words.is_empty() { String::new() } else { line.replace("{quote}", &words) }
}

/// The beginning of `text` on one line, cut at a word where there are words.
fn quote(text: &str, limit: usize) -> String {
    // Far more than can be kept, so that a long message is not folded to be thrown away.
    let beginning: String = text.chars().take(limit * 4).collect();
    let line = beginning.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line.trim_end_matches(['.', ' ', '。']).to_owned();
    }
    let cut: String = line.chars().take(limit).collect();
    // Languages without spaces have no word to cut at, and a very long word is not worth keeping whole.
    let kept = match cut.rfind(' ') {
        Some(space) if space >= cut.len() / 2 => &cut[..space],
        _ => &cut,
    };
    format!("{}…", kept.trim_end_matches([',', '.', ' ', '、', '。']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(message: &str) -> String {
        short(message, &mut Dice::new(message.as_bytes()))
    }

    #[test]
    fn an_answer_takes_up_the_users_words_in_their_language() {
        assert!(ask("What is a sluice?").contains("“What is a sluice?”"));
        let german = ask("Was ist das für ein Fluss?");
        assert!(german.contains("»Was ist das für ein Fluss?«"));
        assert_eq!(Language::of(&german), Language::German);
        assert!(ask("背压是什么").contains("“背压是什么”"));
    }

    #[test]
    fn the_same_message_gets_the_same_answer_and_others_get_others() {
        assert_eq!(ask("hello"), ask("hello"));
        let endings: Vec<String> =
            (0..20).map(|n| ask(&format!("the number is {n}"))).map(|a| a[a.len() - 30..].to_owned()).collect();
        assert!(endings.iter().any(|ending| *ending != endings[0]));
    }

    #[test]
    fn an_empty_message_is_answered_without_an_opening() {
        assert!(texts::voice(Language::English).passages.contains(&ask(" \n").as_str()));
    }

    #[test]
    fn poems_and_code_are_had_for_the_asking() {
        assert!(ask("Write me a poem!").ends_with(texts::POEM));
        assert!(ask("show me some Rust code").ends_with(texts::CODE));
    }

    #[test]
    fn a_long_answer_has_about_fifteen_hundred_tokens_in_every_language() {
        for message in ["hello", "Hallo, wie ist das?", "你好", "مرحبا"] {
            let answer = long(message, &mut Dice::new(b""));
            let tokens = tokens::count(&answer);
            assert!((LONG_ANSWER..=1_900).contains(&tokens), "{message}: {tokens}");
        }
    }

    #[test]
    fn a_long_quote_is_cut_at_a_word_or_a_character() {
        assert_eq!(quote("a  message\nin lines.", 60), "a message in lines");
        assert_eq!(quote("one two three four", 10), "one two…");
        assert_eq!(quote("背压是什么意思", 4), "背压是什…");
    }

    #[test]
    fn a_tool_result_is_quoted() {
        assert!(about_tool_result("{\"celsius\": 21}", "the weather").contains("{\"celsius\": 21}"));
    }
}
