//! An n-gram model, to hold a transformer against: counting alone predicts a text.

use std::collections::HashMap;

/// Characters looked back at.
const ORDER: usize = 4;
/// Most characters that are counted, and that are predicted: bounds on memory and time.
pub const MAX_COUNTED: usize = 1 << 18;
pub const MAX_PREDICTED: usize = 1 << 15;

/// Times a context was seen, and the number of different characters after it.
#[derive(Clone, Copy, Default)]
struct Seen {
    times: u32,
    kinds: u32,
}

/// Loss on `validation` of 5-grams counted on `train` and interpolated by Witten and Bell's rule
/// (1991), in nats per character. `None` if there is nothing to predict. Time and memory grow with both texts.
pub fn loss(train: &[char], validation: &[char]) -> Option<f64> {
    let mut contexts: HashMap<&[char], Seen> = HashMap::new();
    let mut grams: HashMap<&[char], u32> = HashMap::new();
    for end in 0..train.len() {
        for length in 0..=ORDER.min(end) {
            let context = contexts.entry(&train[end - length..end]).or_default();
            let gram = grams.entry(&train[end - length..=end]).or_default();
            context.kinds += u32::from(*gram == 0);
            context.times += 1;
            *gram += 1;
        }
    }
    let kinds = contexts.get(&[][..]).map_or(0, |seen| seen.kinds);
    let evenly = 1.0 / f64::from(kinds + 1);
    let surprisal = |end: usize| {
        let mut p = evenly;
        for length in 0..=ORDER.min(end) {
            let Some(seen) = contexts.get(&validation[end - length..end]) else { break };
            let times = grams.get(&validation[end - length..=end]).copied().unwrap_or(0);
            let (kinds, total) = (f64::from(seen.kinds), f64::from(seen.times));
            p = (f64::from(times) + kinds * p) / (total + kinds);
        }
        -p.ln()
    };
    // As a model's loss, of all characters but the first.
    let predicted = validation.len().checked_sub(1).filter(|count| *count > 0)?;
    Some((1..validation.len()).map(surprisal).sum::<f64>() / predicted as f64)
}
