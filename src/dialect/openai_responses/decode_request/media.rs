//! The parts of messages and of results.

use crate::canonical::{Media, Part, Source};
use crate::dialect::Malformed;
use crate::dialect::fields::{Content, Fields, Notes};

pub(super) fn read_content(content: Content, notes: &mut Notes) -> Result<Vec<Part>, Malformed> {
    match content {
        Content::Text(text) => Ok(vec![Part::text(text)]),
        Content::Objects(parts) => {
            let mut read = Vec::with_capacity(parts.len());
            for part in parts {
                read.extend(read_part(part, notes)?);
            }
            Ok(read)
        }
    }
}

fn read_part(mut part: Fields, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let kind = part.needed_string("type")?;
    let read = match kind.as_str() {
        "input_text" | "output_text" | "text" => Part::text(part.needed_string("text")?),
        "refusal" => Part::Refusal(part.needed_string("refusal")?),
        "input_image" => Part::Image(read_image(&mut part)?),
        "input_file" => Part::File(read_file(&mut part)?),
        "input_audio" => Part::Audio(read_audio(&mut part)?),
        _ => {
            notes.meaning(part.path_of("type"));
            return Ok(None);
        }
    };
    // What is known of a text that was said is of no use to whom it is said again.
    for name in ["annotations", "logprobs"] {
        part.take(name);
    }
    if part.take("prompt_cache_breakpoint").is_some() {
        notes.hint("input[].content[].prompt_cache_breakpoint");
    }
    notes.rest(&part, &["detail"]);
    Ok(Some(read))
}

fn read_image(part: &mut Fields) -> Result<Media, Malformed> {
    let detail = part.string("detail")?.filter(|detail| detail != "auto");
    let media = match (part.string("image_url")?, part.string("file_id")?) {
        (Some(url), _) => Media::from_url(&url),
        (None, Some(id)) => Source::Id(id).into(),
        (None, None) => return Err(part.wrong("image_url", "a URL, or `file_id` the name of a file")),
    };
    Ok(Media { detail, ..media })
}

fn read_file(part: &mut Fields) -> Result<Media, Malformed> {
    let name = part.string("filename")?;
    let (data, url, id) = (part.string("file_data")?, part.string("file_url")?, part.string("file_id")?);
    let media = match (data, url, id) {
        (Some(data), _, _) if data.starts_with("data:") => Media::from_url(&data),
        (Some(data), _, _) => Source::Data(data).into(),
        (_, Some(url), _) => Source::Url(url).into(),
        (_, _, Some(id)) => Source::Id(id).into(),
        _ => return Err(part.wrong("file_data", "a data URL, or `file_url` a URL, or `file_id` the name of a file")),
    };
    Ok(Media { name, ..media })
}

fn read_audio(part: &mut Fields) -> Result<Media, Malformed> {
    let mut audio = part.needed_object("input_audio")?;
    Ok(Media::from_audio(audio.needed_string("data")?, &audio.needed_string("format")?))
}
