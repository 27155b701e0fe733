//! What a model takes, as far as its name tells.
//!
//! Anthropic's own models differ by generation, and refuse what is of another. Whoever else speaks the dialect takes what has
//! been in it for long.

/// The generation of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect::anthropic) struct Generation {
    /// Major and minor version of a Claude; `None` for any other model.
    version: Option<(u32, u32)>,
    always_thinks: bool,
}

impl Generation {
    /// Names look like `claude-sonnet-4-5-20250929`, `claude-3-7-sonnet-latest` or `us.anthropic.claude-opus-4-6-v1`. A Claude
    /// whose name has no version is taken for a new one.
    pub(in crate::dialect::anthropic) fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let version = model.split_once("claude").map(|(_, rest)| version_in(rest).unwrap_or((u32::MAX, 0)));
        let always_thinks = version.is_some() && (model.contains("mythos") || model.contains("fable"));
        Self { version, always_thinks }
    }

    /// Whether it is Anthropic's own.
    pub(super) fn is_claude(self) -> bool {
        self.version.is_some()
    }

    fn is_claude_from(self, version: (u32, u32)) -> bool {
        self.version.is_some_and(|own| own >= version)
    }

    fn is_claude_before(self, version: (u32, u32)) -> bool {
        self.version.is_some_and(|own| own < version)
    }

    /// Whether it can think.
    pub(super) fn can_think(self) -> bool {
        !self.is_claude_before((3, 7))
    }

    /// Whether it thinks whether or not it is asked to.
    pub(super) fn always_thinks(self) -> bool {
        self.always_thinks
    }

    /// Whether it decides itself how much to think, led by an effort, rather than by a budget.
    /// <https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking>
    pub(super) fn thinks_adaptively(self) -> bool {
        self.is_claude_from((4, 6))
    }

    /// Whether it knows an effort between high and max.
    pub(super) fn knows_xhigh(self) -> bool {
        self.is_claude_from((4, 7))
    }

    /// Whether it goes on with what its last turn begins with.
    /// <https://docs.claude.com/en/docs/about-claude/models/whats-new-claude-4-6>
    pub(in crate::dialect::anthropic) fn takes_prefill(self) -> bool {
        !self.is_claude_from((4, 6))
    }

    /// Whether it lets a client say how it samples.
    pub(super) fn takes_sampling(self) -> bool {
        !self.is_claude_from((4, 7))
    }

    /// Whether it takes a temperature or a `top_p`, and not both.
    pub(super) fn takes_one_sampler(self) -> bool {
        self.is_claude_from((4, 1))
    }

    /// Whether it can be held to a schema. <https://docs.claude.com/en/docs/build-with-claude/structured-outputs>
    pub(super) fn keeps_schemas(self) -> bool {
        self.is_claude_from((4, 5))
    }
}

/// The first number of at most two digits and the one behind it. Longer numbers are dates.
fn version_in(name: &str) -> Option<(u32, u32)> {
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| word.len() <= 2);
    let mut words =
        name.split(|letter: char| !letter.is_ascii_alphanumeric()).skip_while(|word| number(word).is_none());
    let major = words.next().and_then(number)?;
    Some((major, words.next().and_then(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_wherever_it_stands() {
        for (name, version) in [
            ("claude-sonnet-4-5-20250929", Some((4, 5))),
            ("claude-opus-4-20250514", Some((4, 0))),
            ("claude-3-7-sonnet-latest", Some((3, 7))),
            ("anthropic/claude-opus-4.6", Some((4, 6))),
            ("us.anthropic.claude-opus-4-6-v1", Some((4, 6))),
            ("claude-sonnet-5", Some((5, 0))),
            ("claude-mythos-preview", Some((u32::MAX, 0))),
            ("kimi-k2", None),
        ] {
            assert_eq!(Generation::of(name).version, version, "{name}");
        }
    }

    #[test]
    fn every_generation_takes_what_it_takes() {
        let of = Generation::of;
        assert!(!of("claude-3-5-haiku-latest").can_think() && of("claude-3-7-sonnet").can_think());
        assert!(of("glm-5").can_think() && !of("glm-5").thinks_adaptively() && of("glm-5").takes_sampling());
        assert!(of("claude-sonnet-4-6").thinks_adaptively() && of("claude-sonnet-4-6").takes_sampling());
        assert!(!of("claude-opus-4-5").thinks_adaptively() && of("claude-opus-4-5").keeps_schemas());
        assert!(!of("claude-opus-4-7").takes_sampling() && of("claude-opus-4-7").knows_xhigh());
        assert!(of("claude-fable-5").always_thinks() && !of("claude-opus-5").always_thinks());
        assert!(of("claude-opus-4-5").takes_prefill() && !of("claude-sonnet-4-6").takes_prefill());
        assert!(!of("claude-opus-4-0").takes_one_sampler() && of("claude-opus-4-1").takes_one_sampler());
    }
}
