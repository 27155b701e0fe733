//! Names that cannot be guessed, and places in a stream.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};

use crate::config::client_key::Digest;

/// The name of a stream: 128 random bits. Without keys it is all that keeps a stream private.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId([u8; 16]);

impl StreamId {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness: nobody is safe then.
    pub fn random() -> Self {
        Self(random())
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }

    /// Enough of it to find it in a log, too little to read it.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({}…)", self.short())
    }
}

/// A secret that lets whoever has it read one stream for a while.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    pub(super) fn random() -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random())))
    }

    /// What is kept of it. Digests are compared, so that no comparison takes longer for a better guess.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A name for something that has none, such as a process.
pub(super) fn random_name() -> String {
    StreamId::random().to_string()
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// How far a reader of a stream has come, as in `Last-Event-ID`: `<stream>:<event>`, or `<stream>:<event>.<part>` for readers
/// to whom one event is told as several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the event it has received last; zero for none.
    pub after: u64,
    /// Which part of the event that follows it has received last; zero for none.
    pub part: u64,
}

impl Position {
    /// Before the first event.
    pub const START: Self = Self { after: 0, part: 0 };

    /// Behind the event with the number `after`.
    pub fn behind(after: u64) -> Self {
        Self { after, part: 0 }
    }

    /// Reads the id of an event of ours; `None` if it is somebody else's.
    pub fn parse(id: &str) -> Option<(StreamId, Self)> {
        let (stream, event) = id.split_once(':')?;
        Some((StreamId::parse(stream)?, Self::parse_within(event)?))
    }

    /// Reads what stands behind the name of the stream.
    pub fn parse_within(event: &str) -> Option<Self> {
        let (event, part) = event.split_once('.').unwrap_or((event, "0"));
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        Some(Self { after: number(event)?, part: number(part)? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => write!(f, "{}", self.after),
            part => write!(f, "{}.{part}", self.after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_the_same_and_nothing_else_is_one() {
        let id = StreamId::random();
        assert_eq!(StreamId::parse(&id.to_string()), Some(id));
        assert_ne!(id, StreamId::random());
        for text in ["", "0", &id.to_string().to_uppercase().replace(char::is_numeric, "A"), &format!("{id}0"), "+0"] {
            assert_eq!(StreamId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_ids_of_events_of_ours_are_positions() {
        let id = StreamId::random();
        assert_eq!(Position::parse(&format!("{id}:7")), Some((id, Position::behind(7))));
        assert_eq!(Position::parse(&format!("{id}:7.2")), Some((id, Position { after: 7, part: 2 })));
        for text in ["7", "abc:7", &format!("{id}"), &format!("{id}:"), &format!("{id}:-1"), &format!("{id}:1.x")] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", Token(String::from("canary"))).contains("canary"));
    }
}
