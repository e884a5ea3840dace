//! Noise that maps a token to a wanted one: found by drawing, or drawn from the cell of the wanted key.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;

use super::between::Between;
use super::cell::{Cell, KEPT, ONCE};
use super::keys::Keys;
use super::noise::Noise;
use super::number::minus;
use crate::config::{CodecConfig, Fitting};

/// Finder of noises, which counts its draws.
#[derive(Clone, Debug)]
pub struct Fitter {
    fitting: Fitting,
    /// Most draws for one noise.
    limit: usize,
    /// Cells found so far, if keys have one number: by the stream of the dictionary and the token.
    cells: HashMap<(u64, u32), Cell>,
    /// Draws so far, of all noises.
    pub draws: u64,
}

impl Fitter {
    pub fn new(config: &CodecConfig) -> Self {
        Self { fitting: config.fitting, limit: config.draws, cells: HashMap::new(), draws: 0 }
    }

    /// Finds noises that map `token` to the tokens of `wanted`, one for each, and one more that maps it to the end if
    /// there is `room`. `None` if more tokens are wanted than there is room for, or one noise is not found.
    pub fn fit_all(
        &mut self,
        between: Between,
        token: u32,
        (wanted, room): (&[u32], usize),
        noise: &mut Noise,
        rng: &mut ChaCha8Rng,
    ) -> Option<Vec<u32>> {
        if wanted.len() > room {
            return None;
        }
        let end = (wanted.len() < room).then(|| between.end());
        let mut noises = Vec::new();
        for wanted in wanted.iter().copied().chain(end) {
            noises.extend(self.fit(between, token, wanted, noise, rng)?);
        }
        Some(noises)
    }

    /// Finds noise that maps `token` to `wanted`; `None` if the allowed number of draws finds none, or the cell is
    /// empty.
    pub fn fit(
        &mut self,
        between: Between,
        token: u32,
        wanted: u32,
        noise: &mut Noise,
        rng: &mut ChaCha8Rng,
    ) -> Option<Vec<u32>> {
        let mut found = vec![0; between.source.width()];
        for _ in 0..self.limit {
            self.draws += 1;
            match self.fitting {
                Fitting::Search => noise.draw(&mut found, rng),
                Fitting::Cell => {
                    let embedding = self.embedding(between.target, wanted, rng)?;
                    let key = between.source.of(token);
                    for (noise, (key, to)) in found.iter_mut().zip(key.iter().zip(embedding)) {
                        *noise = minus(*key, to);
                    }
                }
            }
            if between.map(token, &found) == wanted {
                return Some(found);
            }
        }
        None
    }

    /// Draws an embedding from the cell of `token`; `None` if it is empty. Draws a single number evenly, and several
    /// one after the other while the others stay (Gibbs sampling), starting at the key itself.
    fn embedding(&mut self, keys: &Keys, token: u32, rng: &mut ChaCha8Rng) -> Option<Vec<u32>> {
        let mut at = keys.of(token).to_vec();
        if let [number] = at.as_mut_slice() {
            let cell = self.cells.entry((keys.stream(), token));
            *number =
                cell.or_insert_with(|| Cell::of(keys, token, &[*number], 0, KEPT)).draw(rng)?;
            return Some(at);
        }
        for axis in 0..at.len() {
            let drawn = Cell::of(keys, token, &at, axis, ONCE).draw(rng)?;
            let before = std::mem::replace(&mut at[axis], drawn);
            // A number that the cell leaves open may be outside.
            if keys.nearest(&at).0 != token {
                at[axis] = before;
            }
        }
        Some(at)
    }
}
