//! Interventions on an inspected model: on its forward pass (activations scaled or set at a site and positions) or
//! on its weights.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// An intervention requested by a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Intervention {
    Activation(ActivationIntervention),
    Weight(WeightIntervention),
}

impl Intervention {
    /// Parses a part to scale or a weight to set: see [`ActivationIntervention::parse`] and [`WeightIntervention::parse`].
    pub fn parse(name: &str, number: f32) -> Option<Self> {
        let intervention =
            ActivationIntervention::parse(name, number).map(Intervention::Activation);
        intervention.or_else(|| WeightIntervention::parse(name, number).map(Intervention::Weight))
    }

    /// Those on activations, and those on weights.
    pub fn split(all: &[Self]) -> (Vec<ActivationIntervention>, Vec<&WeightIntervention>) {
        let (mut activations, mut weights) = (Vec::new(), Vec::new());
        for intervention in all {
            match intervention {
                Self::Activation(activation) => activations.push(activation.clone()),
                Self::Weight(weight) => weights.push(weight),
            }
        }
        (activations, weights)
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Intervention::Activation(intervention) => intervention.fmt(f),
            Intervention::Weight(cell) => cell.fmt(f),
        }
    }
}

/// An intervention on a forward pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationIntervention {
    pub site: Site,
    /// Positions of tokens or, for a pattern, of queries. Positions beyond the prompt are ignored.
    pub positions: Range<usize>,
    pub action: Action,
}

/// Activation of a token to change, just before its use. A site that the model lacks is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Site {
    /// Residual stream before a layer: `d_model` wide.
    Resid { layer: usize },
    /// Weighted values of a head, before `W_O`: `d_head` wide.
    Head { layer: usize, head: usize },
    /// Rows of a head's pattern: as wide as the prompt has tokens. A convolution computes nothing by its pattern, and so has no
    /// such site.
    Pattern { layer: usize, head: usize },
    /// Output of the MLP into the residual stream: `d_model` wide.
    Mlp { layer: usize },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    Scale(f32),
    /// Rows of the site's width, one per position; positions without a whole row are unchanged.
    Set(Vec<f32>),
}

impl ActivationIntervention {
    /// Parses a part to scale: `L0H3`, `L1MLP`, or `L2` for the residual stream before layer 2; `@4` or `@4-7`
    /// limits it to these positions. `None` if the name is invalid or the factor not finite.
    pub fn parse(part: &str, factor: f32) -> Option<Self> {
        if !factor.is_finite() {
            return None;
        }
        let (site, positions) = match part.split_once('@') {
            None => (part, 0..usize::MAX),
            Some((site, positions)) => {
                let (from, to) = positions.split_once('-').unwrap_or((positions, positions));
                (site, from.parse().ok()?..to.parse::<usize>().ok()?.checked_add(1)?)
            }
        };
        let site = site.strip_prefix('L')?;
        let site = match (site.strip_suffix("MLP"), site.split_once('H')) {
            (Some(layer), _) => Site::Mlp { layer: layer.parse().ok()? },
            (None, Some((layer, head))) => {
                Site::Head { layer: layer.parse().ok()?, head: head.parse().ok()? }
            }
            (None, None) => Site::Resid { layer: site.parse().ok()? },
        };
        Some(Self { site, positions, action: Action::Scale(factor) })
    }

    /// Changes `values`, whose rows of `width`, one per token from position `start`, begin `by_row` apart.
    pub fn apply(&self, values: &mut [f32], start: usize, width: usize, by_row: usize) {
        let rows = (start..).zip(values.chunks_mut(by_row.max(1)));
        for (index, row) in rows.filter(|(index, _)| self.positions.contains(index)) {
            let row = &mut row[..width];
            match &self.action {
                Action::Scale(factor) => row.iter_mut().for_each(|value| *value *= factor),
                Action::Set(to) => {
                    let to = to.chunks_exact(width.max(1)).nth(index - self.positions.start);
                    if let Some(to) = to {
                        row.copy_from_slice(to);
                    }
                }
            }
        }
    }
}

/// A weight, and its value during the computation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightIntervention {
    /// Name in a checkpoint: `blocks.0.attn.W_Q`.
    pub parameter: String,
    pub row: usize,
    /// Column; 0 for a vector, where each number is a row.
    pub column: usize,
    pub value: f32,
}

impl WeightIntervention {
    /// Parses a weight: `blocks.0.attn.W_Q[3,5]`, or `ln_final.w[3]`. `None` if the name is invalid or the value
    /// not finite.
    pub fn parse(name: &str, value: f32) -> Option<Self> {
        let (parameter, index) = name.strip_suffix(']')?.split_once('[')?;
        let (row, column) = index.split_once(',').unwrap_or((index, "0"));
        let [row, column] = [row, column].map(|number| number.trim().parse().ok());
        let parameter = parameter.to_owned();
        value.is_finite().then_some(Self { parameter, row: row?, column: column?, value })
    }
}

impl fmt::Display for WeightIntervention {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { parameter, row, column, value } = self;
        write!(f, "{parameter}[{row},{column}] = {value}")
    }
}

/// Text that [`ActivationIntervention::parse`] reads, with the change: `L0H3@4 × 0`.
impl fmt::Display for ActivationIntervention {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.site {
            Site::Resid { layer } => write!(f, "L{layer}")?,
            Site::Head { layer, head } => write!(f, "L{layer}H{head}")?,
            Site::Pattern { layer, head } => write!(f, "L{layer}H{head} pattern")?,
            Site::Mlp { layer } => write!(f, "L{layer}MLP")?,
        }
        let Range { start, end } = self.positions;
        match end.saturating_sub(start) {
            _ if end == usize::MAX => {}
            1 => write!(f, "@{start}")?,
            _ => write!(f, "@{start}-{}", end.saturating_sub(1))?,
        }
        match &self.action {
            Action::Scale(factor) => write!(f, " × {factor}"),
            Action::Set(_) => write!(f, " set"),
        }
    }
}
