//! Contexts of a token: windows of its neighbours' keys, each as a mean and a variance.

use super::keys::Keys;
use super::number::{fraction, of_fraction};

/// Neighbours to each side in the windows of a codec, the shortest first.
const SIDES: [usize; 12] = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64];

/// Neighbours to each side in every window, up to `longest`.
pub fn sides(longest: usize) -> Vec<usize> {
    let shorter = SIDES.into_iter().filter(|sides| *sides < longest);
    shorter.chain([longest]).collect()
}

/// Windows around tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// Neighbours to each side, the fewest first.
    pub sides: Vec<usize>,
    /// Weight of a neighbour as a share of that of the next nearer one.
    pub decay: f64,
}

impl Windows {
    /// The windows around `tokens[at]`, the shortest first: of each the weighted means of its numbers, then their variances.
    /// Beyond the ends of `tokens` stands `edge`. The token itself weighs 1, the one before it `decay`, the one after it
    /// `decay²`, the one before that `decay³` and so on, so that the order matters. A window that holds all tokens, and an
    /// edge to both sides, is the last: a longer one would tell no more.
    pub fn around(&self, keys: &Keys, tokens: &[u32], at: usize, edge: u32) -> Vec<Vec<u32>> {
        let key = |place: Option<usize>| {
            keys.of(place.and_then(|p| tokens.get(p)).copied().unwrap_or(edge))
        };
        let mut sums = Sums::new(keys.width(), self.decay);
        sums.add(key(Some(at)));
        let (mut read, mut windows) = (0, Vec::new());
        // Neighbours to each side that reach the edges.
        let whole = (at + 1).max(tokens.len() - at);
        for sides in &self.sides {
            while read < *sides {
                read += 1;
                sums.add(key(at.checked_sub(read)));
                sums.add(key(Some(at + read)));
            }
            windows.push(sums.point());
            if *sides >= whole {
                break;
            }
        }
        windows
    }
}

/// Weighted sums of keys.
pub struct Sums {
    decay: f64,
    /// Weight of the next key.
    next: f64,
    weight: f64,
    /// Weighted sum, and sum of squares, of each number of the keys.
    sums: Vec<[f64; 2]>,
}

impl Sums {
    pub fn new(width: usize, decay: f64) -> Self {
        Self { decay, next: 1.0, weight: 0.0, sums: vec![[0.0; 2]; width] }
    }

    /// Adds a key, or a noise. Each weighs `decay` times what the one before it does.
    pub fn add(&mut self, key: &[u32]) {
        for ([sum, squares], number) in self.sums.iter_mut().zip(key) {
            let number = fraction(*number);
            *sum += self.next * number;
            *squares += self.next * number * number;
        }
        self.weight += self.next;
        self.next *= self.decay;
    }

    /// Means, and then variances as shares of the largest that numbers from 0 to 1 can have.
    pub fn point(&self) -> Vec<u32> {
        let mean = |sum: f64| sum / self.weight;
        let means = self.sums.iter().map(|[sum, _]| of_fraction(mean(*sum)));
        let variance = |[sum, squares]: &[f64; 2]| {
            let variance = mean(*squares) - mean(*sum) * mean(*sum);
            of_fraction((variance / MAX_VARIANCE).clamp(0.0, BELOW_ONE))
        };
        means.chain(self.sums.iter().map(variance)).collect()
    }
}

/// Largest variance of numbers from 0 to 1.
const MAX_VARIANCE: f64 = 0.25;
const BELOW_ONE: f64 = 1.0 - f64::EPSILON;
