//! What a key layer learns of a token.

use rand_chacha::ChaCha8Rng;

use super::between::Between;
use super::distance::Cost;
use super::fit::Fitter;
use super::layer::{KeyLayer, Noises, Origin};
use super::noise::Noise;
use crate::config::CodecConfig;

/// What learning an example took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Tokens read, with the end of the input.
    pub tokens: usize,
    /// Tokens that were mapped right before they were learnt.
    pub right: usize,
    /// Tokens for which no noise was found, or that had more outputs than a token has noises.
    pub unfit: usize,
    /// Tokens mapped wrong whose context is known in the longest window, so that nothing can be added.
    pub undecided: usize,
}

/// A token, and what it is to become.
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
    /// Window and distance of the context that was taken.
    pub taken: Option<(usize, Cost)>,
    /// How noise is drawn where none is given and none is known, as when a graph changes what is wanted.
    pub renewed: Option<&'a CodecConfig>,
}

impl Lesson<'_> {
    /// Puts the lesson in `layer`. With a `noise`, the token's own noises are drawn, and collected in each of its windows
    /// that is known; without, they are those of a known window. A token that was mapped wrong gets a longer window. Returns
    /// the noises; `None` if there are none.
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
            // What is right without noise needs none.
            learned.unfit += usize::from(in_all || !self.is_right);
            return None;
        };
        let own = (&*noises, self.origin);
        layer.collect(between, around, (token, wanted), own, in_all);
        // What nothing is known of writes nothing, which may be right.
        if !self.is_right || self.taken.is_none() {
            let is_added = layer.add(between, around, (token, wanted), own, self.taken);
            learned.undecided += usize::from(!is_added);
        }
        Some(noises)
    }
}
