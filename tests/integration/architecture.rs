//! The arrows between the layers, held by reading the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may use beside itself. `src/lib.rs` says the same in words.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["app", "http", "demo", "telemetry", "config", "error"]),
    ("app", &["http", "stream_log", "upstream", "telemetry", "config", "error"]),
    ("http", &["stream_log", "relay", "upstream", "telemetry", "dialect", "framing", "canonical", "config", "error"]),
    ("stream_log", &["relay", "telemetry", "dialect", "framing", "canonical", "config", "error"]),
    ("relay", &["upstream", "telemetry", "dialect", "framing", "canonical", "config", "error"]),
    ("upstream", &["provider", "dialect", "framing", "canonical", "config", "error"]),
    ("telemetry", &["canonical", "config", "error"]),
    ("config", &["provider", "dialect", "error"]),
    ("dialect", &["framing", "canonical", "error"]),
    ("framing", &["error"]),
    ("canonical", &["error"]),
    ("provider", &["dialect", "error"]),
    ("error", &[]),
    ("demo", &[]),
];

/// The layers that turn bytes into bytes, and what would make them something else.
const PURE: [&str; 4] = ["framing", "canonical", "dialect", "provider"];
const IMPURE_CRATES: [&str; 3] = ["tokio", "axum", "reqwest"];
const IMPURE_STD: [&str; 4] = ["time::Instant", "time::SystemTime", "net", "fs"];

/// A longer file is two files.
const MAX_LINES: usize = 400;

#[test]
fn a_layer_uses_only_the_layers_below_it() {
    let broken: Vec<String> = sources().iter().flat_map(Source::wrong_arrows).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_pure_layers_know_no_runtime_no_clock_and_no_files() {
    let broken: Vec<String> = sources().iter().flat_map(Source::impurities).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_file_is_too_long_to_be_one_idea() {
    let lines = |source: &Source| source.text.lines().count();
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| lines(source) > MAX_LINES)
        .map(|source| format!("{} has {} lines; {MAX_LINES} are enough", source.name(), lines(source)))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn every_layer_has_its_place_in_the_picture() {
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(layer, _)| *layer).collect();
    let sources = sources();
    let present: BTreeSet<&str> = sources.iter().map(Source::layer).filter(|layer| *layer != "lib").collect();
    assert_eq!(present, drawn);
}

/// One file of `src`.
struct Source {
    /// Its path below `src`.
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), text });
            }
        }
    }
    sources
}

impl Source {
    fn name(&self) -> String {
        format!("src/{}", self.path.display())
    }

    /// The first part of its path: `http` for `http/auth.rs`, `app` for `app.rs`.
    fn layer(&self) -> &str {
        Path::new(self.path.iter().next().unwrap()).file_stem().unwrap().to_str().unwrap()
    }

    /// Whether it holds tests alone: they may read recordings.
    fn is_test(&self) -> bool {
        self.path.iter().any(|part| part == "tests" || part == "tests.rs")
    }

    /// Without comments: they are prose, and prose may name anything.
    fn code(&self) -> String {
        let code = |line: &str| match line.split_once("//") {
            Some((code, _)) if !code.ends_with(':') => code.to_owned(),
            _ => line.to_owned(),
        };
        self.text.lines().map(code).collect::<Vec<_>>().join("\n")
    }

    fn wrong_arrows(&self) -> Vec<String> {
        let (layer, code) = (self.layer(), self.code());
        let Some((_, allowed)) = ARROWS.iter().find(|(drawn, _)| *drawn == layer) else {
            return Vec::new();
        };
        let within = if layer == "main" { "sluicegate::" } else { "crate::" };
        let mut used: BTreeSet<String> = paths(&code, within).iter().map(|path| first_part(path)).collect();
        used.remove(layer);
        let mut broken: Vec<String> = used
            .iter()
            .filter(|used| !allowed.contains(&used.as_str()))
            .map(|used| format!("{} uses {used}, but {layer} may use only {allowed:?}", self.name()))
            .collect();
        if self.climbs_out(&code) {
            broken.push(format!("{} leaves its layer by super::; name the layer with crate::", self.name()));
        }
        broken
    }

    /// Whether a chain of `super` reaches the root of the crate, from where every layer can be reached unseen.
    fn climbs_out(&self, code: &str) -> bool {
        let depth = self.path.iter().filter(|part| *part != "mod.rs").count();
        let (code, tests) = code.split_once("#[cfg(test)]").unwrap_or((code, ""));
        code.contains(&"super::".repeat(depth)) || tests.contains(&"super::".repeat(depth + 1))
    }

    fn impurities(&self) -> Vec<String> {
        let (layer, code) = (self.layer(), self.code());
        if !PURE.contains(&layer) || self.is_test() {
            return Vec::new();
        }
        let crates = IMPURE_CRATES.iter().filter(|name| words(&code).any(|word| word == **name));
        let std_paths = paths(&code, "std::");
        let modules = IMPURE_STD.iter().filter(|module| std_paths.iter().any(|path| is_within(path, module)));
        crates.chain(modules).map(|name| format!("{} names {name}, but {layer} is pure", self.name())).collect()
    }
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !is_part_of_name(character))
}

fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn first_part(path: &str) -> String {
    path.split("::").next().unwrap_or_default().to_owned()
}

/// Every path in `code` behind `root`, groups written out: `use std::{fs, net::{TcpStream}};` has `fs` and `net::TcpStream`.
fn paths(code: &str, root: &str) -> Vec<String> {
    let begins = |at: usize| !code[..at].ends_with(is_part_of_name);
    code.match_indices(root)
        .filter(|(at, _)| begins(*at))
        .flat_map(|(at, _)| expand(&code[at + root.len()..]))
        .collect()
}

fn expand(path: &str) -> Vec<String> {
    if let Some(group) = path.strip_prefix('{') {
        return members(group).iter().flat_map(|member| expand(member.trim())).collect();
    }
    let name: String = path.chars().take_while(|character| is_part_of_name(*character)).collect();
    match path[name.len()..].strip_prefix("::") {
        Some(rest) => expand(rest).iter().map(|rest| format!("{name}::{rest}")).collect(),
        None => vec![name],
    }
}

/// The members of a group whose opening brace has been read.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                members.push(&group[start..at]);
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    members
}

#[test]
fn paths_are_found_however_they_are_written() {
    assert_eq!(
        paths("use std::{fs, net::{self, TcpStream}, time};", "std::"),
        ["fs", "net::self", "net::TcpStream", "time"]
    );
    assert_eq!(paths("let x = crate::framing::FrameTooLarge { limit };", "crate::"), ["framing::FrameTooLarge"]);
    assert!(is_within("time::Instant::now", "time::Instant") && !is_within("network", "net"));
}
