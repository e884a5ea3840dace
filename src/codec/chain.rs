//! The chain of noises: which follow which, and what the latest lead to.
//!
//! A state is the first digits of a token's first noise. The key layer proposes noises by the token's neighbours, the chain
//! proposes others by the noises before it. Of all the likeliest is taken: a proposal's share of what was wanted in its
//! context, times the probability of its state after the state before.

use super::between::Between;
use super::layer::{Contexts, Entry, FULL, Mode, Near, Noises, Origin};
use super::number::{PLACES, unit};
use super::pagerank::{DAMPING, stationary};
use super::window::Sums;
use crate::config::CodecConfig;

/// Bounds of a transition that was changed at random.
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
    /// Times that a state followed another, `[from, to]`.
    transitions: Vec<f64>,
    /// Share of time in each state.
    rank: Vec<f64>,
    pub past: Contexts,
}

/// What was chosen for a token: the key layer's proposal, or that of the past.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Context of past noises that is known; `None` if there is none.
    pub past: Option<Near<'a>>,
    /// What the key layer and the past propose, where they know a context: of its modes the likeliest.
    pub proposals: [Option<Proposal<'a>>; 2],
    /// True if the past's was taken.
    pub is_past: bool,
}

/// Noises that are proposed.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    pub mode: &'a Mode,
    /// Its share times the probability of its state.
    pub likelihood: f64,
}

impl<'a> Choice<'a> {
    /// The noises that were taken; `None` if none were proposed.
    pub fn taken(&self) -> Option<&'a Mode> {
        Some(self.proposals[usize::from(self.is_past)]?.mode)
    }

    /// The noises that were proposed and not taken.
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

    /// Times that a state followed another, `[from, to]`.
    pub fn transitions(&self) -> &[f64] {
        &self.transitions
    }

    /// The chain with other transitions; `None` if they are not as many, or not all from 0 up and finite.
    pub fn with_transitions(self, transitions: Vec<f64>) -> Option<Self> {
        let is_whole = transitions.len() == self.transitions.len()
            && transitions.iter().all(|count| (0.0..CHANGED.end).contains(count));
        is_whole.then(|| {
            let rank = stationary(&transitions, self.rank.len());
            Self { transitions, rank, ..self }
        })
    }

    /// Share of time in each state.
    pub fn rank(&self) -> &[f64] {
        &self.rank
    }

    /// Counts what follows what in the states of a record's tokens.
    pub fn count(&mut self, states: &[Option<usize>]) {
        for pair in states.windows(2) {
            if let [Some(from), Some(to)] = pair {
                self.transitions[from * self.rank.len() + to] += 1.0;
            }
        }
        self.rank = stationary(&self.transitions, self.rank.len());
    }

    /// Multiplies a transition by `factor`, and returns what it was; `None`, unchanged, if it would leave its bounds.
    pub fn change(&mut self, place: usize, factor: f64) -> Option<f64> {
        let before = self.transitions[place];
        if !CHANGED.contains(&(before * factor)) {
            return None;
        }
        self.set(place, before * factor);
        Some(before)
    }

    /// Sets a transition.
    pub fn set(&mut self, place: usize, to: f64) {
        self.transitions[place] = to;
        self.rank = stationary(&self.transitions, self.rank.len());
    }

    /// Probability of state `to` after `from`, or at the beginning.
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

    /// Chooses between the modes of `near`, which the key layer knows, and those of the entry of `context`.
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

    /// The likeliest mode of an entry after a state: the first of those that are equal.
    fn propose<'a>(&self, entry: &'a Entry, before: Option<usize>) -> Option<Proposal<'a>> {
        let all = entry.modes.iter().filter_map(|mode| {
            let state = self.state(&mode.mean)?;
            let likelihood = entry.share(mode) * self.probability(before, state);
            Some(Proposal { mode, likelihood })
        });
        all.reduce(|best, next| if next.likelihood > best.likelihood { next } else { best })
    }

    /// Notes that a token took `noises`.
    pub fn take(&self, past: &mut Past, noises: &[u32], width: usize) {
        past.state = self.state(noises);
        past.noises.extend_from_slice(noises);
        let extra = past.noises.len().saturating_sub(self.length * width);
        past.noises.drain(..extra);
    }

    /// Counts `noises`, which map `token` to `wanted` at `origin`, for `context`. One that is not known is added only if it
    /// `is_new`. Where it `misled` what was chosen, the output has half of its counts from now on.
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
