//! A lesson: a token for a key layer to learn.

use rand_chacha::ChaCha8Rng;

use super::between::Between;
use super::distance::Cost;
use super::fit::Fitter;
use super::layer::{KeyLayer, Noises, Origin};
use super::noise::Noise;
use crate::config::CodecConfig;

/// Counts of the tokens of an example that was learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Tokens read, with the end of the input; that counts once more for its graph.
    pub tokens: usize,
    /// Tokens that were mapped right before they were learnt.
    pub right: usize,
    /// Tokens for which no noise was found, or that had more outputs than a token has noises.
    pub unfit: usize,
    /// Tokens that needed a new context and got none: their longest window is known already, or the layer is full.
    pub undecided: usize,
}

/// A token, and the output that it is to have.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    pub between: Between<'a>,
    /// The windows around the token.
    pub around: &'a [Vec<u32>],
    pub token: u32,
    pub wanted: &'a [u32],
    /// Most noises of a token.
    pub room: usize,
    /// The record, and the place of the token in it.
    pub origin: Origin,
    /// True if the token was mapped right.
    pub is_right: bool,
    /// Window and distance of the context that the key layer found; `None` if it found none.
    pub taken: Option<(usize, Cost)>,
    /// Settings of noise to draw for a wrong token where none is given and none is known, as when a graph changes the
    /// wanted output; `None` without graphs.
    pub renewed: Option<&'a CodecConfig>,
}

impl Lesson<'_> {
    /// Puts the lesson in `layer`, and returns the token's noises; `None` if there are none.
    ///
    /// With a `noise`, draws the token's own noises, or takes known ones if that fails, and counts them in all of its
    /// known windows. Without, takes known ones, or draws new ones by `renewed` if the token was mapped wrong, and
    /// counts them in those windows that never led to the output. Adds a longer window for a token that was mapped
    /// wrong or had no known context.
    pub fn learn(
        &self,
        layer: &mut KeyLayer,
        fitter: &mut Fitter,
        noise: Option<&mut Noise>,
        rng: &mut ChaCha8Rng,
        learned: &mut Learned,
    ) -> Option<Noises> {
        let Self { between, around, token, wanted, .. } = *self;
        learned.tokens += 1;
        learned.right += usize::from(self.is_right);
        let in_all = noise.is_some();
        let own =
            noise.and_then(|noise| fitter.fit_all(between, token, (wanted, self.room), noise, rng));
        let known = own.or_else(|| layer.known(around, wanted).cloned());
        let renewed = known.or_else(|| {
            let mut noise = Noise::new(self.renewed.filter(|_| !in_all && !self.is_right)?, rng);
            fitter.fit_all(between, token, (wanted, self.room), &mut noise, rng)
        });
        let Some(noises) = renewed else {
            // A token that is right without noises needs none.
            learned.unfit += usize::from(in_all || !self.is_right);
            return None;
        };
        let own = (&*noises, self.origin);
        layer.collect(between, around, (token, wanted), own, in_all);
        // A token without a known context writes nothing, which may be right.
        if !self.is_right || self.taken.is_none() {
            let is_added = layer.add(between, around, (token, wanted), own, self.taken);
            learned.undecided += usize::from(!is_added);
        }
        Some(noises)
    }
}
