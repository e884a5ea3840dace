//! The learner: keys of its tokens, and the key layer that it fills.

use rand_chacha::ChaCha8Rng;

use super::align::align;
use super::between::Between;
use super::chain::{Chain, Choice, Past};
use super::distance::cost;
use super::fit::Fitter;
use super::graph::{Chosen, GraphMapper, Ran};
use super::keys::Keys;
use super::layer::{KeyLayer, Mode, Near, Noises};
use super::lesson::{Learned, Lesson};
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
    /// The chain of noises; `None` if it is off.
    pub chain: Option<Chain>,
    /// Mapper to the graphs that turn the written tokens into the output; `None` if graphs are off.
    pub graphs: Option<GraphMapper>,
}

/// A token of an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    pub token: u32,
    /// Place of the token that was read for it.
    pub at: usize,
    /// Share of the times that its context was met in which this was wanted.
    pub share: f32,
}

/// A token that was read, and the noises and tokens that it was mapped to.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub token: u32,
    /// Nearest context that the key layer knows; `None` if none is within reach.
    pub near: Option<Near<'a>>,
    /// Choice between the key layer and the past; `None` without a chain, where the key layer's noises are taken.
    pub choice: Option<Choice<'a>>,
    /// The noises that were taken, and the tokens they lead to: the last is the end, if it was reached.
    pub noises: Noises,
    pub reached: Vec<u32>,
}

impl<'a> Step<'a> {
    /// The context whose noises were taken, and its mode.
    pub fn taken(&self) -> Option<(Near<'a>, &'a Mode)> {
        match self.choice {
            Some(choice) => {
                let near = if choice.is_past { choice.past } else { self.near };
                Some((near?, choice.taken()?))
            }
            None => Some((self.near?, self.near?.entry.likeliest()?)),
        }
    }

    /// Share of the times that the context was met in which this output was wanted; 0 without a known context.
    pub fn share(&self) -> f32 {
        self.taken().map_or(0.0, |(near, mode)| near.entry.share(mode) as f32)
    }
}

impl Codec {
    /// A codec of `tokens` tokens that knows nothing.
    ///
    /// # Errors
    /// If there are too few keys for so many tokens.
    pub fn new(tokens: usize, config: &CodecConfig, seed: u64) -> Result<Self, String> {
        let windows = Windows { sides: sides(config.window), decay: config.decay };
        let keys = Keys::draw(tokens + 1, config, seed)?;
        let graphs = config.graph.then(|| GraphMapper::new(&keys, &windows, config, seed));
        Ok(Self {
            graphs: graphs.transpose()?,
            keys,
            layer: KeyLayer::new(windows.sides.len(), 2 * config.numbers, cost(config.reach)),
            chain: config.chain.then(|| Chain::new(config)),
            windows,
            config: config.clone(),
        })
    }

    /// The token that ends an output, and stands at the end of an input and beyond its edges.
    pub fn end(&self) -> u32 {
        self.keys.len() as u32 - 1
    }

    /// Learns an example, record `number` of its run.
    ///
    /// When the record comes for the first time, a `noise` is given. Noises are drawn for each token and counted in all
    /// of its known windows; a token is right if the key layer or the chain proposes its output. Later, without a
    /// `noise`, a token is right only if the noises taken are, and it is learnt with known noises, or with new ones
    /// where a graph changed the wanted output.
    pub fn learn(
        &mut self,
        (number, example): (u32, &Example),
        fitter: &mut Fitter,
        mut noise: Option<&mut Noise>,
        rng: &mut ChaCha8Rng,
    ) -> Learned {
        let tokens = self.read(&example.input);
        let end = self.around_end(&tokens);
        let mut learned = Learned::default();
        let planned = self.graphs.as_mut().map(|graphs| {
            let record = (number, example.input.as_slice(), example.output.as_slice());
            let noise = noise.as_deref_mut();
            graphs.learn(
                (&self.keys, &end, &self.config),
                record,
                fitter,
                noise,
                (&mut *rng, &mut learned),
            )
        });
        let wanted = align(&tokens, planned.as_ref().unwrap_or(&example.output));
        let (mut past, mut states) = (Past::default(), Vec::new());
        for (at, (token, wanted)) in tokens.iter().zip(wanted).enumerate() {
            let (pair, origin) = ((*token, wanted), (number, at as u32));
            let around = self.windows.around(&self.keys, &tokens, at, self.end());
            let context =
                self.chain.as_ref().map(|chain| chain.context(self.keys.of(*token), &past));
            let Tried { wrong, right, taken } = self.attempt(pair, &around, &past, noise.is_some());
            let is_right = right.is_some();
            let between = Between::within(&self.keys);
            let (around, room) = (around.as_slice(), self.config.noises);
            let renewed = self.graphs.as_ref().map(|_| &self.config);
            let lesson = Lesson {
                between,
                around,
                token: *token,
                wanted,
                room,
                origin,
                is_right,
                taken: wrong,
                renewed,
            };
            let noises =
                lesson.learn(&mut self.layer, fitter, noise.as_deref_mut(), rng, &mut learned);
            let (Some(chain), Some(context)) = (&mut self.chain, context) else { continue };
            if let Some(noises) = noises.as_ref().filter(|_| noise.is_some() || !is_right) {
                let own = (noises.as_slice(), origin);
                chain.learn(between, &context, pair, own, (!is_right, noise.is_none()));
            }
            // The token's noises once it is right.
            chain.take(&mut past, &right.or(noises).unwrap_or(taken), self.keys.width());
            states.push(past.state);
        }
        if let Some(chain) = self.chain.as_mut().filter(|_| noise.is_some()) {
            chain.count(&states);
        }
        learned
    }

