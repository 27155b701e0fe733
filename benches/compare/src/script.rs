//! What the load asks the upstream to do, and the events the upstream answers with.
//!
//! The script travels as a field of its own in the request's JSON body, which a proxy has
//! to pass on untouched; so no proxy needs to know of the benchmark.

use std::time::Duration;

use crate::fault::Fault;

/// Numbers in a token's text have as many digits as the largest: so they change in place.
const DIGITS_INDEX: usize = 8;
const DIGITS_TIME: usize = 20;

/// The behaviour of the upstream for one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// Asks for a record of this request under this number; 0 for none.
    pub id: u64,
    pub tokens: u64,
    /// Time between two tokens; zero for as fast as possible.
    pub interval: Duration,
    /// How many tokens may be on their way at a time, if there is no interval; 0 for any number.
    pub window: u64,
    /// Silence, without even a head, before the first of tokens with an interval.
    pub first_delay: Duration,
    /// Additional bytes per token.
    pub pad: usize,
    /// Fall silent after the last token instead of ending the answer.
    pub hold: bool,
    /// What goes wrong: in place of the head, or behind the last token.
    pub fault: Option<&'static Fault>,
    /// Put before the model's name, to choose among the proxy's providers; not for the upstream.
    pub provider: &'static str,
}

impl Script {
    /// A request body of the size and shape of a short chat, with the script in it.
    pub fn to_body(&self) -> String {
        format!(
            concat!(
                r#"{{"model":"{}bench-model","stream":true,"max_tokens":4096,"temperature":0.7,"#,
                r#""messages":[{{"role":"system","content":"You are a helpful assistant. Answer "#,
                r#"briefly and name your sources."}},{{"role":"user","content":"How does a "#,
                r#"sluice gate regulate the flow of water in an open channel?"}}],"#,
                r#""bench":{{"id":{},"tokens":{},"interval_us":{},"window":{},"first_delay_us":{},"#,
                r#""pad":{},"hold":{},"fault":{}}}}}"#
            ),
            self.provider,
            self.id,
            self.tokens,
            self.interval.as_micros(),
            self.window,
            self.first_delay.as_micros(),
            self.pad,
            u8::from(self.hold),
            self.fault.map_or(0, Fault::number),
        )
    }

    /// Finds the script in a request body; whatever is missing is zero.
    pub fn from_body(body: &str) -> Self {
        let bench = body.find(r#""bench""#).map_or("", |at| &body[at + r#""bench""#.len()..]);
        let number = |name: &str| {
            let at = bench.find(&format!("\"{name}\""))?;
            let text = bench[at + name.len() + 2..].trim_start_matches([':', ' ']);
            leading_number(text.as_bytes()).map(|(number, _)| number)
        };
        let micros = |name| Duration::from_micros(number(name).unwrap_or(0));
        Self {
            id: number("id").unwrap_or(0),
            tokens: number("tokens").unwrap_or(0),
            interval: micros("interval_us"),
            window: number("window").unwrap_or(0),
            first_delay: micros("first_delay_us"),
            pad: number("pad").unwrap_or(0) as usize,
            hold: number("hold").unwrap_or(0) != 0,
            fault: Fault::numbered(number("fault").unwrap_or(0)),
            provider: "",
        }
    }
}

/// The chunk of one token, made once per answer: a token only changes digits in place.
pub struct TokenChunk {
    bytes: Vec<u8>,
    index_at: usize,
    time_at: usize,
}

impl TokenChunk {
    pub fn new(pad: usize) -> Self {
        let text = format!("{:0DIGITS_INDEX$} {:0DIGITS_TIME$} {}", 0, 0, "x".repeat(pad));
        let bytes = chunk(&event(&format!(
            r#"{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}"#
        )));
        let marker = CONTENT.as_bytes();
        let index_at =
            bytes.windows(marker.len()).position(|window| window == marker).expect("the template has a content field")
                + marker.len();
        Self { bytes, index_at, time_at: index_at + DIGITS_INDEX + 1 }
    }

