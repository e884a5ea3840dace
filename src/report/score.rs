//! Counts of right answers, and calibration.

use serde::{Deserialize, Serialize};

/// Count of right answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    pub right: usize,
    pub of: usize,
}

impl Score {
    pub fn add(&mut self, is_right: bool) {
        self.right += usize::from(is_right);
        self.of += 1;
    }

    pub fn add_all(&mut self, other: &Self) {
        self.right += other.right;
        self.of += other.of;
    }

    /// Share of right answers, 0 to 1; `None` without answers.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.right as f64 / self.of as f64)
    }
}

/// Calibration of a model: confidence in its answers against their accuracy, in ten bins of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub bins: [Bin; 10],
    /// Sum of confidence in right answers, and in wrong ones.
    pub sure_of_right: f64,
    pub sure_of_wrong: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    pub score: Score,
    /// Sum of confidence over the bin.
    pub confidence: f64,
}

impl Calibration {
    /// Adds an answer. `confidence` is its probability, 0 to 1.
    pub fn add(&mut self, confidence: f64, is_right: bool) {
        let bin = &mut self.bins[((confidence * 10.0) as usize).min(9)];
        bin.score.add(is_right);
        bin.confidence += confidence;
        *(if is_right { &mut self.sure_of_right } else { &mut self.sure_of_wrong }) += confidence;
    }

    pub fn add_all(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.score.add_all(&other.score);
            bin.confidence += other.confidence;
        }
        self.sure_of_right += other.sure_of_right;
        self.sure_of_wrong += other.sure_of_wrong;
    }

    /// Score over all bins.
    pub fn score(&self) -> Score {
        let sum = |of: fn(&Score) -> usize| self.bins.iter().map(|bin| of(&bin.score)).sum();
        Score { right: sum(|score| score.right), of: sum(|score| score.of) }
    }

    /// Expected calibration error (Guo et al. 2017): the mean over answers of the distance between a bin's mean
    /// confidence and its accuracy. `None` without answers.
    pub fn error(&self) -> Option<f64> {
        let gaps = self.bins.iter().map(|bin| (bin.confidence - bin.score.right as f64).abs());
        let of = self.score().of;
        (of > 0).then(|| gaps.sum::<f64>() / of as f64)
    }

    /// Mean confidence in right answers, and in wrong ones.
    pub fn confidences(&self) -> (Option<f64>, Option<f64>) {
        let Score { right, of } = self.score();
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        (mean(self.sure_of_right, right), mean(self.sure_of_wrong, of - right))
    }
}
