//! What the last responses of a connection were about, so that the next can go on from them.

use std::collections::VecDeque;

use serde_json::value::RawValue;

/// The items of responses, both what was put in and what came out, by the ids of the responses.
///
/// Each is kept whole, what it went on from included: then the oldest can be forgotten without asking who goes on from it.
pub(super) struct History {
    limit: usize,
    size: usize,
    kept: VecDeque<(String, String)>,
}

impl History {
    /// One that keeps `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, size: 0, kept: VecDeque::new() }
    }

    /// Keeps the `items` of the response called `id`, and forgets the oldest for them.
    pub(super) fn keep(&mut self, id: String, items: String) {
        let size = id.len() + items.len();
        if size > self.limit {
            return;
        }
        self.size += size;
        self.kept.push_back((id, items));
        while self.size > self.limit
            && let Some((id, items)) = self.kept.pop_front()
        {
            self.size -= id.len() + items.len();
        }
    }

    /// The items of the response called `id`, if they are still kept.
    pub(super) fn find(&self, id: &str) -> Option<&str> {
        self.kept.iter().rev().find(|(kept, _)| kept == id).map(|(_, items)| items.as_str())
    }
}

/// The items of `input`, as they stand between the brackets of an array. A text is one message of the user's. `None` if it is
/// neither.
pub(super) fn items(input: &RawValue) -> Option<String> {
    let input = input.get();
    match input.strip_prefix('[').and_then(|input| input.strip_suffix(']')) {
        Some(items) => Some(items.trim().to_owned()),
        None if input.starts_with('"') => Some(format!(r#"{{"role":"user","content":{input}}}"#)),
        None => (input == "null").then(String::new),
    }
}

/// `first` and `second` items.
pub(super) fn join(first: &str, second: &str) -> String {
    let comma = if first.is_empty() || second.is_empty() { "" } else { "," };
    [first, comma, second].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first_and_what_is_too_large_is_not_kept() {
        let mut history = History::new(25);
        for id in ["a", "b", "c"] {
            history.keep(id.to_owned(), "0123456789".to_owned());
        }
        assert_eq!((history.find("a"), history.find("b")), (None, Some("0123456789")));
        history.keep("d".to_owned(), "x".repeat(25));
        assert_eq!((history.find("c"), history.find("d")), (Some("0123456789"), None));
        history.keep("e".to_owned(), "x".repeat(24));
        assert_eq!((history.find("c"), history.size), (None, 25));
    }

    #[test]
    fn an_input_is_items_whatever_it_is() {
        let items = |json: &str| items(&RawValue::from_string(json.to_owned()).unwrap());
        assert_eq!(items("[ ]").unwrap(), "");
        assert_eq!(items("[ 1, 2 ]").unwrap(), "1, 2");
        assert_eq!(items(r#""hi""#).unwrap(), r#"{"role":"user","content":"hi"}"#);
        assert_eq!(items("null").unwrap(), "");
        assert_eq!(items("{}"), None);
        assert_eq!(join("1", "2"), "1,2");
        assert_eq!((join("", "2"), join("1", "")), ("2".to_owned(), "1".to_owned()));
    }
}
