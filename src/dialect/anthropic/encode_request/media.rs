//! Writes pictures and documents.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/vision>,
//! <https://docs.claude.com/en/docs/build-with-claude/pdf-support>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::canonical::{Field, Losses, Media, Source};

const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// A picture; `None` if it cannot be shown, which is noted.
pub(super) fn picture(media: &Media, losses: &mut Losses<'_>) -> Option<Value> {
    let source = match &media.source {
        Source::Url(url) => by_url(url, losses)?,
        Source::Id(_) => return elsewhere(losses),
        Source::Data(data) => {
            let media_type = type_of(media);
            if !media_type.is_some_and(|media_type| PICTURES.contains(&media_type)) {
                let known = media_type.unwrap_or("of an unknown type");
                losses.meaning(Field::Messages, format!("Anthropic Messages takes no picture that is {known}"));
                return None;
            }
            json!({ "type": "base64", "media_type": media_type, "data": data })
        }
    };
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        losses.hint(Field::Messages, "Anthropic Messages does not say how closely to look at a picture");
    }
    Some(json!({ "type": "image", "source": source }))
}

/// A document; `None` if it cannot be shown, which is noted.
pub(super) fn document(media: &Media, losses: &mut Losses<'_>) -> Option<Value> {
    let source = match &media.source {
        Source::Url(url) => by_url(url, losses)?,
        Source::Id(_) => return elsewhere(losses),
        Source::Data(data) => match type_of(media) {
            Some("application/pdf") => json!({ "type": "base64", "media_type": "application/pdf", "data": data }),
            Some(media_type) if is_text(media_type) => {
                let Some(text) = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
                    losses.meaning(Field::Messages, "a document of text is no UTF-8 in base64");
                    return None;
                };
                json!({ "type": "text", "media_type": "text/plain", "data": text })
            }
            media_type => {
                let known = media_type.unwrap_or("of an unknown type");
                losses.meaning(Field::Messages, format!("Anthropic Messages takes no document that is {known}"));
                return None;
            }
        },
    };
    let mut block = json!({ "type": "document", "source": source });
    if let Some(name) = &media.name {
        block["title"] = name.as_str().into();
    }
    Some(block)
}

fn by_url(url: &str, losses: &mut Losses<'_>) -> Option<Value> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Some(json!({ "type": "url", "url": url }));
    }
    losses.meaning(Field::Messages, "Anthropic fetches pictures and documents from the web only");
    None
}

fn elsewhere(losses: &mut Losses<'_>) -> Option<Value> {
    losses.meaning(Field::Messages, "a file that was uploaded to another provider is not known to this one");
    None
}

fn type_of(media: &Media) -> Option<&str> {
    let told = media.media_type.as_deref().map(|told| if told == "image/jpg" { "image/jpeg" } else { told });
    told.or_else(|| media.apparent_type())
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || media_type == "application/json"
}
