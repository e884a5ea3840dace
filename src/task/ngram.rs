//! N-gram models, to hold learners against: counting alone predicts a text, and puts spaces in one.

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

/// 5-grams that are counted, and interpolated by Witten and Bell's rule (1991). Time and memory grow with what is counted.
pub struct Grams<'a> {
    contexts: HashMap<&'a [char], Seen>,
    grams: HashMap<&'a [char], u32>,
}

impl<'a> Grams<'a> {
    pub fn count(text: &'a [char]) -> Self {
        let mut contexts: HashMap<&[char], Seen> = HashMap::new();
        let mut grams: HashMap<&[char], u32> = HashMap::new();
        for end in 0..text.len() {
            for length in 0..=ORDER.min(end) {
                let context = contexts.entry(&text[end - length..end]).or_default();
                let gram = grams.entry(&text[end - length..=end]).or_default();
                context.kinds += u32::from(*gram == 0);
                context.times += 1;
                *gram += 1;
            }
        }
        Self { contexts, grams }
    }

    /// Probability of the last of `text` after what is before it.
    fn probability(&self, text: &[char]) -> f64 {
        let end = text.len() - 1;
        let kinds = self.contexts.get(&[][..]).map_or(0, |seen| seen.kinds);
        let mut p = 1.0 / f64::from(kinds + 1);
        for length in 0..=ORDER.min(end) {
            let Some(seen) = self.contexts.get(&text[end - length..end]) else { break };
            let times = self.grams.get(&text[end - length..]).copied().unwrap_or(0);
            let (kinds, total) = (f64::from(seen.kinds), f64::from(seen.times));
            p = (f64::from(times) + kinds * p) / (total + kinds);
        }
        p
    }

    /// The likeliest text with these letters, between line ends: spaces may stand between any two (Viterbi 1967).
    pub fn space(&self, letters: &str) -> String {
        // The likeliest texts so far by their last characters, which is all that the rest hangs on.
        let mut best: HashMap<Vec<char>, (f64, Vec<char>)> =
            HashMap::from([(vec!['\n'], (0.0, vec!['\n']))]);
        for (at, letter) in letters.chars().chain(['\n']).enumerate() {
            let mut next: HashMap<Vec<char>, (f64, Vec<char>)> = HashMap::new();
            let is_within = at > 0 && letter != '\n';
            for (cost, text) in best.into_values() {
                for between in [&[][..], &[' ']].into_iter().take(1 + usize::from(is_within)) {
                    let (mut cost, mut text) = (cost, text.clone());
                    for character in between.iter().chain([&letter]) {
                        text.push(*character);
                        let seen = text.len().saturating_sub(ORDER + 1);
                        cost -= self.probability(&text[seen..]).ln();
                    }
                    let last = text[text.len().saturating_sub(ORDER)..].to_vec();
                    let is_better = next.get(&last).is_none_or(|(other, _)| cost < *other);
                    if is_better {
                        next.insert(last, (cost, text));
                    }
                }
            }
            best = next;
        }
        let text = best.into_values().min_by(|(a, _), (b, _)| a.total_cmp(b));
        text.map_or(String::new(), |(_, text)| text[1..text.len() - 1].iter().collect())
    }
}

/// Loss on `validation` of 5-grams counted on `train`, in nats per character. `None` if there is nothing to predict.
pub fn loss(train: &[char], validation: &[char]) -> Option<f64> {
    let grams = Grams::count(train);
    let surprisal =
        |end: usize| -grams.probability(&validation[end.saturating_sub(ORDER)..=end]).ln();
    // As a model's loss, of all characters but the first.
    let predicted = validation.len().checked_sub(1).filter(|count| *count > 0)?;
    Some((1..validation.len()).map(surprisal).sum::<f64>() / predicted as f64)
}
