//! Names that clients may ask for, and where requests for them go.

use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::hedge::Hedge;
use super::units;

/// `[[model]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What clients ask for.
    pub name: String,
    /// Other names for the same.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whether its streams can be resumed without being asked to.
    #[serde(default)]
    pub resumable: bool,
    /// Which of its targets is asked first.
    #[serde(default)]
    pub strategy: Strategy,
    /// Requests with the same value in this header field go to the same target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity_header: Option<String>,
    /// Whether, and when, a second target is asked beside one that is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
    /// Where requests go: to one of them, and to the next when it fails before its first content.
    pub targets: Vec<Target>,
}

impl Model {
    /// Checks what the types of its keys do not. The error names a key of this table.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.targets.is_empty() {
            return Err(("targets", "needs at least one \"provider/model\"".to_owned()));
        }
        if self.hedge.is_some() && self.targets.len() < 2 {
            return Err(("hedge", "needs a second target".to_owned()));
        }
        match &self.affinity_header {
            Some(name) if HeaderName::try_from(name).is_err() => {
                Err(("affinity_header", format!("\"{name}\" is no header name")))
            }
            _ => Ok(()),
        }
    }
}

/// Which of several targets of the same tier is asked first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The first in the list.
    #[default]
    Priority,
    /// Each as often as its weight says.
    Weighted,
    /// The one with the fewest requests in flight for its weight.
    LeastInFlight,
    /// The one that was quickest to its first token lately.
    Fastest,
}

/// A provider and the name of a model there, written `provider/model`, or as a table with that as `target`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Target {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// Those of a higher tier are asked when those of the lower ones have failed.
    pub tier: u32,
    /// Its share among those of its tier.
    pub weight: NonZeroU32,
    /// Requests in flight at a time.
    pub max_in_flight: Option<usize>,
    /// Requests that wait for a place; `[queue]` says it where absent.
    pub max_queue: Option<usize>,
    /// How long they wait; `[queue]` says it where absent.
    pub queue_timeout: Option<Duration>,
}

impl Target {
    /// A target about which nothing is said.
    pub fn new(provider: &str, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            tier: 0,
            weight: NonZeroU32::MIN,
            max_in_flight: None,
            max_queue: None,
            queue_timeout: None,
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => Ok(Self::new(provider, model)),
            _ => Err(format!("\"{text}\" is no target; write \"provider/model\"")),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        format!("{}/{}", target.provider, target.model)
    }
}

/// A target as it is written.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "\"provider/model\", or a table with that as `target`, and `tier`, `weight`, `max_in_flight`, \
                               `max_queue` or `queue_timeout`"
)]
enum Written {
    Name(String),
    Table(Table),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    target: String,
    #[serde(default)]
    tier: u32,
    #[serde(default = "one")]
    weight: NonZeroU32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_queue: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "units::present_duration")]
    queue_timeout: Option<Duration>,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl TryFrom<Written> for Target {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let table = match written {
            Written::Name(name) => return Self::try_from(name),
            Written::Table(table) => table,
        };
        if table.max_in_flight == Some(0) {
            return Err("max_in_flight must be at least 1".to_owned());
        }
        let Table { target, tier, weight, max_in_flight, max_queue, queue_timeout } = table;
        Ok(Self { tier, weight, max_in_flight, max_queue, queue_timeout, ..Self::try_from(target)? })
    }
}

impl From<Target> for Written {
    fn from(target: Target) -> Self {
        let Target { tier, weight, max_in_flight, max_queue, queue_timeout, .. } = target;
        let is_plain = target == Target::new(&target.provider, &target.model);
        let target = String::from(target);
        if is_plain {
            return Self::Name(target);
        }
        Self::Table(Table { target, tier, weight, max_in_flight, max_queue, queue_timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(targets: &str) -> Result<Model, String> {
        toml::from_str(&format!("name = \"m\"\ntargets = {targets}")).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_target_is_a_name_or_a_table_and_what_is_printed_reads_back_as_the_same() {
        let model =
            read(r#"["a/x", { target = "b/y/z", tier = 1, weight = 3, max_in_flight = 8, queue_timeout = "2s" }]"#);
        let model = model.unwrap();
        assert_eq!(model.targets[0], Target::new("a", "x"));
        let second = &model.targets[1];
        assert_eq!((second.provider.as_str(), second.model.as_str(), second.tier), ("b", "y/z", 1));
        assert_eq!((second.weight.get(), second.max_in_flight), (3, Some(8)));
        assert_eq!(second.queue_timeout, Some(Duration::from_secs(2)));
        assert_eq!(toml::from_str::<Model>(&toml::to_string(&model).unwrap()).unwrap(), model);
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for targets in ["[\"a\"]", "[7]", "[{ tier = 1 }]", "[{ target = \"a/x\", weight = 0 }]"] {
            assert!(read(targets).is_err(), "{targets}");
        }
        assert!(read("[{ target = \"a/x\", max_in_flight = 0 }]").unwrap_err().contains("at least 1"));
    }
}
