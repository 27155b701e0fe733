//! What a model's name says of it.

/// The generation of whatever is the latest: beyond all that are known.
const LATEST: (u32, u32) = (u32::MAX, 0);

/// A model, as far as it matters how it wants to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model<'a> {
    name: &'a str,
    /// Its generation, such as (2, 5); `None` if its name has none, as those of other makes and of tuned models.
    generation: Option<(u32, u32)>,
}

impl<'a> Model<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        Self { name, generation: generation(name) }
    }

    /// Gemini 3 or later: its thinking is set by a level, its calls have ids and are refused without a signature, and what a
    /// tool returns may have pictures in it.
    pub(super) fn is_third(self) -> bool {
        self.generation.is_some_and(|generation| generation >= (3, 0))
    }

    /// It can think. Of a model that is not known, it is assumed.
    pub(super) fn thinks(self) -> bool {
        self.generation.is_none_or(|generation| generation >= (2, 5))
    }

    pub(super) fn is_pro(self) -> bool {
        self.name.contains("-pro")
    }

    pub(super) fn is_lite(self) -> bool {
        self.name.contains("-lite")
    }

    /// It knows a level of thinking below `LOW`. No Pro does, and Flash has not since 3.7.
    pub(super) fn has_minimal_level(self) -> bool {
        self.name.contains("-flash") && self.generation.is_some_and(|generation| generation <= (3, 6))
    }

    /// The first Gemini 3 Pro knew two levels of thinking only.
    pub(super) fn has_two_levels(self) -> bool {
        self.is_pro() && self.generation == Some((3, 0))
    }
}

fn generation(name: &str) -> Option<(u32, u32)> {
    let rest = name.strip_prefix("gemini-")?;
    if name.ends_with("-latest") && !rest.starts_with(|first: char| first.is_ascii_digit()) {
        return Some(LATEST);
    }
    let number = rest.split('-').next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_tells_its_generation() {
        let generation = |name| Model::of(name).generation;
        assert_eq!(generation("gemini-2.5-flash-lite"), Some((2, 5)));
        assert_eq!(generation("models/gemini-3-pro-preview"), Some((3, 0)));
        assert_eq!(generation("gemini-3.1-pro-preview"), Some((3, 1)));
        assert_eq!(generation("gemini-flash-latest"), Some(LATEST));
        assert_eq!(generation("gemma-3-27b-it"), None);
        assert_eq!(generation("tunedModels/mine"), None);
        assert!(!Model::of("gemini-2.0-flash").thinks() && Model::of("mine").thinks());
    }
}
