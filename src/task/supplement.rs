//! Records of another kind, mixed into those that a task is trained on.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::source::RecordSource;
use super::split::Split;
use super::text::Text;
use crate::config::{SupplementConfig, TextConfig};
use crate::run::{Floor, Record};
use crate::tokenizer::Tokenizer;

/// Records of a task, a share of which is replaced by JSON records. Held-out records are the task's own.
#[derive(Clone, Debug)]
pub(super) struct Mixture {
    own: Arc<dyn RecordSource>,
    supplement: Text,
    /// Probability that a training record is of the supplement.
    share: f64,
    tokenizer: Tokenizer,
}

impl Mixture {
    /// # Errors
    /// A sentence, if the supplement holds no records, the share is none, or the task's tokens are no characters.
    pub(super) fn new(
        own: Arc<dyn RecordSource>,
        config: &SupplementConfig,
        of_model: Option<&Tokenizer>,
    ) -> Result<Self, String> {
        let SupplementConfig { text, file, share } = config;
        if !(0.0..=1.0).contains(share) {
            return Err(format!("the share of the supplement is {share}; it is a number from 0 to 1"));
        }
        let own_tokens = own.tokenizer();
        // Pieces of text are those of the task or the model; characters are joined.
        let given = of_model.or(own_tokens.is_of_pieces().then_some(&own_tokens));
        let text = TextConfig { text: text.clone(), file: file.clone(), ..TextConfig::default() };
        let supplement = Text::new(&text, given).map_err(|why| format!("the supplement: {why}"))?;
        if supplement.records(Split::Train).is_empty() {
            return Err("the supplement holds no records; give JSON, an object a line".into());
        }
        let tokenizer = match given {
            Some(tokenizer) => tokenizer.clone(),
            None => join(&own_tokens, &supplement.tokenizer())?,
        };
        Ok(Self { own, supplement, share: *share, tokenizer })
    }
}

/// Tokenizer of the characters of both.
///
/// # Errors
/// If the task has other tokens than characters.
fn join(own: &Tokenizer, supplement: &Tokenizer) -> Result<Tokenizer, String> {
    if own.characters().count() < own.text_size() {
        return Err("the task has tokens of several characters, which no supplement is written with; take a task of \
                    characters"
            .into());
    }
    Ok(Tokenizer::new(&own.characters().chain(supplement.characters()).collect::<String>()))
}

impl RecordSource for Mixture {
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        match split == Split::Train && rng.random_bool(self.share) {
            true => self.supplement.draw(split, window, rng),
            false => self.own.draw(split, window, rng),
        }
    }

    /// Draws how many records are of the supplement, and then those of the task as it draws its batches.
    fn draw_batch(&self, split: Split, window: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<Record> {
        let is_train = split == Split::Train;
        let others = (0..count).filter(|_| is_train && rng.random_bool(self.share)).count();
        let mut records = self.own.draw_batch(split, window, count - others, rng);
        records.extend((0..others).map(|_| self.supplement.draw(split, window, rng)));
        records
    }

    fn longest(&self) -> usize {
        self.own.longest().max(self.supplement.longest())
    }

    /// None is known of the mixture: that of the task covers its own records.
    fn floor(&self) -> Option<Floor> {
        None
    }

    fn probability(&self, _prefix: &str, _symbol: &str) -> f64 {
        0.0
    }

    /// Characters of the task and of the supplement.
    fn tokenizer(&self) -> Tokenizer {
        self.tokenizer.clone()
    }
}
