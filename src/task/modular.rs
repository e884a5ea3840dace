//! Addition modulo a prime: a table that a model first learns by heart and, much later, understands
//! (Power et al. 2022, "Grokking"; Nanda et al. 2023, "Progress measures for grokking").

use rand_chacha::ChaCha8Rng;

use super::floor::Sums;
use super::source::RecordSource;
use super::split::{Split, below, shuffle};
use crate::config::ModularConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// Characters that stood for the numbers from 0 on, before each number had a token of its own. Their order is still
/// that of the tokens, so older models keep their ids.
const CHARACTERS: [(char, char); 6] =
    [('0', '9'), ('A', 'Z'), ('a', 'z'), ('α', 'ω'), ('А', 'Я'), ('а', 'я')];
const PLUS: &str = "+";
const EQUALS: &str = "=";
/// Symbols of `a+b=c`.
const RECORD_LEN: usize = 5;

/// `a+b=c`, of which `c` alone is predicted. Each number is one token.
#[derive(Clone, Debug)]
pub struct Modular {
    modulus: usize,
    /// All pairs `a · modulus + b`, those trained on first.
    pairs: Vec<u32>,
    trained: usize,
}

impl Modular {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &ModularConfig) -> Self {
        let modulus = config.modulus.clamp(2, characters().count());
        let mut pairs: Vec<u32> = (0..(modulus * modulus) as u32).collect();
        shuffle(&mut pairs);
        let trained = (config.fraction * pairs.len() as f64).round() as usize;
        // One at least of each.
        let trained = trained.clamp(1, pairs.len() - 1);
        Self { modulus, pairs, trained }
    }

    fn record(&self, pair: usize) -> Record {
        let (a, b) = (pair / self.modulus, pair % self.modulus);
        let mut record = Record::new();
        record.push_symbol(Field::Question, &a.to_string());
        record.push_symbol(Field::Separator, PLUS);
        record.push_symbol(Field::Question, &b.to_string());
        record.push_symbol(Field::Separator, EQUALS);
        record.push_symbol(Field::Answer, &((a + b) % self.modulus).to_string());
        record.given = RECORD_LEN - 1;
        record
    }

    /// The number that `text` is, as a record writes it.
    fn number(&self, text: &str) -> Option<usize> {
        let number: usize = text.parse().ok().filter(|number| *number < self.modulus)?;
        (number.to_string() == text).then_some(number)
    }

    /// True if `alphabet` is the one that these sums had when a character stood for each number.
    pub fn had_alphabet(&self, alphabet: impl Iterator<Item = char>) -> bool {
        alphabet.eq(self.tokens().into_iter().map(|(character, _)| character))
    }

    /// Characters of old with the tokens in their place, in the order of their ids.
    fn tokens(&self) -> Vec<(char, String)> {
        let numbers = characters().take(self.modulus).enumerate();
        let numbers = numbers.map(|(number, character)| (character, number.to_string()));
        let signs = [('+', PLUS.to_owned()), ('=', EQUALS.to_owned())];
        let mut tokens: Vec<_> = numbers.chain(signs).collect();
        tokens.sort_unstable();
        tokens
    }
}

fn characters() -> impl Iterator<Item = char> {
    CHARACTERS.into_iter().flat_map(|(first, last)| first..=last)
}

impl RecordSource for Modular {
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        self.draw_batch(split, window, 1, rng).pop().unwrap_or_default()
    }

    /// Draws evenly among the sums of `split`, none twice as long as there are others: as many as there
    /// are, in whatever order, are the whole split, without which weight decay this strong drowns what
    /// is learnt in the noise of drawing.
    fn draw_batch(
        &self,
        split: Split,
        _window: usize,
        count: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Record> {
        let (trained, held_out) = self.pairs.split_at(self.trained);
        let pairs = if split == Split::Train { trained } else { held_out };
        let mut left = Vec::new();
        let draw = |_| {
            if left.is_empty() {
                left = pairs.to_vec();
            }
            let place = below(rng, left.len());
            self.record(left.swap_remove(place) as usize)
        };
        (0..count).map(draw).collect()
    }

    fn longest(&self) -> usize {
        RECORD_LEN
    }

    /// Zero, for a sum is known.
    fn floor(&self) -> Option<Floor> {
        let mut sums = Sums::default();
        sums.add(Field::Answer, 1.0, 0.0);
        Some(sums.floor())
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        let number = self.number(symbol);
        let any = if number.is_some() { 1.0 / self.modulus as f64 } else { 0.0 };
        let certain = |is_next: bool| if is_next { 1.0 } else { 0.0 };
        let Some((a, rest)) = prefix.split_once(PLUS) else {
            return match prefix {
                "" => any,
                a => certain(self.number(a).is_some() && symbol == PLUS),
            };
        };
        let Some(a) = self.number(a) else { return 0.0 };
        match rest.strip_suffix(EQUALS) {
            Some(b) => match self.number(b) {
                Some(b) => certain(number == Some((a + b) % self.modulus)),
                None => 0.0,
            },
            None if rest.is_empty() => any,
            None => certain(self.number(rest).is_some() && symbol == EQUALS),
        }
    }

    /// After the answer, or at the length of the longest sum where what is written is none.
    fn is_at_end(&self, text: &str) -> bool {
        let digits = (self.modulus - 1).to_string().len();
        let has_answer = text.split_once(EQUALS).is_some_and(|(_, answer)| !answer.is_empty());
        has_answer || text.len() >= 3 * digits + PLUS.len() + EQUALS.len()
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::of_tokens(self.tokens().into_iter().map(|(_, token)| token).collect(), None)
    }
}
