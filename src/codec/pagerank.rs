//! The stationary distribution of a chain, as PageRank finds it (Brin and Page 1998, "The Anatomy of a Large-Scale
//! Hypertextual Web Search Engine").

/// Share of steps that follow the chain. The others go to any state evenly.
pub const DAMPING: f64 = 0.85;
/// Change of a distribution in a step, as a sum of differences, below which it counts as stationary.
const TOLERANCE: f64 = 1e-15;
/// Most multiplications. A difference shrinks by [`DAMPING`] in each, so as many make it 10⁻²¹.
const MAX_STEPS: usize = 300;

/// Share of time that a random walk spends in each state. `counts` `[from, to]` are not negative. After a state that
/// was never followed, the walk goes to any state evenly.
pub fn stationary(counts: &[f64], states: usize) -> Vec<f64> {
    let even = 1.0 / states as f64;
    let sums: Vec<f64> = counts.chunks_exact(states).map(|row| row.iter().sum()).collect();
    let mut rank = vec![even; states];
    for _ in 0..MAX_STEPS {
        let mut next = vec![0.0; states];
        let mut anywhere = 1.0 - DAMPING;
        for ((row, sum), rank) in counts.chunks_exact(states).zip(&sums).zip(&rank) {
            if *sum == 0.0 {
                anywhere += DAMPING * rank;
                continue;
            }
            for (next, count) in next.iter_mut().zip(row) {
                *next += DAMPING * rank * (count / sum);
            }
        }
        next.iter_mut().for_each(|share| *share += anywhere * even);
        let change: f64 = next.iter().zip(&rank).map(|(next, rank)| (next - rank).abs()).sum();
        rank = next;
        if change < TOLERANCE {
            break;
        }
    }
    let sum: f64 = rank.iter().sum();
    rank.into_iter().map(|share| share / sum).collect()
}
