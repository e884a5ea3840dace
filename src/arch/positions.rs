//! Position encodings.

use crate::config::{ModelConfig, Positions};

/// Rotary positions: each pair of a head's numbers turns with the position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    pub d_head: usize,
    base: f64,
    /// xPos: tokens between a query and a key over which products shrink by each pair's share; `None` without.
    scale_base: Option<f64>,
}

/// The vectors that are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Queries,
    Keys,
}

/// Share of the first pair in xPos, to which `γ` lifts the shares of all: `(0 + γ) / (1 + γ)` (Sun et al. 2022).
const GAMMA: f64 = 0.4;

impl Rotary {
    /// Those of a model, if it has rotary positions.
    pub fn of(config: &ModelConfig) -> Option<Self> {
        let of = |scale_base| Self { d_head: config.d_head(), base: config.rope_base, scale_base };
        match config.positions {
            Positions::Learned | Positions::None => None,
            Positions::Rotary => Some(of(None)),
            Positions::Xpos => Some(of(Some(config.xpos_base))),
        }
    }

    /// True if queries and keys turn alike.
    pub fn is_alike(self) -> bool {
        self.scale_base.is_none()
    }

    /// Number of pairs in a head.
    pub fn pairs(self) -> usize {
        self.d_head / 2
    }

    /// Sine and cosine of the angle by which `pair` turns at `position`, `position · base^(−2 pair / d_head)` (Su et al.
    /// 2021), both times its length there, which is 1 but for xPos: `ζ^(position / scale_base)` of queries and its inverse of
    /// keys, with `ζ = (2 pair / d_head + γ) / (1 + γ)` (Sun et al. 2022).
    pub fn turn(self, side: Side, position: usize, pair: usize) -> [f64; 2] {
        let (position, share) = (position as f64, 2.0 * pair as f64 / self.d_head as f64);
        let (sin, cos) = (position * self.base.powf(-share)).sin_cos();
        let length = self.scale_base.map_or(1.0, |scale_base| {
            let power = match side {
                Side::Queries => position / scale_base,
                Side::Keys => -position / scale_base,
            };
            ((share + GAMMA) / (1.0 + GAMMA)).powf(power)
        });
        [sin * length, cos * length]
    }
}
