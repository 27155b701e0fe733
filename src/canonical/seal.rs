//! What a provider wants to see again with a model's thoughts.
//!
//! Anthropic signs thoughts, OpenAI encrypts them, Gemini signs the calls that came of them. Each refuses what another has
//! sealed. So a seal that travels through a client that speaks another dialect says whose it is: it is written as a token
//! that names its dialect and its provider, put wherever the client's dialect has a place for such a thing, and taken
//! apart when it comes back. Back at its provider it is what it was; to anyone else it is not shown.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A provider's mark on what its model thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The name of the dialect it is from.
    pub dialect: String,
    /// The name of the provider that can read it.
    pub provider: String,
    /// The mark. What is in it is its dialect's affair.
    pub data: String,
}

/// What a seal is on. Where a dialect has no place for one there, it stands elsewhere and says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// The thoughts that it stands with.
    Thoughts,
    /// The text before it.
    Text,
    /// The call with this id.
    Call(String),
}

impl Seal {
    /// How every token begins.
    pub const PREFIX: &'static str = "sg1.";

    /// The token that tells it: ASCII letters, digits, `-`, `_` and one dot.
    pub fn token(&self) -> String {
        let Self { dialect, provider, data } = self;
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(format!("{dialect}\n{provider}\n{data}")))
    }

    /// The seal that `token` tells; `None` if it is none of ours.
    pub fn parse(token: &str) -> Option<Self> {
        let text = URL_SAFE_NO_PAD.decode(token.strip_prefix(Self::PREFIX)?).ok()?;
        let mut fields = std::str::from_utf8(&text).ok()?.splitn(3, '\n').map(str::to_owned);
        Some(Self { dialect: fields.next()?, provider: fields.next()?, data: fields.next()? })
    }

    /// The token that tells it where clients put the marks on thoughts: what it is on stands behind it.
    pub fn token_on(&self, on: &On) -> String {
        let token = self.token();
        match on {
            On::Thoughts => token,
            On::Text => format!("{token}.text"),
            On::Call(id) => format!("{token}.call.{id}"),
        }
    }

    /// The seal that `token` tells, and what it is on; `None` if it is none of ours.
    pub fn parse_on(token: &str) -> Option<(Self, On)> {
        let text = token.strip_prefix(Self::PREFIX)?;
        let (length, on) = match text.split_once('.') {
            None => (text.len(), On::Thoughts),
            Some((token, "text")) => (token.len(), On::Text),
            Some((token, on)) => (token.len(), On::Call(on.strip_prefix("call.")?.to_owned())),
        };
        Some((Self::parse(&token[..Self::PREFIX.len() + length])?, on))
    }

    /// Its mark, if it may be shown to `provider` in `dialect`.
    pub fn for_provider(&self, dialect: &str, provider: &str) -> Option<&str> {
        (self.dialect == dialect && self.provider == provider).then_some(&*self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_comes_back_as_it_was_and_only_to_whom_it_belongs() {
        let seal = Seal { dialect: "anthropic".into(), provider: "claude".into(), data: "Er\n+/==é".into() };
        let token = seal.token();
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token}");
        assert_eq!(Seal::parse(&token), Some(seal.clone()));
        assert_eq!(seal.for_provider("anthropic", "claude"), Some("Er\n+/==é"));
        assert_eq!(seal.for_provider("anthropic", "other"), None);
        assert_eq!(seal.for_provider("gemini", "claude"), None);
    }

    #[test]
    fn a_seal_that_stands_elsewhere_says_what_it_is_on() {
        let seal = Seal { dialect: "gemini".into(), provider: "google".into(), data: "CiwB".into() };
        for on in [On::Thoughts, On::Text, On::Call("call_1.a".into())] {
            assert_eq!(Seal::parse_on(&seal.token_on(&on)), Some((seal.clone(), on)));
        }
        assert_eq!(Seal::parse_on(&format!("{}.elsewhere", seal.token())), None);
    }

    #[test]
    fn what_is_no_token_is_no_seal() {
        for text in ["", "sg1.", "sg1.!!", "EqQBCgIYAhIkYTg", "sg1.YQ"] {
            assert_eq!(Seal::parse(text), None, "{text}");
        }
    }
}
