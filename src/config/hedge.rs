//! When a second target is asked beside one that is slow.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::units;

/// `hedge` of a `[[model]]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// How long a target may be silent before another is asked beside it.
    #[serde(default)]
    pub after: After,
    /// Streams for which that is done, in percent of all that it could be done for.
    #[serde(default = "ten", deserialize_with = "units::percent")]
    pub max_percent: u32,
}

impl Default for Hedge {
    fn default() -> Self {
        Self { after: After::default(), max_percent: ten() }
    }
}

const fn ten() -> u32 {
    10
}

/// See [`Hedge::after`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum After {
    /// As long as 95 of 100 of its streams took to their first content lately.
    #[default]
    P95,
    /// So long.
    Time(Duration),
}

const P95: &str = "p95";

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            P95 => Ok(Self::P95),
            text => units::parse_duration(text).map(Self::Time),
        }
    }
}

impl Serialize for After {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::P95 => to.serialize_str(P95),
            Self::Time(time) => units::duration::serialize(time, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Model;
    use super::*;

    #[test]
    fn a_hedge_is_a_delay_and_a_share_and_both_may_be_left_out() {
        let time = |millis| After::Time(Duration::from_millis(millis));
        for (written, after, max_percent) in [
            ("{}", After::P95, 10),
            ("{ after = \"p95\", max_percent = 5 }", After::P95, 5),
            ("{ after = \"800ms\" }", time(800), 10),
        ] {
            let text = format!("name = \"m\"\nhedge = {written}\ntargets = [\"a/x\", \"b/x\"]");
            let model: Model = toml::from_str(&text).unwrap();
            assert_eq!(model.hedge, Some(Hedge { after, max_percent }));
            assert_eq!(model.check(), Ok(()));
            assert_eq!(toml::from_str::<Model>(&toml::to_string(&model).unwrap()).unwrap(), model);
        }
        for written in ["true", "{ after = \"p99\" }", "{ after = \"0s\" }", "{ max_percent = 101 }", "{ more = 1 }"] {
            let text = format!("name = \"m\"\nhedge = {written}\ntargets = [\"a/x\", \"b/x\"]");
            assert!(toml::from_str::<Model>(&text).is_err(), "{written}");
        }
        let alone: Model = toml::from_str("name = \"m\"\nhedge = {}\ntargets = [\"a/x\"]").unwrap();
        assert_eq!(alone.check().unwrap_err().0, "hedge");
    }
}
