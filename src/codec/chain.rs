//! The chain of noises: how often they follow one another, and which noise the latest ones propose.
//!
//! A state is the first digits of a token's first noise. The key layer proposes noises by the token's neighbours, the
//! chain proposes others by the noises before it. The codec takes the likelier proposal. A likelihood is the share of
//! an output in its context, times the probability of the noise's state after that of the token before.

use super::between::Between;
use super::layer::{Contexts, Entry, FULL, Mode, Near, Noises, Origin};
use super::number::{PLACES, unit};
use super::pagerank::{DAMPING, stationary};
use super::window::Sums;
use crate::config::CodecConfig;

/// Range that a random change of a transition may not leave.
const CHANGED: std::ops::Range<f64> = 1e-100..1e100;

/// Transitions between states of noise, and contexts of past noises.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Digits of a state.
    digits: usize,
    /// Noises of the past in a context.
    length: usize,
    /// Weight of a noise in a context as a share of that of the next later one.
    decay: f64,
    /// Times that a state followed another, `[from, to]`, multiplied by the factors of [`Chain::change`].
    transitions: Vec<f64>,
    /// Share of time in each state: the stationary distribution.
    rank: Vec<f64>,
    pub past: Contexts,
}

/// Choice of a token's noises: the key layer's proposal, or that of the past.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Nearest known context of past noises; `None` if none is within reach.
    pub past: Option<Near<'a>>,
    /// Proposals of the key layer and of the past: the likeliest mode of the context that each knows; `None` without
    /// one.
    pub proposals: [Option<Proposal<'a>>; 2],
    /// True if the past's proposal was taken.
    pub is_past: bool,
}

/// Proposal of a mode's noises.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    pub mode: &'a Mode,
    /// Share of the mode in its context, times the probability of its state.
    pub likelihood: f64,
}

impl<'a> Choice<'a> {
    /// The mode that was taken; `None` if none was proposed.
    pub fn taken(&self) -> Option<&'a Mode> {
        Some(self.proposals[usize::from(self.is_past)]?.mode)
    }

    /// The mode that was proposed and not taken.
    pub fn left(&self) -> Option<&'a Mode> {
        Some(self.proposals[usize::from(!self.is_past)]?.mode)
    }
}

/// The latest noises of an input.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Noises of the tokens before, the latest last.
    noises: Noises,
    /// State of the token before; `None` without one.
    pub state: Option<usize>,
}

impl Chain {
    /// A chain that knows nothing.
    pub fn new(config: &CodecConfig) -> Self {
        let states = 10_usize.pow(config.state_digits as u32);
        Self {
            digits: config.state_digits,
            length: config.past,
            decay: config.decay,
            transitions: vec![0.0; states * states],
            rank: vec![1.0 / states as f64; states],
            past: Contexts::new(2 * config.numbers),
        }
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.rank.len()
    }

    /// State of a token that took `noises`; `None` if it took none.
    pub fn state(&self, noises: &[u32]) -> Option<usize> {
        let first = noises.first()?;
        Some((first / unit(self.digits.min(PLACES) - 1)) as usize)
    }

    /// Times that a state followed another, `[from, to]`, multiplied by the factors of [`Chain::change`].
    pub fn transitions(&self) -> &[f64] {
        &self.transitions
    }

    /// The chain with other transitions; `None` if there are not as many, or one is not in `0.0..1e100`.
    pub fn with_transitions(self, transitions: Vec<f64>) -> Option<Self> {
        let is_whole = transitions.len() == self.transitions.len()
            && transitions.iter().all(|count| (0.0..CHANGED.end).contains(count));
        is_whole.then(|| {
            let rank = stationary(&transitions, self.rank.len());
            Self { transitions, rank, ..self }
        })
    }

    /// Share of time in each state: the stationary distribution.
    pub fn rank(&self) -> &[f64] {
        &self.rank
    }

    /// Counts the transitions between the states of a record's tokens, and ranks all states anew. `None` is a token
    /// without noises, from and to which there is no transition.
    pub fn count(&mut self, states: &[Option<usize>]) {
        for pair in states.windows(2) {
            if let [Some(from), Some(to)] = pair {
                self.transitions[from * self.rank.len() + to] += 1.0;
            }
        }
        self.rank = stationary(&self.transitions, self.rank.len());
    }

