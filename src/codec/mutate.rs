//! Random changes of the chain's transitions.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::align::levenshtein;
use super::learner::{Codec, Example};

impl Codec {
    /// Tries `count` random changes, each of which multiplies a transition by e^N(0, 1). Keeps a change if it lowers
    /// the edits between the outputs of `examples` and the wanted ones. Returns the number of changes kept.
    pub fn mutate(&mut self, examples: &[Example], count: usize, rng: &mut ChaCha8Rng) -> usize {
        let Some(chain) = self.chain.as_ref().filter(|_| count > 0) else { return 0 };
        let places: Vec<usize> = (0..chain.transitions().len())
            .filter(|place| chain.transitions()[*place] > 0.0)
            .collect();
        let mut distance = self.distance(examples);
        let mut stayed = 0;
        for _ in 0..count {
            if distance == 0 || places.is_empty() {
                break;
            }
            let place = places[rng.random_range(0..places.len())];
            let normal: f64 = StandardNormal.sample(rng);
            let Some(chain) = &mut self.chain else { break };
            let Some(before) = chain.change(place, normal.exp()) else { continue };
            let changed = self.distance(examples);
            if changed < distance {
                (distance, stayed) = (changed, stayed + 1);
            } else if let Some(chain) = &mut self.chain {
                chain.set(place, before);
            }
        }
        stayed
    }

    /// Edits between the outputs that are written for `examples` and the wanted ones, summed over all examples.
    pub fn distance(&self, examples: &[Example]) -> usize {
        let edits = |of: &Example| levenshtein(&self.write(&of.input), &of.output);
        examples.iter().map(edits).sum()
    }
}
