//! Where statements have their facts from.
//!
//! Gemini tells this of the answer as a whole, when it has been said, and counts in bytes.
//!
//! <https://ai.google.dev/api/generate-content#GroundingMetadata>

use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::Candidate;
use crate::canonical::{Annotation, ChatAnswer, Part};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Grounding {
    grounding_chunks: Vec<Chunk>,
    grounding_supports: Vec<Support>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    #[serde(alias = "retrievedContext", alias = "maps")]
    web: Option<Source>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Source {
    uri: Option<String>,
    title: Option<String>,
    text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Support {
    segment: Segment,
    grounding_chunk_indices: Vec<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Segment {
    start_index: usize,
    end_index: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Citations {
    /// `citationSources` is the elder name.
    #[serde(alias = "citationSources")]
    citations: Vec<Citation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Citation {
    start_index: usize,
    end_index: Option<usize>,
    uri: Option<String>,
    title: Option<String>,
}

/// Whether `candidate` tells of any facts.
pub(super) fn is_in(candidate: &Candidate<'_>) -> bool {
    candidate.grounding_metadata.is_some() || candidate.citation_metadata.is_some()
}

/// Where the statements in `text`, which has been `said`, have their facts from. The text's part begins at byte `begin`.
pub(super) fn annotations(candidate: &Candidate<'_>, said: &str, begin: usize) -> Vec<Annotation> {
    let span = |start: usize, end: Option<usize>| {
        let before = said.get(begin..start.max(begin))?.chars().count() as u64;
        let within = said.get(start.max(begin)..end?)?.chars().count() as u64;
        Some((before, before + within))
    };
    let of = |source: Source, span| Annotation { url: source.uri, title: source.title, cited_text: source.text, span };
    let mut annotations = Vec::new();
    if let Some(Ok(grounding)) = candidate.grounding_metadata.map(|json| serde_json::from_str::<Grounding>(json.get()))
    {
        let source = |index: usize| grounding.grounding_chunks.get(index).and_then(|chunk| chunk.web.clone());
        for Support { segment, grounding_chunk_indices } in &grounding.grounding_supports {
            let span = span(segment.start_index, segment.end_index);
            annotations.extend(
                grounding_chunk_indices.iter().filter_map(|index| source(*index)).map(|source| of(source, span)),
            );
        }
        if grounding.grounding_supports.is_empty() {
            annotations.extend((0..grounding.grounding_chunks.len()).filter_map(source).map(|source| of(source, None)));
        }
    }
    if let Some(Ok(citations)) = candidate.citation_metadata.map(|json| serde_json::from_str::<Citations>(json.get())) {
        annotations.extend(citations.citations.into_iter().map(|citation| {
            let source = Source { uri: citation.uri, title: citation.title, text: None };
            of(source, span(citation.start_index, citation.end_index))
        }));
    }
    annotations.retain(|annotation| annotation != &Annotation { span: annotation.span, ..Annotation::default() });
    annotations
}

/// The `groundingMetadata` of an answer; `None` if it names no sources.
pub(super) fn metadata(answer: &ChatAnswer) -> Option<Value> {
    let (mut chunks, mut supports) = (Vec::new(), Vec::new());
    let mut begin = 0;
    for part in &answer.parts {
        let Part::Text(text) = part else { continue };
        for Annotation { url, title, cited_text, span } in &text.annotations {
            let chunk = match (url, title) {
                (None, None) => json!({ "retrievedContext": { "text": cited_text } }),
                _ => json!({ "web": { "uri": url, "title": title } }),
            };
            let index = chunks.iter().position(|known| *known == chunk).unwrap_or_else(|| {
                chunks.push(chunk);
                chunks.len() - 1
            });
            let (start, end) = span
                .map_or((0, text.text.len()), |(start, end)| (byte_of(&text.text, start), byte_of(&text.text, end)));
            let segment = json!({
                "startIndex": begin + start,
                "endIndex": begin + end,
                "text": text.text.get(start..end).unwrap_or_default(),
            });
            supports.push(json!({ "segment": segment, "groundingChunkIndices": [index] }));
        }
        begin += text.text.len();
    }
    (!chunks.is_empty()).then(|| json!({ "groundingChunks": chunks, "groundingSupports": supports }))
}

/// Where the character at `index` begins.
fn byte_of(text: &str, index: u64) -> usize {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}
