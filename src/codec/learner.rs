//! The learner: keys of its tokens, and the key layer that it fills.

use rand_chacha::ChaCha8Rng;

use super::align::align;
use super::distance::cost;
use super::fit::Fitter;
use super::keys::Keys;
use super::layer::{Entry, KeyLayer, Mode, Near, Noises};
use super::noise::Noise;
use super::window::{Windows, sides};
use crate::config::CodecConfig;

/// An input, and the output that it is mapped to, as tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    pub input: Vec<u32>,
    pub output: Vec<u32>,
}

/// A learner that maps one sequence of tokens to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Codec {
    pub config: CodecConfig,
    /// A key for each token, and one more that ends an output.
    pub keys: Keys,
    pub windows: Windows,
    pub layer: KeyLayer,
}

/// What learning an example took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Tokens read, with the end of the input.
    pub tokens: usize,
    /// Tokens that the key layer mapped right before it learned.
    pub right: usize,
    /// Tokens for which no noise was found, or that had more outputs than a token has noises.
    pub unfit: usize,
    /// Tokens mapped wrong whose context is known in the longest window, so that nothing can be added.
    pub undecided: usize,
}

/// A token read, and what it was mapped to.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub token: u32,
    /// The context whose noises were taken; `None` if none is near enough.
    pub near: Option<Near<'a>>,
    /// The noises that were taken, and the tokens they lead to: the last is the end, if it was reached.
    pub noises: Noises,
    pub reached: Vec<u32>,
}

impl Step<'_> {
    /// Share of the times that its context was met in which this output was wanted; 0 without a known context.
    pub fn share(&self) -> f32 {
        let wanted = self.near.and_then(|near| Some((near.entry.likeliest()?.count, near.entry.count())));
        wanted.map_or(0.0, |(wanted, met)| wanted as f32 / met.max(1) as f32)
    }
}

impl Codec {
    /// A codec of `tokens` tokens that knows nothing.
    ///
    /// # Errors
    /// If there are too few keys for so many tokens.
    pub fn new(tokens: usize, config: &CodecConfig, seed: u64) -> Result<Self, String> {
        let windows = Windows { sides: sides(config.window), decay: config.decay };
        Ok(Self {
            keys: Keys::draw(tokens + 1, config, seed)?,
            layer: KeyLayer::new(windows.sides.len(), 2 * config.numbers, cost(config.reach)),
            windows,
            config: config.clone(),
        })
    }

    /// The token that ends an output, and stands at the end of an input and beyond its edges.
    pub fn end(&self) -> u32 {
        self.keys.len() as u32 - 1
    }

    /// Learns an example, the `number`th of its run. With a `noise`, each token's own noises are drawn and collected;
    /// without, only contexts that were mapped wrong are learnt, with noises that are known.
    pub fn learn(
        &mut self,
        (number, example): (u32, &Example),
        fitter: &mut Fitter,
        mut noise: Option<&mut Noise>,
        rng: &mut ChaCha8Rng,
    ) -> Learned {
        let tokens = self.read(&example.input);
        let wanted = align(&tokens, &example.output);
        let mut learned = Learned { tokens: tokens.len(), ..Learned::default() };
        for (at, (token, wanted)) in tokens.iter().zip(wanted).enumerate() {
            let around = self.windows.around(&self.keys, &tokens, at, self.end());
            let (near, is_right) = {
                let step = self.step(*token, &around);
                (step.near.map(|near| (near.window, near.cost)), self.output(&step.reached) == wanted)
            };
            learned.right += usize::from(is_right);
            let own = match &mut noise {
                Some(noise) => self.fit(*token, wanted, fitter, noise, rng),
                None => None,
            };
            let known = || self.known(&around, wanted);
            let Some(noises) = own.or_else(known) else {
                learned.unfit += 1;
                continue;
            };
            for window in 0..around.len() {
                let Some(place) = self.layer.find(window, &around[window]) else { continue };
                let entry = &self.layer.windows[window].entries[place];
                if noise.is_some() || entry.writing(wanted).is_none() {
                    self.collect(window, place, *token, wanted, &noises);
                }
            }
            // What nothing is known of writes nothing, which may be right.
            if is_right && near.is_some() {
                continue;
            }
            // A longer window than the one that was wrong, or the same, if it knew a like context only.
            let from = near.map_or(0, |(window, cost)| window + usize::from(cost == 0));
            let is_new = |window: &usize| self.layer.find(*window, &around[*window]).is_none();
            match (from..around.len()).find(is_new) {
                Some(window) => {
                    let contexts = &mut self.layer.windows[window];
                    let place = contexts.table.push(&around[window]);
                    contexts.entries.push(Entry { origin: (number, at as u32), modes: Vec::new() });
                    self.collect(window, place, *token, wanted, &noises);
                }
                None => learned.undecided += 1,
            }
        }
        learned
    }

