//! Memories in the place of feed-forward layers, or beside attention.

use serde::{Deserialize, Serialize};

use super::Distance;

/// The kind of a memory layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryKind {
    /// There is none: every layer has its MLP.
    #[default]
    None,
    /// Weighs the values of the nearest keys by how near they are. Keys are queries that found nothing
    /// near; values are trained.
    Featural,
    /// Attends to keys and values that tokens before it left.
    Associative,
    /// Trained keys and values, found by halves (Lample et al. 2019).
    ProductKey,
    /// Leaves the MLP where it is: attention also reads keys and values that tokens before it left, and a
    /// gate of each head mixes both (Wu et al. 2022, "Memorizing Transformers").
    Memorizing,
}

impl_names! {
    MemoryKind:
    None = "none",
    Featural = "featural",
    Associative = "associative",
    ProductKey = "product-key",
    Memorizing = "memorizing",
}

impl MemoryKind {
    /// True if it reads from a store of slots, which is not among the trained parameters.
    pub fn is_stored(self) -> bool {
        matches!(self, Self::Featural | Self::Associative | Self::Memorizing)
    }

    /// True if it stands in the place of an MLP.
    pub fn replaces_mlp(self) -> bool {
        !matches!(self, Self::None | Self::Memorizing)
    }

    /// The names of those that stand in the place of an MLP.
    pub fn replacing() -> impl Iterator<Item = &'static str> + Clone {
        let replaces = |name: &&str| Self::parse(name).is_some_and(Self::replaces_mlp);
        Self::NAMES.iter().copied().filter(replaces)
    }
}

/// Memory of a model: its kind, its layers and its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    pub kind: MemoryKind,
    /// Numbers of layers, counted from 0, with commas between; nothing for all.
    pub layers: String,
    /// Most slots a layer; of product keys, rounded down to a square.
    pub slots: usize,
    /// Numbers a key; 0 for `d_model`. One that memorizing attention finds is as wide as all heads.
    pub d_key: usize,
    /// Slots that a query finds.
    pub top_k: usize,
    pub distance: Distance,
    /// A token is written down if no slot is nearer to it than this. Keys have length 1, so distances
    /// are 0 to 2.
    #[serde(alias = "threshold")]
    pub write_threshold: f64,
    /// Most tokens of a record that a layer writes down in a step.
    #[serde(alias = "inserts")]
    pub max_writes: usize,
    /// Two slots that come back together more often than this become one; 0 for never.
    #[serde(alias = "recombine")]
    pub merge_after: usize,
    /// λ, the share of the prediction that is made of what followed the nearest of what was read before
    /// (Khandelwal et al. 2020, "kNN-LM"); 0 for none.
    pub lambda: f64,
}

impl MemoryConfig {
    pub(super) const NONE: Self = Self {
        kind: MemoryKind::None,
        layers: String::new(),
        slots: 4096,
        d_key: 0,
        top_k: 8,
        distance: Distance::L2,
        write_threshold: 0.3,
        max_writes: 4,
        merge_after: 0,
        lambda: 0.0,
    };

    /// The memory of `layer`, if it has one.
    pub fn of(&self, layer: usize) -> Option<MemoryKind> {
        let has = self.kind != MemoryKind::None
            && (self.layers.trim().is_empty() || layers(&self.layers)?.contains(&layer));
        has.then_some(self.kind)
    }

    /// True if every layer has one.
    pub fn is_everywhere(&self) -> bool {
        self.kind != MemoryKind::None && self.layers.trim().is_empty()
    }

    /// Gives memories to these layers and to no others.
    pub fn put_in(&mut self, layers: impl Iterator<Item = usize>) {
        let layers: Vec<String> = layers.map(|layer| layer.to_string()).collect();
        if layers.is_empty() {
            self.kind = MemoryKind::None;
        }
        self.layers = layers.join(",");
    }

    /// Product keys of a half.
    pub fn half_keys(&self) -> usize {
        self.slots.isqrt()
    }
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self::NONE
    }
}

/// The numbers of layers that a user typed; `None` if it is something else.
pub fn layers(text: &str) -> Option<Vec<usize>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}
