//! A choice that may differ from layer to layer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::MAX_LAYERS;

/// Longest text of one.
const MAX_BYTES: usize = 2048;

/// An enum whose variants have names.
pub trait Named: Copy + Default + PartialEq + 'static {
    /// All names, in the order of the variants.
    const ALL: &'static [&'static str];

    fn named(name: &str) -> Option<Self>;

    fn own_name(self) -> &'static str;
}

/// A choice for all layers, and other choices for some, counted from 0: `linear`, `0:linear`, `linear,0-1:softmax`. A layer
/// without a choice has the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[serde(bound = "T: Named")]
pub struct ByLayer<T> {
    all: Option<T>,
    /// Choices of single layers, in their order.
    of: Vec<(usize, T)>,
}

impl<T: Named> ByLayer<T> {
    /// The same for all layers.
    pub const fn all(choice: T) -> Self {
        Self { all: Some(choice), of: Vec::new() }
    }

    /// Reads the text of one; `None` if it is none, or names a layer twice.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut read = Self { all: None, of: Vec::new() };
        for (place, item) in text.split(',').map(str::trim).enumerate() {
            let Some((layers, choice)) = item.split_once(':') else {
                // The choice for all layers comes first.
                read.all = Some(T::named(item).filter(|_| place == 0)?);
                continue;
            };
            let choice = T::named(choice.trim())?;
            let (first, last) = layers.split_once('-').unwrap_or((layers, layers));
            let [first, last]: [usize; 2] = [first.trim().parse().ok()?, last.trim().parse().ok()?];
            if first > last || last >= MAX_LAYERS {
                return None;
            }
            for layer in first..=last {
                let at = read.of.partition_point(|(other, _)| *other < layer);
                if read.of.get(at).is_some_and(|(other, _)| *other == layer) {
                    return None;
                }
                read.of.insert(at, (layer, choice));
            }
        }
        Some(read)
    }

    /// The choice of `layer`.
    pub fn of(&self, layer: usize) -> T {
        let own = self.of.iter().find(|(other, _)| *other == layer).map(|(_, choice)| *choice);
        own.or(self.all).unwrap_or_default()
    }

    /// True if each of the first `layers` layers has `choice`.
    pub fn is_all(&self, choice: T, layers: usize) -> bool {
        (0..layers).all(|layer| self.of(layer) == choice)
    }

    /// The last layer that is named; `None` if none is.
    pub fn last(&self) -> Option<usize> {
        self.of.last().map(|(layer, _)| *layer)
    }

    /// Moves choices with their layers, which stand at the places of `layers` now. A new layer, `None` there, has the choice
    /// for all.
    pub fn moved(&self, layers: &[Option<usize>]) -> Self {
        let moved = |(at, before): (usize, &Option<usize>)| {
            let of = self.of.iter().find(|(layer, _)| Some(*layer) == *before)?;
            Some((at, of.1))
        };
        Self { all: self.all, of: layers.iter().enumerate().filter_map(moved).collect() }
    }
}

impl<T: Named> fmt::Display for ByLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let of = self.of.iter().map(|(layer, choice)| format!("{layer}:{}", choice.own_name()));
        let all = match (self.all, self.of.is_empty()) {
            (None, true) => Some(T::default()),
            (all, _) => all,
        };
        let all = all.map(|choice| choice.own_name().to_owned());
        f.write_str(&all.into_iter().chain(of).collect::<Vec<_>>().join(","))
    }
}

impl<T: Named> From<ByLayer<T>> for String {
    fn from(choices: ByLayer<T>) -> Self {
        choices.to_string()
    }
}

impl<T: Named> TryFrom<String> for ByLayer<T> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let shown: String = text.chars().take(40).collect();
        Self::parse(&text).ok_or_else(|| {
            format!(
                "`{shown}` is none of {}, nor some by layer, as 0:{}",
                T::ALL.join(", "),
                T::ALL[0]
            )
        })
    }
}

impl<T: Named> From<T> for ByLayer<T> {
    fn from(choice: T) -> Self {
        Self::all(choice)
    }
}
