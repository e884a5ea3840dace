//! Noise on the text that training reads; the text to predict stays clean.

use super::super::Knob;
use super::super::knob::float;
use super::super::setting::{Place, at};

const fn noise(place: Place, label: &'static str, help: &'static str) -> Knob {
    float(place, label, 0.0, 1.0, help)
}

pub(super) const KNOBS: &[Knob] = &[
    noise(at!(noise.forget), "Forget", "largest share of characters hidden from later ones"),
    noise(at!(noise.swap), "Swap", "share of characters that trade places with the next"),
    noise(at!(noise.drop), "Drop", "share of characters left out"),
    noise(at!(noise.insert), "Insert", "share of characters followed by any other"),
    noise(at!(noise.double), "Double", "share of characters written twice"),
    noise(at!(noise.neighbour), "Wrong key", "share of characters hit on a neighbouring key"),
    noise(at!(noise.homoglyph), "Look-alike", "share of characters that become a look-alike"),
    noise(at!(noise.space), "Spaces", "share of spaces dropped, doubled or put in"),
];