    /// Multiplies the transition at `place` by `factor`, and returns its value before. `None`, without a change, if it
    /// would leave its range.
    pub fn change(&mut self, place: usize, factor: f64) -> Option<f64> {
        let before = self.transitions[place];
        if !CHANGED.contains(&(before * factor)) {
            return None;
        }
        self.set(place, before * factor);
        Some(before)
    }

    /// Sets the transition at `place`, and ranks all states anew.
    pub fn set(&mut self, place: usize, to: f64) {
        self.transitions[place] = to;
        self.rank = stationary(&self.transitions, self.rank.len());
    }

    /// Probability of state `to` after `from`, or at the beginning if that is `None`.
    pub fn probability(&self, from: Option<usize>, to: usize) -> f64 {
        let rank = self.rank[to];
        let Some(from) = from else { return rank };
        let row = &self.transitions[from * self.rank.len()..][..self.rank.len()];
        let sum: f64 = row.iter().sum();
        let share = if sum > 0.0 { row[to] / sum } else { rank };
        DAMPING * share + (1.0 - DAMPING) * rank
    }

    /// The context of a token with this key after `past`: weighted means, then variances, of the key and the latest noises.
    pub fn context(&self, key: &[u32], past: &Past) -> Vec<u32> {
        let mut sums = Sums::new(key.len(), self.decay);
        sums.add(key);
        let noises = past.noises.rchunks_exact(key.len()).take(self.length);
        noises.for_each(|noise| sums.add(noise));
        sums.point()
    }

    /// Chooses the likelier of two proposals: that of `near`, which the key layer found, and that of the known context
    /// of past noises nearest to `context`, within `reach`. Of equal ones it takes the key layer's.
    pub fn choose<'a>(
        &'a self,
        between: Between,
        near: Option<Near<'a>>,
        context: &[u32],
        (past, reach): (&Past, u64),
    ) -> Choice<'a> {
        let found = self.past.nearest(&between.source.metric, context, reach);
        let own = found.map(|(place, cost)| {
            let entry = &self.past.entries[place];
            Near { window: 0, place, cost, entry }
        });
        let proposals = [near, own].map(|near| self.propose(near?.entry, past.state));
        let [layer, of_past] = proposals.map(|of| of.map(|proposal| proposal.likelihood));
        let is_past = of_past.is_some_and(|past| layer.is_none_or(|layer| past > layer));
        Choice { past: own, proposals, is_past }
    }

    /// Proposes the likeliest mode of an entry after the state `before`: the first of those that are equal.
    fn propose<'a>(&self, entry: &'a Entry, before: Option<usize>) -> Option<Proposal<'a>> {
        let all = entry.modes.iter().filter_map(|mode| {
            let state = self.state(&mode.mean)?;
            let likelihood = entry.share(mode) * self.probability(before, state);
            Some(Proposal { mode, likelihood })
        });
        all.reduce(|best, next| if next.likelihood > best.likelihood { next } else { best })
    }

    /// Adds the noises of a token, of `width` numbers each, to `past`, and drops those that are too old for a context.
    pub fn take(&self, past: &mut Past, noises: &[u32], width: usize) {
        past.state = self.state(noises);
        past.noises.extend_from_slice(noises);
        let extra = past.noises.len().saturating_sub(self.length * width);
        past.noises.drain(..extra);
    }

    /// Counts `noises`, which map `token` to `wanted` at `origin`, in the entry of `context`. Adds an unknown context
    /// only if it `is_new`, and while there are fewer than `FULL`. If the context `misled` a choice, blames its entry:
    /// see `Entry::blame`.
    pub fn learn(
        &mut self,
        between: Between,
        context: &[u32],
        (token, wanted): (u32, &[u32]),
        (noises, origin): (&[u32], Origin),
        (is_new, misled): (bool, bool),
    ) {
        let known = self.past.table.find(context);
        let place = known.or_else(|| {
            let may_push = is_new && self.past.entries.len() < FULL;
            may_push.then(|| self.past.push(context))
        });
        let Some(place) = place else { return };
        self.past.collect(place, between, (token, wanted), (noises, origin));
        if misled {
            self.past.entries[place].blame(wanted);
        }
    }
}
