//! `POST /v1/embeddings`: vectors without a model behind them.

use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};

use super::{
    dice::Dice,
    error::{ApiError, json_response, to_json},
    request, tokens,
};

const DIMENSIONS: u64 = 64;

/// Answers an embedding request.
pub(super) fn embed(body: &[u8]) -> Result<Response, ApiError> {
    let request = request::parse(body)?;
    let model = request::model(&request)?;
    let inputs = request::texts_of(&request["input"]);
    if inputs.is_empty() {
        let message = "Invalid 'input': expected a text, several texts or lists of tokens.";
        return Err(ApiError::parameter("input", "invalid_type", message));
    }
    let dimensions = match &request["dimensions"] {
        Value::Null => DIMENSIONS,
        wish => wish.as_u64().filter(|wish| (1..=4_096).contains(wish)).ok_or_else(|| {
            let message = "Invalid 'dimensions': expected an integer from 1 to 4096.";
            ApiError::parameter("dimensions", "invalid_value", message)
        })?,
    };
    // The official clients ask for base64 unless told otherwise, and one of them cannot read anything else.
    let as_base64 = request["encoding_format"] == "base64";
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(text, dimensions);
        let embedding = if as_base64 { json!(base64(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(entry).collect();
    let spent: usize = inputs.iter().map(|text| tokens::count(text)).sum();
    let usage = json!({"prompt_tokens": spent, "total_tokens": spent});
    let answer = json!({"object": "list", "data": data, "model": model.id, "usage": usage});
    Ok(json_response(StatusCode::OK, to_json(&answer)))
}

/// A unit vector that depends on nothing but the words of `text`.
///
/// Every word has a direction of its own, which its hash gives it, and a text points where its words point together. So
/// texts that share words are closer to each other than texts that do not: enough to see a search work.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut sum: Vec<f32> = direction(&text, dimensions).map(|component| component * 0.1).collect();
    for word in words {
        for (total, component) in sum.iter_mut().zip(direction(word, dimensions)) {
            *total += component;
        }
    }
    let length = sum.iter().map(|component| component * component).sum::<f32>().sqrt();
    sum.iter().map(|component| component / length).collect()
}

/// Components from -1 to 1, never zero, so that no vector is without a length.
fn direction(word: &str, dimensions: u64) -> impl Iterator<Item = f32> {
    let mut dice = Dice::new(word.as_bytes());
    (0..dimensions).map(move |_| {
        let roll = u16::try_from(dice.between(0, 9_999)).unwrap_or(0);
        (f32::from(roll) - 4_999.5) / 5_000.0
    })
}

/// The little-endian floats of `vector` in standard base64.
fn base64(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|component| component.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(*group.get(i).unwrap_or(&0)));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= group.len() { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(one: &str, two: &str) -> f32 {
        vector(one, 64).iter().zip(vector(two, 64)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn every_vector_has_length_one() {
        for text in ["", "hello", "背压", "a long text with many words in it"] {
            assert!((likeness(text, text) - 1.0).abs() < 1e-4, "{text}");
        }
    }

    #[test]
    fn the_same_text_gets_the_same_vector_and_another_text_another() {
        assert_eq!(vector("hello", 64), vector("hello", 64));
        assert_ne!(vector("hello", 64), vector("hullo", 64));
    }

    #[test]
    fn texts_that_share_words_are_closer() {
        let near = likeness("the river runs slowly", "The river is slow");
        let far = likeness("the river runs slowly", "quantum chess for beginners");
        assert!(near > far);
    }

    #[test]
    fn base64_is_the_standard_one() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.0]), "AACAPwAAAMA=");
        assert_eq!(base64(&[0.0, 0.0, 0.0]), "AAAAAAAAAAAAAAAA");
    }
}
