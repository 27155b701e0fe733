//! The parts of a message's content.

use serde_json::Value;

use crate::canonical::{Media, Part, Source};
use crate::dialect::Malformed;
use crate::dialect::fields::{Content, Fields, Notes};

/// A message's content: a string, or parts.
pub(super) fn read(message: &mut Fields, notes: &mut Notes) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::new();
    match message.content("content")? {
        None => {}
        Some(Content::Text(text)) => parts.extend((!text.is_empty()).then(|| Part::text(text))),
        Some(Content::Objects(list)) => {
            for part in list {
                parts.extend(read_part(part, notes)?);
            }
        }
    }
    Ok(parts)
}

fn read_part(mut part: Fields, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let read = match &*part.needed_string("type")? {
        "text" => Part::text(part.needed_string("text")?),
        "refusal" => Part::Refusal(part.needed_string("refusal")?),
        "image_url" => Part::Image(image(&mut part)?),
        "input_audio" => Part::Audio(audio(&mut part)?),
        "file" => Part::File(file(&mut part, notes)?),
        _ => {
            notes.meaning(part.path());
            return Ok(None);
        }
    };
    // Marks for a provider's cache.
    notes.rest(&part, &["cache_control", "prompt_cache_breakpoint"]);
    Ok(Some(read))
}

fn image(part: &mut Fields) -> Result<Media, Malformed> {
    // Some clients give the URL itself in place of the object around it.
    let mut image = match part.take("image_url") {
        Some(Value::String(url)) => return Ok(Media::from_url(&url)),
        value => part.inside("image_url", value.unwrap_or_default())?,
    };
    let url = image.needed_string("url")?;
    Ok(Media { detail: image.string("detail")?, ..Media::from_url(&url) })
}

fn audio(part: &mut Fields) -> Result<Media, Malformed> {
    let mut audio = part.needed_object("input_audio")?;
    Ok(Media::from_audio(audio.needed_string("data")?, &audio.needed_string("format")?))
}

fn file(part: &mut Fields, notes: &mut Notes) -> Result<Media, Malformed> {
    let mut file = part.needed_object("file")?;
    let name = file.string("filename")?;
    let mut media: Media = match (file.string("file_id")?, file.string("file_data")?) {
        (Some(id), _) => Source::Id(id).into(),
        (None, Some(data)) if data.contains(':') => Media::from_url(&data),
        (None, Some(data)) => {
            let is_pdf = name.as_ref().is_none_or(|name| name.to_ascii_lowercase().ends_with(".pdf"));
            let media_type = is_pdf.then(|| "application/pdf".to_owned());
            Media { media_type, ..Source::Data(data).into() }
        }
        (None, None) => return Err(file.wrong("file_data", "a string, unless there is a `file_id`")),
    };
    media.name = name;
    notes.rest(&file, &[]);
    Ok(media)
}