    pub fn token(&mut self, index: u64, time: u64) -> &[u8] {
        write_digits(&mut self.bytes[self.index_at..][..DIGITS_INDEX], index);
        write_digits(&mut self.bytes[self.time_at..][..DIGITS_TIME], time);
        &self.bytes
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The event that ends the tokens.
pub fn finish_chunk(tokens: u64) -> Vec<u8> {
    let mut text = event(r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#);
    let usage =
        format!(r#","usage":{{"prompt_tokens":31,"completion_tokens":{tokens},"total_tokens":{}}}}}"#, 31 + tokens);
    text.truncate(text.len() - "}\n\n".len());
    chunk(&(text + &usage + "\n\n"))
}

/// The end mark together with the end of the body, as servers send it.
pub const DONE: &[u8] = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

pub const RESPONSE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    content-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\r\n";

fn event(choice: &str) -> String {
    format!(
        concat!(
            r#"data: {{"id":"chatcmpl-B7xQbenchmark0123456789","object":"chat.completion.chunk","#,
            r#""created":1767225600,"model":"bench-model","choices":[{}]}}"#,
            "\n\n"
        ),
        choice
    )
}

pub fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

const CONTENT: &str = r#""content":""#;
const FINISH: &str = r#""finish_reason":"stop""#;

/// What a client makes of one line of the event stream.
#[derive(Debug, PartialEq)]
pub enum Line {
    Token {
        index: u64,
        time: u64,
    },
    Finish,
    Done,
    Error {
        code: String,
    },
    /// Blank, a comment, or another field.
    Other,
}

/// Reads lines of the event stream.
#[derive(Default)]
pub struct LineParser {
    /// Where the last token text was. In one stream it is at the same place each time,
    /// so that a look suffices where a search would cost more than all else here.
    content_at: usize,
}

impl LineParser {
    pub fn parse(&mut self, line: &[u8]) -> Line {
        let Some(data) = line.strip_prefix(b"data:") else {
            return Line::Other;
        };
        if data.trim_ascii() == b"[DONE]" {
            return Line::Done;
        }
        if data.trim_ascii().starts_with(br#"{"error""#) {
            return Line::Error { code: code(data) };
        }
        if let Some(token) = self.content(data).and_then(token) {
            return token;
        }
        match find(data, FINISH.as_bytes()) {
            Some(_) => Line::Finish,
            None => Line::Other,
        }
    }

    fn content<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        let marker = CONTENT.as_bytes();
        let guess = data.get(self.content_at..)?.strip_prefix(marker);
        if guess.is_some() {
            return guess;
        }
        self.content_at = find(data, marker)?;
        data[self.content_at..].strip_prefix(marker)
    }
}

fn code(data: &[u8]) -> String {
    let marker = br#""code":""#;
    let text = find(data, marker).map_or(&[][..], |at| &data[at + marker.len()..]);
    String::from_utf8_lossy(text.split(|&byte| byte == b'"').next().unwrap_or_default()).into_owned()
}

fn token(text: &[u8]) -> Option<Line> {
    let (index, rest) = leading_number(text)?;
    let (time, _) = leading_number(rest.strip_prefix(b" ")?)?;
    Some(Line::Token { index, time })
}

fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let number =
        number.iter().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    (digits > 0).then_some((number, rest))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_line(chunk: &[u8]) -> &[u8] {
        let at = find(chunk, b"data:").expect("a data line");
        let end = find(&chunk[at..], b"\n").expect("its end");
        &chunk[at..at + end]
    }

    #[test]
    fn a_script_survives_the_body() {
        let script = Script {
            id: 7,
            tokens: 250,
            interval: Duration::from_micros(20_000),
            window: 3,
            first_delay: Duration::from_micros(400),
            pad: 12,
            hold: true,
            fault: Fault::numbered(2),
            provider: "",
        };
        assert_eq!(Script::from_body(&script.to_body()), script);
        assert_eq!(Script::from_body("{}"), Script::default());
    }

    #[test]
    fn a_token_survives_the_stream() {
        let mut chunk = TokenChunk::new(3);
        let mut parser = LineParser::default();
        for index in [0, 9, 99_999_999] {
            let token = Line::Token { index, time: u64::MAX };
            let line = data_line(chunk.token(index, u64::MAX)).to_vec();
            assert_eq!(parser.parse(&line), token);
        }
        assert_eq!(parser.parse(data_line(&finish_chunk(3))), Line::Finish);
        assert_eq!(parser.parse(data_line(DONE)), Line::Done);
        assert_eq!(parser.parse(b": keep-alive"), Line::Other);
        let error = parser.parse(br#"data: {"error":{"message":"m","type":"t","param":null,"code":"c"}}"#);
        assert_eq!(error, Line::Error { code: "c".to_owned() });
    }

    #[test]
    fn an_event_is_of_the_usual_size() {
        let length = TokenChunk::new(0).token(0, 0).len();
        assert!((200..=260).contains(&length), "{length}");
    }
}
