//! The distance between keys, digit by digit.
//!
//! `D(a, b) = Σᵢ fⁱ⁻¹ · [aᵢ ≠ bᵢ] · (1 − s · (1 − |aᵢ − bᵢ| / 9))`, over the digits of a number from the left and over the
//! numbers of a key. `f` is the falloff, `s` the closeness. It is a metric: a digit's cost grows with the difference, and is
//! at most the sum of the costs of two steps between. It does not wrap: 0 and 9 are far apart, and so are 0.4999 and 0.5.
//!
//! Costs are whole multiples of 2⁻⁴⁸. So sums are exact in any order, and every way to compute a distance gives the
//! same.

use super::number::{PLACES, digit};
use crate::config::{CodecConfig, KeyDistance};

/// One, as a [`Cost`].
const ONE: f64 = (1_u64 << 48) as f64;
/// Shift that turns a difference of numbers into a [`Cost`], 7% below the exact one: 2¹⁸ is less than 2⁴⁸ / 10⁹.
const PLAIN_SHIFT: u32 = 18;

/// A distance in units of 2⁻⁴⁸.
pub type Cost = u64;

/// The largest [`Cost`] that is not more than `distance`.
pub fn cost(distance: f64) -> Cost {
    (distance * ONE) as Cost
}

/// A [`Cost`] as a number.
pub fn distance(cost: Cost) -> f64 {
    cost as f64 / ONE
}

/// Distance between keys, as the settings choose it.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// Costs of two digits: `[place, difference]`.
    Digits(Box<[[Cost; 10]; PLACES]>),
    /// |Δ|.
    Plain,
}

impl Metric {
    pub fn new(config: &CodecConfig) -> Self {
        if config.distance == KeyDistance::Plain {
            return Self::Plain;
        }
        let mut weight = 1.0;
        Self::Digits(Box::new(std::array::from_fn(|_| {
            let costs = std::array::from_fn(|apart| match apart {
                0 => 0,
                _ => cost(weight * (1.0 - config.closeness * (1.0 - apart as f64 / 9.0))),
            });
            weight *= config.falloff;
            costs
        })))
    }

    /// Distance of two numbers.
    pub fn of_numbers(&self, a: u32, b: u32) -> Cost {
        match self {
            Self::Plain => Cost::from(a.abs_diff(b)) << PLAIN_SHIFT,
            Self::Digits(costs) => {
                let at = |place| costs[place][digit(a, place).abs_diff(digit(b, place))];
                (0..PLACES).map(at).sum()
            }
        }
    }

    /// Part of the distance of two numbers that a decimal place adds, from 0 at the left. The first place adds all of a
    /// plain difference.
    pub fn at_place(&self, a: u32, b: u32, place: usize) -> f64 {
        match self {
            Self::Digits(costs) => {
                distance(costs[place][digit(a, place).abs_diff(digit(b, place))])
            }
            Self::Plain if place == 0 => distance(self.of_numbers(a, b)),
            Self::Plain => 0.0,
        }
    }

    /// Distance of two keys.
    pub fn of_keys(&self, a: &[u32], b: &[u32]) -> Cost {
        a.iter().zip(b).map(|(a, b)| self.of_numbers(*a, *b)).sum()
    }

    /// Prepares `key` for comparisons with many others.
    pub fn prepare(&self, key: &[u32]) -> Prepared {
        Prepared(key.iter().map(|number| self.prepare_number(*number)).collect())
    }

    fn prepare_number(&self, number: u32) -> PreparedNumber {
        let Self::Digits(costs) = self else { return PreparedNumber::Plain(number) };
        let mut groups = Box::new([[0; GROUP]; PLACES / 3]);
        for (group, table) in groups.iter_mut().enumerate() {
            let [first, second, third] = std::array::from_fn(|place| {
                let place = 3 * group + place;
                let own = digit(number, place);
                std::array::from_fn::<Cost, 10, _>(|other| costs[place][own.abs_diff(other)])
            });
            for (of_two, ten) in table.chunks_exact_mut(10).enumerate() {
                let two = first[of_two / 10] + second[of_two % 10];
                for (sum, third) in ten.iter_mut().zip(&third) {
                    *sum = two + third;
                }
            }
        }
        PreparedNumber::Digits(groups)
    }
}

/// Values of three digits.
const GROUP: usize = 1000;

/// A key with the costs of all digits that another may have.
pub struct Prepared(Vec<PreparedNumber>);

enum PreparedNumber {
    /// Costs of three digits at a time, from the left.
    Digits(Box<[[Cost; GROUP]; PLACES / 3]>),
    Plain(u32),
}

impl Prepared {
    /// Distance to `key`.
    pub fn to(&self, key: &[u32]) -> Cost {
        self.0.iter().zip(key).map(|(of, number)| of.to(*number)).sum()
    }

    /// Place and distance of the nearest of `keys`, which lie one after the other: the first of those that are equally
    /// near. `None` if there are none.
    pub fn nearest(&self, keys: &[u32]) -> Option<(usize, Cost)> {
        let keys = keys.chunks_exact(self.0.len()).map(|key| self.to(key));
        keys.enumerate().min_by_key(|(_, cost)| *cost)
    }
}

impl PreparedNumber {
    fn to(&self, number: u32) -> Cost {
        match self {
            Self::Plain(own) => Cost::from(own.abs_diff(number)) << PLAIN_SHIFT,
            Self::Digits(groups) => {
                let [high, middle, low] = &**groups;
                let (above, number) = (number as usize / GROUP, number as usize);
                high[above / GROUP] + middle[above % GROUP] + low[number % GROUP]
            }
        }
    }
}
