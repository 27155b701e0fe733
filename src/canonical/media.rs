//! Pictures, recordings and documents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A picture, a recording or a document. The proxy never fetches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where its bytes are.
    pub source: Source,
    /// Its media type, such as `image/png`, where it is known.
    pub media_type: Option<String>,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// How closely the model is to look, in OpenAI's words.
    pub detail: Option<String>,
}

impl Media {
    /// What `url` leads to, or holds if it is a `data:` URL in base64.
    pub fn from_url(url: &str) -> Self {
        let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        let (source, media_type) = match data {
            Some((media_type, data)) => {
                // Parameters, such as a charset, are of no use to a model.
                let essence = media_type.split(';').next().unwrap_or_default();
                (Source::Data(data.to_owned()), (!essence.is_empty()).then(|| essence.to_owned()))
            }
            None => (Source::Url(url.to_owned()), None),
        };
        Self { media_type, ..source.into() }
    }

    /// Bytes, in base64.
    pub fn from_data(data: impl Into<String>, media_type: impl Into<String>) -> Self {
        Self { media_type: Some(media_type.into()), ..Source::Data(data.into()).into() }
    }

    /// A recording in base64, in a `format` as OpenAI calls it.
    pub fn from_audio(data: impl Into<String>, format: &str) -> Self {
        Self::from_data(data, format!("audio/{}", if format == "mp3" { "mpeg" } else { format }))
    }

    /// How its bytes begin, if they are here and are base64.
    pub fn beginning(&self) -> Option<Vec<u8>> {
        let Source::Data(data) = &self.source else { return None };
        // Sixteen characters are twelve bytes, and enough to know a kind by.
        STANDARD_NO_PAD.decode(data.get(..data.len().min(16))?.trim_end_matches('=')).ok()
    }

    /// The media type of whatever begins like its bytes, where that is well known.
    pub fn apparent_type(&self) -> Option<&'static str> {
        match &*self.beginning()? {
            [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
            [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
            [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
            [b'R', b'I', b'F', b'F', ..] => Some("image/webp"),
            [b'B', b'M', ..] => Some("image/bmp"),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some("application/pdf"),
            _ => None,
        }
    }

    /// Its URL, or a `data:` URL of its bytes; `None` if only its provider knows where it is. Bytes of an unknown type are
    /// called `default_type`.
    pub fn to_url(&self, default_type: &str) -> Option<String> {
        match &self.source {
            Source::Url(url) => Some(url.clone()),
            Source::Data(data) => {
                Some(format!("data:{};base64,{data}", self.media_type.as_deref().unwrap_or(default_type)))
            }
            Source::Id(_) => None,
        }
    }
}

/// Where bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// At a URL that the provider fetches.
    Url(String),
    /// Here, in base64.
    Data(String),
    /// In a file that was uploaded to one provider and that no other knows.
    Id(String),
}

impl From<Source> for Media {
    fn from(source: Source) -> Self {
        Self { source, media_type: None, name: None, detail: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bytes_are_is_seen_by_their_beginning() {
        for (data, kind) in [
            ("iVBORw0KGgo", Some("image/png")),
            ("/9j/4AAQSkZJRg==", Some("image/jpeg")),
            ("R0lGODlhAQABAIAAAA==", Some("image/gif")),
            ("UklGRiQAAABXRUJQVlA4", Some("image/webp")),
            ("Qk0eAAAAAAAAABoAAAA=", Some("image/bmp")),
            ("JVBERi0xLjQKJcOkw7zDtsOfCg==", Some("application/pdf")),
            ("PHN2Zz4=", None),
            ("no base64", None),
            ("", None),
        ] {
            assert_eq!(Media::from(Source::Data(data.into())).apparent_type(), kind, "{data}");
        }
        assert_eq!(Media::from_url("https://a.b/c.png").apparent_type(), None);
    }
}
