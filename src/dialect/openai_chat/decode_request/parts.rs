//! The parts of a message's content.

use serde_json::Value;

use super::fields::{Fields, Notes};
use crate::canonical::{Media, Part, Source, Weight};
use crate::dialect::Malformed;

/// A message's content: a string, or parts.
pub(super) fn read(message: &mut Fields, notes: &mut Notes) -> Result<Vec<Part>, Malformed> {
    match message.take("content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(list @ Value::Array(_)) => {
            message.put_back("content", list);
            let mut parts = Vec::new();
            for part in message.objects("content")? {
                parts.extend(read_part(part, notes)?);
            }
            Ok(parts)
        }
        Some(_) => Err(message.wrong("content", "a string or a list of parts")),
    }
}

fn read_part(mut part: Fields, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let kind = part.string("type")?.ok_or_else(|| part.wrong("type", "a string"))?;
    let read = match &*kind {
        "text" => Part::text(text(&mut part, "text")?),
        "refusal" => Part::Refusal(text(&mut part, "refusal")?),
        "image_url" => Part::Image(image(&mut part)?),
        "input_audio" => Part::Audio(audio(&mut part)?),
        "file" => Part::File(file(&mut part, notes)?),
        _ => {
            notes.meaning(part.path());
            return Ok(None);
        }
    };
    // Marks for a provider's cache.
    notes.leftovers(&part, |name| match name {
        "cache_control" | "prompt_cache_breakpoint" => Weight::Hint,
        _ => Weight::Meaning,
    });
    Ok(Some(read))
}

fn text(part: &mut Fields, name: &'static str) -> Result<String, Malformed> {
    part.string(name)?.ok_or_else(|| part.wrong(name, "a string"))
}

fn image(part: &mut Fields) -> Result<Media, Malformed> {
    // Some clients give the URL itself in place of the object around it.
    let value = part.take("image_url").ok_or_else(|| part.wrong("image_url", "an object"))?;
    if let Value::String(url) = value {
        return Ok(Media::from_url(&url));
    }
    part.put_back("image_url", value);
    let mut image = part.object("image_url")?.ok_or_else(|| part.wrong("image_url", "an object"))?;
    let url = image.string("url")?.ok_or_else(|| image.wrong("url", "a string"))?;
    Ok(Media { detail: image.string("detail")?, ..Media::from_url(&url) })
}

fn audio(part: &mut Fields) -> Result<Media, Malformed> {
    let mut audio = part.object("input_audio")?.ok_or_else(|| part.wrong("input_audio", "an object"))?;
    let data = audio.string("data")?.ok_or_else(|| audio.wrong("data", "a string"))?;
    let format = audio.string("format")?.ok_or_else(|| audio.wrong("format", "a string"))?;
    let media_type = if format == "mp3" { "audio/mpeg".to_owned() } else { format!("audio/{format}") };
    Ok(Media::from_data(data, media_type))
}

fn file(part: &mut Fields, notes: &mut Notes) -> Result<Media, Malformed> {
    let mut file = part.object("file")?.ok_or_else(|| part.wrong("file", "an object"))?;
    let name = file.string("filename")?;
    let mut media = match (file.string("file_id")?, file.string("file_data")?) {
        (Some(id), _) => Media { source: Source::Id(id), media_type: None, name: None, detail: None },
        (None, Some(data)) if data.contains(':') => Media::from_url(&data),
        (None, Some(data)) => {
            let is_pdf = name.as_ref().is_none_or(|name| name.to_ascii_lowercase().ends_with(".pdf"));
            let media_type = is_pdf.then(|| "application/pdf".to_owned());
            Media { source: Source::Data(data), media_type, name: None, detail: None }
        }
        (None, None) => return Err(file.wrong("file_data", "a string, unless there is a `file_id`")),
    };
    media.name = name;
    notes.leftovers(&file, |_| Weight::Meaning);
    Ok(media)
}
