//! What stands beside a text: its sources, and how likely its tokens were.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::message::{Loose, parse};
use crate::canonical::{Annotation, Logprob, Part, Usage};

/// A choice's `logprobs`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Probabilities<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<Vec<Token<'a>>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Vec<Token<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token<'a> {
    #[serde(borrow, default)]
    token: Loose<'a>,
    #[serde(default)]
    logprob: Option<f64>,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    #[serde(borrow, default)]
    top_logprobs: Option<Vec<Self>>,
}

impl From<Token<'_>> for Logprob {
    fn from(token: Token<'_>) -> Self {
        Self {
            token: token.token.0.into_owned(),
            // OpenAI's number for a token that is not among the likeliest.
            logprob: token.logprob.unwrap_or(-9999.0),
            bytes: token.bytes,
            top: token.top_logprobs.into_iter().flatten().map(Self::from).collect(),
        }
    }
}

/// A token as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    token: &'a str,
    logprob: f64,
    bytes: Option<&'a [u8]>,
    /// Alternatives have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Self>>,
}

impl<'a> Told<'a> {
    fn alone(logprob: &'a Logprob) -> Self {
        let Logprob { token, logprob, bytes, .. } = logprob;
        Self { token, logprob: *logprob, bytes: bytes.as_deref(), top_logprobs: None }
    }

    fn with_alternatives(logprob: &'a Logprob) -> Self {
        Self { top_logprobs: Some(logprob.top.iter().map(Self::alone).collect()), ..Self::alone(logprob) }
    }
}

/// `logprobs` as they are written.
pub(super) fn told(logprobs: &[Logprob]) -> Vec<Told<'_>> {
    logprobs.iter().map(Told::with_alternatives).collect()
}

#[derive(Debug, Deserialize)]
struct Citation<'a> {
    #[serde(borrow, default)]
    url_citation: Option<Source<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Source<'a> {
    #[serde(borrow, default)]
    url: Loose<'a>,
    #[serde(borrow, default)]
    title: Loose<'a>,
    /// OpenRouter tells the words of the page, too.
    #[serde(borrow, default)]
    content: Loose<'a>,
    #[serde(default)]
    start_index: Option<u64>,
    #[serde(default)]
    end_index: Option<u64>,
}

impl From<Source<'_>> for Annotation {
    fn from(source: Source<'_>) -> Self {
        let own = |text: &Loose<'_>| text.non_empty().map(str::to_owned);
        Self {
            url: own(&source.url),
            title: own(&source.title),
            cited_text: own(&source.content),
            // Whoever does not know says 0 and 0.
            span: source.start_index.zip(source.end_index).filter(|(start, end)| start < end),
        }
    }
}

/// A message's `annotations`.
pub(super) fn annotations(list: &RawValue) -> Vec<Annotation> {
    let list: Vec<Citation<'_>> = parse(Some(list)).unwrap_or_default();
    list.into_iter().filter_map(|citation| citation.url_citation).map(Annotation::from).collect()
}

/// The same where it is a value.
pub(super) fn annotations_of(list: &Value) -> Vec<Annotation> {
    let list = Vec::<Citation<'_>>::deserialize(list).unwrap_or_default();
    list.into_iter().filter_map(|citation| citation.url_citation).map(Annotation::from).collect()
}

/// The sources of an answer that says no more than that it has them.
pub(super) fn sources(results: Option<&RawValue>, citations: Option<&RawValue>) -> Vec<Annotation> {
    let results: Vec<Source<'_>> = parse(results).unwrap_or_default();
    if !results.is_empty() {
        return results
            .into_iter()
            .map(|result| Annotation::from(Source { url: result.url, title: result.title, ..Source::default() }))
            .collect();
    }
    let urls: Vec<Loose<'_>> = parse(citations).unwrap_or_default();
    let known = urls.into_iter().filter(|url| !url.is_empty());
    known.map(|url| Annotation { url: Some(url.0.into_owned()), ..Annotation::default() }).collect()
}

/// All `annotations` of an answer. Its texts are one for the client, and characters are counted from its beginning.
pub(super) fn all_annotations(parts: &[Part]) -> Vec<Value> {
    let (mut told, mut before) = (Vec::new(), 0);
    for part in parts {
        let Part::Text(text) = part else { continue };
        let length = text.text.chars().count() as u64;
        for annotation in &text.annotations {
            let (start, end) = annotation.span.unwrap_or((0, length));
            let mut citation = json!({
                "start_index": before + start,
                "end_index": before + end,
                "url": annotation.url.as_deref().unwrap_or_default(),
                "title": annotation.title.as_deref().unwrap_or_default(),
            });
            if let Some(words) = &annotation.cited_text {
                citation["content"] = words.as_str().into();
            }
            told.push(json!({ "type": "url_citation", "url_citation": citation }));
        }
        before += length;
    }
    told
}

/// `usage` as it is written.
pub(super) fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens,
        },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning_output_tokens },
    })
}