    /// Maps `input`, token by token.
    pub fn trace(&self, input: &[u32]) -> Vec<Step<'_>> {
        let tokens = self.read(input);
        let around = |at| self.windows.around(&self.keys, &tokens, at, self.end());
        tokens.iter().enumerate().map(|(at, token)| self.step(*token, &around(at))).collect()
    }

    /// The output that `input` is mapped to.
    pub fn write(&self, input: &[u32]) -> Vec<u32> {
        self.written(&self.trace(input))
    }

    /// The output of a trace.
    pub fn written(&self, steps: &[Step]) -> Vec<u32> {
        steps.iter().flat_map(|step| self.output(&step.reached).to_vec()).collect()
    }

    /// `input` with its end, which may have an output, too.
    fn read(&self, input: &[u32]) -> Vec<u32> {
        input.iter().copied().chain([self.end()]).collect()
    }

    fn step(&self, token: u32, around: &[Vec<u32>]) -> Step<'_> {
        let near = self.layer.recall(&self.keys.metric, around);
        let noises = near.and_then(|near| near.entry.likeliest()).map(|mode| mode.mean.clone());
        let noises = noises.unwrap_or_default();
        Step { token, near, reached: self.reached(token, &noises), noises }
    }

    /// The tokens that `token` becomes by each of `noises`, up to the end.
    fn reached(&self, token: u32, noises: &[u32]) -> Vec<u32> {
        let mut reached = Vec::new();
        for noise in noises.chunks_exact(self.keys.width()) {
            reached.push(self.keys.map(token, noise));
            if reached.last() == Some(&self.end()) {
                break;
            }
        }
        reached
    }

    /// What is written of the tokens that were reached.
    pub fn output<'a>(&self, reached: &'a [u32]) -> &'a [u32] {
        reached.strip_suffix(&[self.end()]).unwrap_or(reached)
    }

    /// Noises that map `token` to `wanted`, each found by itself.
    fn fit(
        &self,
        token: u32,
        wanted: &[u32],
        fitter: &mut Fitter,
        noise: &mut Noise,
        rng: &mut ChaCha8Rng,
    ) -> Option<Noises> {
        if wanted.len() > self.config.noises {
            return None;
        }
        let end = (wanted.len() < self.config.noises).then(|| self.end());
        let mut noises = Noises::new();
        for wanted in wanted.iter().copied().chain(end) {
            noises.extend(fitter.fit(&self.keys, token, wanted, noise, rng)?);
        }
        Some(noises)
    }

    /// Noises that are known to map the token in the midst of windows to `wanted`.
    fn known(&self, around: &[Vec<u32>], wanted: &[u32]) -> Option<Noises> {
        let mut windows = around.iter().enumerate();
        windows.find_map(|(window, context)| {
            let place = self.layer.find(window, context)?;
            Some(self.layer.windows[window].entries[place].writing(wanted)?.mean.clone())
        })
    }

    /// Counts `noises`, which map `token` to `wanted`, in an entry.
    fn collect(&mut self, window: usize, place: usize, token: u32, wanted: &[u32], noises: &[u32]) {
        let entry = &self.layer.windows[window].entries[place];
        let mode = entry.writing(wanted);
        let mean = mode.map(|mode| mode.mean_with(noises));
        let is_right = mean.as_ref().is_some_and(|mean| self.output(&self.reached(token, mean)) == wanted);
        let modes = &mut self.layer.windows[window].entries[place].modes;
        let mode = match modes.iter_mut().find(|mode| mode.output == wanted) {
            Some(mode) => mode,
            None => {
                modes.push(Mode::new(wanted.to_vec(), noises.to_vec()));
                let Some(mode) = modes.last_mut() else { return };
                mode
            }
        };
        let mean = mean.filter(|_| is_right).unwrap_or_else(|| mode.mean.clone());
        mode.add(noises, mean);
    }
}
