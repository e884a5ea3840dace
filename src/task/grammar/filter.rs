//! Knowledge after a text, character by character.

use rand_chacha::ChaCha8Rng;

use super::draw::{Drawn, draw};
use super::floor::{Floor, Part, goes_on};
use super::limits;
use super::machine::{Group, Machine, Particle, Stop};
use super::plan::Plan;
use super::refusal::Refusal;

/// Reads a text and knows which derivations may have written it.
struct Filter<'a> {
    machine: Machine<'a>,
    belief: Vec<(Particle, f64)>,
}

impl<'a> Filter<'a> {
    fn new(plan: &'a Plan, fuel: u64, limit: usize) -> Result<Self, Stop> {
        let mut machine = Machine::new(plan, fuel, limit);
        let first = machine.start(plan.root);
        let belief = machine.settle(&[(first, 1.0)])?;
        Ok(Self { machine, belief })
    }

    /// All that may come next.
    fn groups(&mut self) -> Result<Vec<Group>, Stop> {
        self.machine.groups(&self.belief, None)
    }

    /// Reads `c` and tells its probability if the record goes on; 0 if it cannot come, and then nothing changes.
    fn read(&mut self, c: char) -> Result<f64, Stop> {
        let groups = self.machine.groups(&self.belief, Some(c))?;
        let Some(group) = groups.iter().find(|group| group.letter.is_some()) else {
            return Ok(0.0);
        };
        self.belief = self.machine.settle(&group.after)?;
        Ok((group.probability / goes_on(&groups)).min(1.0))
    }

    /// Costs of a record: −ln of the probability of each character given those before it, by part.
    fn costs(&mut self, drawn: &Drawn) -> Result<Floor, Stop> {
        let mut out = Floor::default();
        for (at, (c, is_answer)) in drawn.text.chars().zip(&drawn.is_answer).enumerate() {
            let probability = self.read(c)?;
            if at >= drawn.given.max(1) {
                let part = if *is_answer { &mut out.answer } else { &mut out.rest };
                part.add(1.0, -probability.ln());
            }
        }
        Ok(out)
    }
}

/// Steps that may be taken with `limit` derivations.
fn fuel(limit: usize) -> u64 {
    (limit as u64).saturating_mul(limits::FUEL).saturating_add(limits::RECORD_FUEL)
}

fn character(group: &Group) -> Option<char> {
    group.letter.and_then(|letter| letter.known())
}

/// Characters that may follow `prefix`, with probabilities: see [`Grammar::next`](super::Grammar::next).
pub(super) fn next(plan: &Plan, prefix: &str, limit: usize) -> Option<Vec<(Option<char>, f64)>> {
    let mut filter = Filter::new(plan, fuel(limit), limit).ok()?;
    for c in prefix.chars() {
        if filter.read(c).ok()? == 0.0 {
            return Some(Vec::new());
        }
    }
    let groups = filter.groups().ok()?;
    Some(groups.iter().map(|group| (character(group), group.probability)).collect())
}

/// A mean over drawn records.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// Characters of a record.
    pub chars: f64,
    /// Cost of these characters, in nats.
    pub nats: f64,
    /// Standard error of `nats`; infinite for one record.
    pub error: f64,
}

/// A floor, estimated: as [`Floor`], with standard errors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    pub answer: Mean,
    pub rest: Mean,
    /// Answer and rest together.
    pub record: Mean,
    /// Records that it is the mean of.
    pub records: usize,
}

impl Estimate {
    /// The floor, without its errors.
    pub fn floor(&self) -> Floor {
        let [answer, rest] = [self.answer, self.rest]
            .map(|mean| Part { chars: mean.chars, nats: mean.nats });
        Floor { answer, rest }
    }
}

/// Estimates the floor from drawn records: see [`Grammar::estimate`](super::Grammar::estimate).
///
/// # Errors
/// A record that more derivations may have written than `limit`.
pub(super) fn estimate(
    plan: &Plan,
    most: usize,
    limit: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Estimate, Refusal> {
    let mut sums = [Sum::default(); 3];
    let (mut records, mut done, mut steps) = (most, 0, 0);
    while done < records {
        let drawn = draw(plan, rng);
        let costs = Filter::new(plan, fuel(limit), limit).and_then(|mut filter| {
            let floor = filter.costs(&drawn)?;
            steps += fuel(limit) - filter.machine.left();
            Ok(floor)
        });
        let floor = costs.map_err(|_| {
            Refusal::new(
                plan.line,
                format!(
                    "some records may be written in more ways than can be followed ({limit}); hide less, or choose \
                     fewer texts that may be the same"
                ),
            )
        })?;
        for (sum, part) in sums.iter_mut().zip([floor.answer, floor.rest, floor.record()]) {
            sum.add(part.chars, part.nats);
        }
        done += 1;
        if done == limits::FIRST_RECORDS {
            // How many there are hangs on none that is counted later, or long ones would be left out.
            let each = (steps / done as u64).max(1);
            records = most.min((limits::ESTIMATE_FUEL / each) as usize);
        }
    }
    let [answer, rest, record] = sums.map(Sum::mean);
    Ok(Estimate { answer, rest, record, records: done })
}

/// Running mean and squared deviations (Welford).
#[derive(Clone, Copy, Default)]
struct Sum {
    count: f64,
    chars: f64,
    mean: f64,
    squares: f64,
}

impl Sum {
    fn add(&mut self, chars: f64, nats: f64) {
        self.count += 1.0;
        self.chars += chars;
        let before = nats - self.mean;
        self.mean += before / self.count;
        self.squares += before * (nats - self.mean);
    }

    fn mean(self) -> Mean {
        let count = self.count.max(1.0);
        let error =
            if count > 1.0 { (self.squares / (count - 1.0) / count).sqrt() } else { f64::INFINITY };
        Mean { chars: self.chars / count, nats: self.mean, error }
    }
}