    /// Maps a token as inference does, and compares the result with `wanted`. If `either` is true, the proposal that
    /// was not taken may be the right one, too.
    fn attempt(
        &self,
        (token, wanted): (u32, &[u32]),
        around: &[Vec<u32>],
        past: &Past,
        either: bool,
    ) -> Tried {
        let between = Between::within(&self.keys);
        let step = self.step(token, around, past);
        let right = |noises: &Noises| between.writes(token, noises, wanted);
        let mut is_right = right(&step.noises);
        let mut found = step.noises.clone();
        if either && !is_right {
            let left = step.choice.and_then(|choice| choice.left());
            found = left.map_or(Noises::new(), |mode| mode.mean.clone());
            is_right = right(&found);
        }
        Tried {
            wrong: step.near.map(|near| (near.window, near.cost)),
            right: is_right.then_some(found),
            taken: step.noises,
        }
    }

    /// Maps `input` and its end, token by token.
    pub fn trace(&self, input: &[u32]) -> Vec<Step<'_>> {
        let tokens = self.read(input);
        let mut past = Past::default();
        let steps = tokens.iter().enumerate().map(|(at, token)| {
            let around = self.windows.around(&self.keys, &tokens, at, self.end());
            let step = self.step(*token, &around, &past);
            if let Some(chain) = &self.chain {
                chain.take(&mut past, &step.noises, self.keys.width());
            }
            step
        });
        steps.collect()
    }

    /// The output that `input` is mapped to.
    pub fn write(&self, input: &[u32]) -> Vec<u32> {
        self.written(&self.trace(input))
    }

    /// Output of a trace: the tokens that its noises lead to, or those that the graph turns them into.
    pub fn written(&self, steps: &[Step]) -> Vec<u32> {
        match self.graph(steps) {
            Some((_, ran)) => ran.output,
            None => self.reached(steps),
        }
    }

    /// Output of a trace, token by token: each with the place of the token that was read for it, and the share of its
    /// output in the context. Tokens that a graph makes have the graph's share.
    pub fn said(&self, steps: &[Step]) -> Vec<Said> {
        if let Some((chosen, ran)) =
            self.graph(steps).filter(|(chosen, _)| !chosen.graph.is_empty())
        {
            let last = steps.len().saturating_sub(1);
            let share = chosen.share();
            let said = ran.output.into_iter().enumerate();
            return said.map(|(at, token)| Said { token, at: at.min(last), share }).collect();
        }
        let of = |(at, step): (usize, &Step)| {
            let share = step.share();
            let output = self.output(&step.reached).to_vec();
            output.into_iter().map(move |token| Said { token, at, share })
        };
        steps.iter().enumerate().flat_map(of).collect()
    }

    /// Tokens that the noises of a trace lead to, without ends.
    pub fn reached(&self, steps: &[Step]) -> Vec<u32> {
        steps.iter().flat_map(|step| self.output(&step.reached).to_vec()).collect()
    }

    /// Graph of a trace, and its result on the tokens that the noises lead to; `None` if graphs are off.
    pub fn graph(&self, steps: &[Step]) -> Option<(Chosen<'_>, Ran)> {
        let graphs = self.graphs.as_ref()?;
        let tokens: Vec<u32> = steps.iter().map(|step| step.token).collect();
        let input = &tokens[..tokens.len().saturating_sub(1)];
        let chosen = graphs.choose(&self.keys, &self.around_end(&tokens));
        let ran = graphs.run(&chosen, input, &self.reached(steps));
        Some((chosen, ran))
    }

    /// Tokens that noise is to write for an example: its output, or those that its graph turns into it.
    pub fn planned(&self, example: &Example) -> Vec<u32> {
        let graphs = self.graphs.as_ref();
        let plan = graphs.map(|graphs| {
            let around = self.around_end(&self.read(&example.input));
            let chosen = graphs.choose(&self.keys, &around);
            graphs.plan(&chosen, &example.input, &example.output).written
        });
        plan.unwrap_or_else(|| example.output.clone())
    }

    /// The windows around the end of an input, which is the last of `tokens`.
    fn around_end(&self, tokens: &[u32]) -> Vec<Vec<u32>> {
        self.windows.around(&self.keys, tokens, tokens.len().saturating_sub(1), self.end())
    }

    /// Output of the tokens `reached`: all but the end.
    pub fn output<'a>(&self, reached: &'a [u32]) -> &'a [u32] {
        Between::within(&self.keys).output(reached)
    }

    /// `input` with its end, which may have an output, too.
    fn read(&self, input: &[u32]) -> Vec<u32> {
        input.iter().copied().chain([self.end()]).collect()
    }

    fn step(&self, token: u32, around: &[Vec<u32>], past: &Past) -> Step<'_> {
        let between = Between::within(&self.keys);
        let near = self.layer.recall(&self.keys.metric, around);
        let choice = self.chain.as_ref().map(|chain| {
            let context = chain.context(self.keys.of(token), past);
            chain.choose(between, near, &context, (past, self.layer.reach))
        });
        let mut step = Step { token, near, choice, noises: Noises::new(), reached: Vec::new() };
        if let Some((_, mode)) = step.taken() {
            step.noises = mode.mean.clone();
            step.reached = between.reached(token, &mode.mean);
        }
        step
    }
}

/// Noises that a token was mapped by in training, before it was learnt.
struct Tried {
    /// Window and distance of the context that the key layer found; `None` if it found none.
    wrong: Option<(usize, u64)>,
    /// Proposed noises that write the wanted output; `None` if there are none.
    right: Option<Noises>,
    /// Noises that inference takes, right or wrong.
    taken: Noises,
}
