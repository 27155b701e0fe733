//! The events of a stream, as a tolerant client cuts it.

/// Name and data of each event of `stream` that has data.
pub fn events(dialect: &str, stream: &str) -> Vec<(Option<String>, String)> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    if dialect == "ollama" {
        return stream.lines().filter(|line| !line.trim().is_empty()).map(|line| (None, line.to_owned())).collect();
    }
    let mut events = Vec::new();
    let (mut name, mut data) = (None, Vec::new());
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    for line in lines.split('\n').chain([""]) {
        if line.is_empty() {
            if !data.is_empty() {
                events.push((name.take(), data.join("\n")));
            }
            (name, data) = (None, Vec::new());
        } else if let Some((field, value)) = line.split_once(':') {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = Some(value.to_owned()),
                "data" => data.push(value.to_owned()),
                // llama.cpp tells its errors in a field of that name.
                "error" => events.push((Some("error".to_owned()), value.to_owned())),
                _ => {}
            }
        }
    }
    events
}
