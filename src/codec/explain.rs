//! Where an output came from: the keys, the noise, and the known context that it was taken from.

use serde::Serialize;

use super::align::align;
use super::distance::distance;
use super::graph::Effect;
use super::learner::{Example, Step};
use super::number::fraction;
use super::run::CodecRun;

/// A token that was read, its output, and the source of that.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The token; empty at the end of the input.
    pub token: String,
    /// Text that is written for the token.
    pub output: String,
    /// Its key.
    pub key: Vec<f64>,
    pub noises: Vec<ExplainedNoise>,
    /// The context that the noises were taken from; `None` if none is known.
    pub context: Option<Source>,
    /// The choice between what neighbours and earlier noises propose; `None` without a chain.
    pub choice: Option<ExplainedChoice>,
}

/// A choice between two proposals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ExplainedChoice {
    /// True if the earlier noises' proposal was taken.
    pub is_past: bool,
    /// Likelihoods of the neighbours' proposal and of the earlier noises', where there is one.
    pub likelihoods: [Option<f64>; 2],
}

/// A noise, and the token that it leads to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedNoise {
    pub noise: Vec<f64>,
    /// The key minus the noise, modulo 1.
    pub embedding: Vec<f64>,
    /// The token with the nearest key; empty for the end of an output.
    pub token: String,
    /// Its key.
    pub nearest: Vec<f64>,
    pub distance: f64,
}

/// A known context.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Neighbours to each side in its window; `None` if it is one of earlier noises.
    pub sides: Option<usize>,
    /// Distance of the context from the one that was read; 0 if they are equal.
    pub distance: f64,
    /// Number of the training record that first wanted this output in this context, and place of the token in its
    /// input.
    pub record: u32,
    pub place: u32,
    /// The record's input and output.
    pub input: String,
    pub output: String,
    /// Text that the token became in that record.
    pub became: String,
    /// Times that the context was met, and times that this output was wanted.
    pub met: u32,
    pub wanted: u32,
}

/// A part of a graph, and its effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedTurn {
    /// The function's name; the token itself where it is none.
    pub function: String,
    pub arguments: Vec<String>,
    /// Target of the effect: `output`, `input`, `register` or `gate`. Without a target, `marker`, or the reason why the
    /// part did nothing.
    pub on: &'static str,
    /// The target before and after; empty without a target.
    pub before: String,
    pub after: String,
}

impl CodecRun {
    /// Tells what each part of the graph of a trace did; `None` if graphs are off.
    pub fn explain_graph(&self, steps: &[Step]) -> Option<Vec<ExplainedTurn>> {
        let (chosen, ran) = self.codec.graph(steps)?;
        let turns = ran.turns.into_iter().map(|turn| {
            let text = |tokens: &[u32]| self.tokenizer.decode(tokens);
            let gate = |is_open: bool| if is_open { "open" } else { "closed" }.to_owned();
            let (on, before, after) = match &turn.effect {
                Effect::Changed { on_input, before, after } => {
                    (if *on_input { "input" } else { "output" }, text(before), text(after))
                }
                Effect::Register { before, after } => {
                    ("register", before.to_string(), after.to_string())
                }
                Effect::Gate { before, after } => ("gate", gate(*before), gate(*after)),
                Effect::Marked => ("marker", String::new(), String::new()),
                Effect::Closed => ("nothing: the gate is closed", String::new(), String::new()),
                Effect::Malformed => {
                    ("nothing: an argument is missing", String::new(), String::new())
                }
            };
            let other = || self.shown(chosen.graph[turn.at]);
            ExplainedTurn {
                function: turn.function.map_or_else(other, |function| function.name().to_owned()),
                arguments: turn.arguments.iter().map(|token| self.shown(*token)).collect(),
                on,
                before,
                after,
            }
        });
        Some(turns.collect())
    }

    /// Tells where the output of a step came from.
    pub fn explain(&self, step: &Step) -> Explained {
        let keys = &self.codec.keys;
        let numbers = |key: &[u32]| key.iter().map(|number| fraction(*number)).collect();
        let key = keys.of(step.token);
        let noises = step.noises.chunks_exact(keys.width()).zip(&step.reached);
        let noises = noises.map(|(noise, reached)| {
            let embedding = keys.encode(step.token, noise);
            let nearest = keys.of(*reached);
            ExplainedNoise {
                noise: numbers(noise),
                token: self.shown(*reached),
                nearest: numbers(nearest),
                distance: distance(keys.metric.of_keys(&embedding, nearest)),
                embedding: numbers(&embedding),
            }
        });
        Explained {
            token: self.shown(step.token),
            output: self.tokenizer.decode(self.codec.output(&step.reached)),
            key: numbers(key),
            noises: noises.collect(),
            context: self.source(step),
            choice: step.choice.map(|choice| ExplainedChoice {
                is_past: choice.is_past,
                likelihoods: choice.proposals.map(|of| of.map(|of| of.likelihood)),
            }),
        }
    }

    fn source(&self, step: &Step) -> Option<Source> {
        let (near, mode) = step.taken()?;
        let is_past = step.choice.is_some_and(|choice| choice.is_past);
        let (record, place) = mode.origin;
        let example = self.examples().training(record as usize)?;
        let became = self.became(&example, place as usize);
        let Example { input, output } = example;
        Some(Source {
            sides: (!is_past).then(|| self.codec.windows.sides[near.window]),
            distance: distance(near.cost),
            record,
            place,
            input: self.tokenizer.decode(&input),
            output: self.tokenizer.decode(&output),
            became: self.tokenizer.decode(&became),
            met: near.entry.count(),
            wanted: mode.count,
        })
    }

    /// Tokens that the token at `place` of an example's input becomes, by its alignment with the planned output.
    fn became(&self, example: &Example, place: usize) -> Vec<u32> {
        let read: Vec<u32> = example.input.iter().copied().chain([self.codec.end()]).collect();
        align(&read, &self.codec.planned(example))
            .get(place)
            .map_or(Vec::new(), |part| part.to_vec())
    }

    /// Text of a token; empty for the end.
    fn shown(&self, token: u32) -> String {
        self.tokenizer.token(token).unwrap_or_default().to_owned()
    }
}
