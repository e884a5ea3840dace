//! The kind of learner, and the noise codec.

use super::super::knob::{float, int, knob};
use super::super::setting::{Place, at};
use super::super::{Fitting, KeyDistance, Knob, LearnerKind, NoiseKind, Range};

pub(super) const KNOBS: &[Knob] = &[
    knob(
        at!(learner),
        "Learner",
        Range::Choice(LearnerKind::NAMES),
        "a transformer that learns by gradients, or the noise codec, which has random keys and noise",
    ),
    int(at!(codec.numbers), "Numbers a key", 1, 16, "numbers of a token's random key"),
    int(at!(codec.digits), "Key digits", 1, 9, "decimal digits of each number of a key"),
    knob(
        at!(codec.distance),
        "Key distance",
        Range::Choice(KeyDistance::NAMES),
        "distance of two keys: digit by digit from the left, or the plain difference",
    ),
    float(
        at!(codec.falloff),
        "Digit falloff",
        0.05,
        0.95,
        "weight of a digit as a share of the weight of the digit before it",
    ),
    float(
        at!(codec.closeness),
        "Digit closeness",
        0.0,
        0.95,
        "share of the cost of two different digits that their closeness pays back",
    ),
    knob(
        at!(codec.noise),
        "Noise colour",
        Range::Choice(NoiseKind::NAMES),
        "spectrum of the noise that is drawn for a token",
    ),
    knob(
        at!(codec.fitting),
        "Noise found by",
        Range::Choice(Fitting::NAMES),
        "search draws noise until it maps right; cell draws from the exact region of keys that do",
    ),
    int(at!(codec.draws), "Max draws", 1, 1_000_000, "draws after which a noise is given up"),
    int(at!(codec.noises), "Noises a token", 1, 64, "most outputs that one input token may have"),
    int(
        at!(codec.window),
        "Longest window",
        0,
        512,
        "most neighbours to each side of a token that tell its noise",
    ),
    float(
        at!(codec.decay),
        "Window decay",
        0.05,
        0.95,
        "weight of a neighbour as a share of the weight of the next nearer one",
    ),
    float(
        at!(codec.reach),
        "Reach",
        0.0,
        10.0,
        "distance up to which a known context stands for an unknown one; 0 takes equal ones only",
    ),
    knob(
        at!(codec.chain),
        "Chain of noises",
        Range::Bool,
        "the noises before a token propose its noise, too, and the likelier proposal is taken",
    ),
    int(
        at!(codec.state_digits),
        "State digits",
        1,
        2,
        "first digits of a noise that the chain tells apart",
    ),
    int(at!(codec.past), "Past noises", 1, 16, "noises before a token that propose its noise"),
    int(
        at!(codec.mutations),
        "Mutations a step",
        0,
        1000,
        "random changes of the chain's transitions that are tried, and stay if they bring outputs nearer",
    ),
    knob(
        at!(codec.graph),
        "Graphs",
        Range::Bool,
        "each record is mapped to functions, too, which turn round, sort, replace or move what noise writes",
    ),
];
