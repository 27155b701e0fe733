//! Seals that a client brings to a provider that speaks its own dialect.
//!
//! A conversation may have been held with others before. Their marks were told as [tokens](Seal) of ours, and the client
//! sends them along, in the place of marks that the provider would check. Such a request is the only one that does not pass
//! as it is: what carries a token is left out, as the provider's own clients would leave out what it never gave them.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde_json::Value;

use crate::canonical::Seal;

/// How a token begins where a dialect wants it in base64: Gemini's are `bytes`.
const PREFIX_IN_BASE64: &str = "c2cxL";

/// `body` without what carries a token of ours; `None` if nothing does, which is nearly always.
pub fn remove(body: &[u8]) -> Option<Bytes> {
    static TOKEN: LazyLock<[Finder<'static>; 2]> =
        LazyLock::new(|| [Seal::PREFIX, PREFIX_IN_BASE64].map(|prefix| Finder::new(prefix).into_owned()));
    if TOKEN.iter().all(|token| token.find(body).is_none()) {
        return None;
    }
    let mut value: Value = serde_json::from_slice(body).ok()?;
    clean(&mut value).then(|| value.to_string().into())
}

/// Whether anything was left out.
fn clean(value: &mut Value) -> bool {
    match value {
        Value::Array(values) => {
            let before = values.len();
            // Thoughts and what encloses only a mark. A client's text that begins like a token is in no such place.
            values.retain(|value| !is_marked(value));
            let is_shorter = values.len() < before;
            values.iter_mut().fold(is_shorter, |changed, value| clean(value) || changed)
        }
        Value::Object(members) => {
            let before = members.len();
            members.retain(|name, value| {
                !(matches!(&**name, "thoughtSignature" | "thought_signature") && begins(value, PREFIX_IN_BASE64))
            });
            let is_shorter = members.len() < before;
            members.values_mut().fold(is_shorter, |changed, value| clean(value) || changed)
        }
        _ => false,
    }
}

/// Whether `value` is a piece of a conversation that carries a token: Anthropic's thoughts, OpenAI's reasoning items,
/// OpenRouter's details of reasoning.
fn is_marked(value: &Value) -> bool {
    ["signature", "data", "encrypted_content"].iter().any(|name| begins(&value[name], Seal::PREFIX))
}

fn begins(value: &Value, prefix: &str) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    fn removed(body: &Value) -> Option<Value> {
        remove(body.to_string().as_bytes()).map(|body| serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn what_carries_a_token_is_left_out_and_all_else_stays() {
        let token = Seal { dialect: "gemini".into(), provider: "g".into(), data: "x".into() }.token();
        let anthropic = json!({"model": "m", "messages": [{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": token},
            {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
            {"type": "text", "text": format!("{token} is a token")},
        ]}], "x": 1.50});
        let mut expected = anthropic.clone();
        expected["messages"][0]["content"].as_array_mut().unwrap().remove(0);
        assert_eq!(removed(&anthropic), Some(expected));

        let responses = json!({"input": [{"type": "reasoning", "encrypted_content": token}, {"role": "user"}]});
        assert_eq!(removed(&responses), Some(json!({"input": [{"role": "user"}]})));

        let part = json!({"functionCall": {"name": "f"}, "thoughtSignature": STANDARD.encode(token)});
        assert_eq!(removed(&json!({"parts": [part]})), Some(json!({"parts": [{"functionCall": {"name": "f"}}]})));
    }

    #[test]
    fn a_body_without_tokens_is_not_touched() {
        for text in ["hello", "about sg1. and its tokens", "c2cxL"] {
            assert_eq!(removed(&json!({"messages": [{"role": "user", "content": text}]})), None, "{text}");
        }
        assert_eq!(remove(b"sg1. no JSON"), None);
    }
}
