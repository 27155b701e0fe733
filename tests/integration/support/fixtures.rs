//! Recorded streams and answers of real providers. `tests/fixtures/manifest.json` tells where each comes from.

use std::path::PathBuf;

use bytes::Bytes;
use serde::Deserialize;

/// One exchange with a provider.
#[derive(Debug, Clone, Deserialize)]
pub struct Recording {
    /// The file of the response.
    pub file: String,
    /// The file of the request, if it is known.
    pub request: Option<String>,
    pub dialect: String,
    pub tags: Vec<String>,
    pub sha256: String,
    /// How true to the wire the file is.
    pub fidelity: String,
}

impl Recording {
    /// All of them, in the order of the manifest.
    pub fn all() -> Vec<Self> {
        #[derive(Deserialize)]
        struct Manifest {
            recordings: Vec<Recording>,
        }
        let manifest: Manifest = serde_json::from_slice(&read("manifest.json")).unwrap();
        manifest.recordings
    }

    /// All that were recorded byte for byte.
    pub fn exact() -> Vec<Self> {
        Self::all().into_iter().filter(|recording| recording.fidelity.starts_with("exact")).collect()
    }

    /// The streams of one dialect.
    pub fn streams(dialect: &str) -> Vec<Self> {
        let recordings = Self::all().into_iter();
        recordings.filter(|recording| recording.dialect == dialect && !recording.file.ends_with(".json")).collect()
    }

    /// Those of them that were recorded byte for byte.
    pub fn exact_streams(dialect: &str) -> Vec<Self> {
        let streams = Self::streams(dialect).into_iter();
        streams.filter(|recording| recording.fidelity.starts_with("exact")).collect()
    }

    pub fn is(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    pub fn response(&self) -> Bytes {
        read(&self.file)
    }

    pub fn request(&self) -> Bytes {
        read(self.request.as_ref().expect("the request was recorded too"))
    }
}

/// The text of one recorded file.
pub fn fixture(file: &str) -> String {
    String::from_utf8(read(file).into()).unwrap()
}

fn read(file: &str) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}
