//! Noise of several colours. A colour tells the power of successive draws at each frequency f.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::number::{draw, of_fraction, unit};
use crate::config::{CodecConfig, NoiseKind};

/// Standard deviation of noise that is not uniform, on a circle of length 1.
const SPREAD: f64 = 0.25;
/// Octaves of pink noise. Below the slowest, its spectrum is flat.
const OCTAVES: usize = 16;
/// Share of itself that each of both sums of black noise keeps from draw to draw.
const KEPT: f64 = 0.99;

/// A source of noise with as many numbers as a key.
#[derive(Clone, Debug)]
pub struct Noise {
    digits: usize,
    sources: Vec<Source>,
}

impl Noise {
    pub fn new(config: &CodecConfig, rng: &mut ChaCha8Rng) -> Self {
        let sources = (0..config.numbers).map(|_| Source::new(config.noise, rng)).collect();
        Self { digits: config.digits, sources }
    }

    /// Puts the next draw in `noise`.
    pub fn draw(&mut self, noise: &mut [u32], rng: &mut ChaCha8Rng) {
        let last = unit(self.digits - 1);
        for (number, source) in noise.iter_mut().zip(&mut self.sources) {
            *number = match source.next(rng) {
                None => draw(self.digits, rng),
                Some(value) => of_fraction(SPREAD * value) / last * last,
            };
        }
    }
}

/// Source of one number of each noise: a sequence of variance 1, unless it is uniform.
#[derive(Clone, Debug)]
enum Source {
    Uniform,
    White,
    Pink(Pink),
    /// Differences between successive numbers of pink noise, the last of which is kept.
    Blue(Pink, f64),
    /// A leaky sum of a leaky sum of white noise: 1/f⁴.
    Black([f64; 2]),
}

impl Source {
    fn new(kind: NoiseKind, rng: &mut ChaCha8Rng) -> Self {
        match kind {
            NoiseKind::Uniform => Self::Uniform,
            NoiseKind::Gaussian => Self::White,
            NoiseKind::Pink => Self::Pink(Pink::new(rng)),
            NoiseKind::Blue => {
                let mut pink = Pink::new(rng);
                let last = pink.next(rng);
                Self::Blue(pink, last)
            }
            NoiseKind::Black => {
                let mut black = Self::Black([0.0; 2]);
                // As long as it takes to forget that it began at 0.
                for _ in 0..(5.0 / (1.0 - KEPT)) as usize {
                    black.next(rng);
                }
                black
            }
        }
    }

    /// The next number; `None` for uniform noise, where any is as likely.
    fn next(&mut self, rng: &mut ChaCha8Rng) -> Option<f64> {
        match self {
            Self::Uniform => None,
            Self::White => Some(normal(rng)),
            Self::Pink(pink) => Some(pink.next(rng)),
            Self::Blue(pink, last) => {
                let next = pink.next(rng);
                let change = next - std::mem::replace(last, next);
                // One octave changes a draw: by the difference of two normal numbers.
                Some(change * (OCTAVES as f64 / 2.0).sqrt())
            }
            Self::Black([first, second]) => {
                *first = KEPT * *first + normal(rng);
                *second = KEPT * *second + *first;
                // The variance of an autoregression with twice the same root.
                let squared = KEPT * KEPT;
                Some(*second / ((1.0 + squared) / (1.0 - squared).powi(3)).sqrt())
            }
        }
    }
}

/// Pink noise as a mean of octaves, each of which changes half as often as the one before (Voss and Clarke 1978,
/// "1/f noise in music", in McCartney's order).
#[derive(Clone, Debug)]
struct Pink {
    octaves: [f64; OCTAVES],
    drawn: u32,
}

impl Pink {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let drawn = rng.next_u32();
        Self { octaves: std::array::from_fn(|_| normal(rng)), drawn }
    }

    fn next(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        self.drawn = self.drawn.wrapping_add(1);
        let slowest = OCTAVES - 1;
        let octave = (self.drawn.trailing_zeros() as usize).min(slowest);
        self.octaves[octave] = normal(rng);
        self.octaves.iter().sum::<f64>() / (OCTAVES as f64).sqrt()
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}
