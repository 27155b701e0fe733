//! How durations and sizes are written in the configuration: `"30s"`, `"5m"`, `"off"`, `"64KiB"`, `"20B/s"`.
//!
//! Each submodule goes with `#[serde(with = "…")]`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) const OFF: &str = "off";

pub(super) fn parse_duration<E: serde::de::Error>(text: &str) -> Result<Duration, E> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(E::custom(format!("\"{text}\" is no duration; write for example \"500ms\", \"30s\" or \"5m\""))),
    }
}

/// A part of a hundred.
pub(super) fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        percent @ 0..=100 => Ok(percent),
        percent => Err(D::Error::custom(format!("{percent} is no part of a hundred"))),
    }
}

/// A duration that must be there.
pub(super) mod duration {
    use super::*;

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(from)?)
    }

    pub(in crate::config) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*value))
    }
}

/// A duration that may be `"off"`.
pub(super) mod optional_duration {
    use super::*;

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(from)?;
        if text == OFF { Ok(None) } else { parse_duration(&text).map(Some) }
    }

    pub(in crate::config) fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => duration::serialize(value, to),
            None => to.serialize_str(OFF),
        }
    }
}

/// A duration that may be absent, for keys with `default`.
pub(super) mod present_duration {
    use super::*;

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(from).map(Some)
    }

    #[expect(clippy::ref_option, reason = "serde hands over the field")]
    pub(in crate::config) fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        value.map(humantime::format_duration).map(|value| value.to_string()).serialize(to)
    }
}

/// A size in bytes, as a number or with a binary unit.
pub(super) mod bytes {
    use super::*;

    const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size such as 4096, \"64KiB\" or \"16MiB\"")]
    enum Written {
        Number(usize),
        Text(String),
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        let size = match Written::deserialize(from)? {
            Written::Number(size) => Some(size),
            Written::Text(text) => parse(&text),
        };
        size.filter(|size| *size > 0)
            .ok_or_else(|| D::Error::custom("not a size; write for example 4096, \"64KiB\" or \"16MiB\""))
    }

    pub(super) fn parse(text: &str) -> Option<usize> {
        let (number, unit) = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))?;
        let number: u64 = number.trim().parse().ok()?;
        usize::try_from(number.checked_mul(*unit)?).ok()
    }

    pub(in crate::config) fn serialize<S: Serializer>(value: &usize, to: S) -> Result<S::Ok, S::Error> {
        let value = *value as u64;
        let (unit, size) = UNITS.iter().find(|(_, size)| value.is_multiple_of(*size)).unwrap_or(&UNITS[3]);
        to.collect_str(&format_args!("{}{unit}", value / size))
    }
}

/// Bytes per second, or `"off"`.
pub(super) mod optional_rate {
    use super::*;

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
        let text = String::deserialize(from)?;
        if text == OFF {
            return Ok(None);
        }
        let rate = text.strip_suffix("/s").and_then(bytes::parse).and_then(|rate| u32::try_from(rate).ok());
        let rate = rate.filter(|rate| *rate > 0);
        rate.map(Some).ok_or_else(|| D::Error::custom("not a rate; write for example \"20B/s\", \"1KiB/s\" or \"off\""))
    }

    pub(in crate::config) fn serialize<S: Serializer>(value: &Option<u32>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(rate) => to.collect_str(&format_args!("{rate}B/s")),
            None => to.serialize_str(OFF),
        }
    }
}
