//! The parts of messages and of results.

use serde_json::Value;

use super::fields::{Fields, Notes, wrong};
use crate::canonical::{Media, Part, Source, Weight};
use crate::dialect::Malformed;

const WITHIN: &str = "input";

/// Text, or a list of parts, at `path`.
pub(super) fn read_content(content: Value, path: &str, notes: &mut Notes) -> Result<Vec<Part>, Malformed> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(parts) => {
            let mut read = Vec::with_capacity(parts.len());
            for (index, part) in parts.into_iter().enumerate() {
                let path = format!("{path}[{index}]");
                read.extend(read_part(Fields::of(part, &path, WITHIN)?, &path, notes)?);
            }
            Ok(read)
        }
        _ => Err(wrong(path, WITHIN, "a string or a list of parts")),
    }
}

fn read_part(mut part: Fields, path: &str, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let kind = part.needed_string("type")?;
    let read = match kind.as_str() {
        "input_text" | "output_text" | "text" => Part::text(part.needed_string("text")?),
        "refusal" => Part::Refusal(part.needed_string("refusal")?),
        "input_image" => Part::Image(read_image(&mut part)?),
        "input_file" => Part::File(read_file(&mut part)?),
        "input_audio" => Part::Audio(read_audio(&mut part)?),
        _ => {
            notes.add(format!("{path}.type"), Weight::Meaning);
            return Ok(None);
        }
    };
    // What is known of a text that was said is of no use to whom it is said again.
    for name in ["annotations", "logprobs"] {
        part.take(name);
    }
    if part.take("prompt_cache_breakpoint").is_some() {
        notes.add("input[].content[].prompt_cache_breakpoint".to_owned(), Weight::Hint);
    }
    part.rest(&["detail"], notes);
    Ok(Some(read))
}

fn read_image(part: &mut Fields) -> Result<Media, Malformed> {
    let detail = part.string("detail")?.filter(|detail| detail != "auto");
    let media = match (part.string("image_url")?, part.string("file_id")?) {
        (Some(url), _) => Media::from_url(&url),
        (None, Some(id)) => Media { source: Source::Id(id), media_type: None, name: None, detail: None },
        (None, None) => return Err(part.wrong("image_url", "a URL, or `file_id` the name of a file")),
    };
    Ok(Media { detail, ..media })
}

fn read_file(part: &mut Fields) -> Result<Media, Malformed> {
    let name = part.string("filename")?;
    let (data, url, id) = (part.string("file_data")?, part.string("file_url")?, part.string("file_id")?);
    let of = |source| Media { source, media_type: None, name: None, detail: None };
    let media = match (data, url, id) {
        (Some(data), _, _) if data.starts_with("data:") => Media::from_url(&data),
        (Some(data), _, _) => of(Source::Data(data)),
        (_, Some(url), _) => of(Source::Url(url)),
        (_, _, Some(id)) => of(Source::Id(id)),
        _ => return Err(part.wrong("file_data", "a data URL, or `file_url` a URL, or `file_id` the name of a file")),
    };
    Ok(Media { name, ..media })
}

fn read_audio(part: &mut Fields) -> Result<Media, Malformed> {
    let Some(mut audio) = part.object("input_audio")? else {
        return Err(part.wrong("input_audio", "an object"));
    };
    let data = audio.needed_string("data")?;
    let format = audio.needed_string("format")?;
    Ok(Media::from_data(data, format!("audio/{}", if format == "mp3" { "mpeg" } else { &*format })))
}
