//! Outputs: a group of units follows a head, a unit for each of its numbers.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// A unit keeps a row and a column of the root, and a column of the weights.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
pub fn forward(
    qkv: &[f32],
    gamma: &[f32],
    log_ridge: &[f32],
    hidden: &[i32],
    before: &[f32],
    all: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    saved: usize,
    after: usize,
    #[comptime] d_head: usize,
    #[comptime] hides: bool,
    #[comptime] follows: bool,
    #[comptime] keeps: bool,
) {
    let mut queries = Shared::<[f32]>::new_slice(d_head);
    let mut keys = Shared::<[f32]>::new_slice(d_head);
    let mut of_key = Shared::<[f32]>::new_slice(d_head); // Rᵀ k
    let mut of_query = Shared::<[f32]>::new_slice(d_head); // Rᵀ q
    let mut gains = Shared::<[f32]>::new_slice(d_head);
    let row = CUBE_POS / n_heads;
    let which = CUBE_POS % n_heads;
    let own = UNIT_POS as usize;
    let width = n_heads * d_head;
    if row < batch {
        let mut root_row = Array::<f32>::new(d_head);
        let mut root_column = Array::<f32>::new(d_head);
        let mut weights = Array::<f32>::new(d_head);
        let begin = 1.0 / log_ridge[which].exp().sqrt();
        let roots = which * 2 * d_head * d_head;
        let columns = roots + d_head * d_head + own;
        for d in 0..d_head {
            root_row[d] = select(d == own, begin, 0.0);
            root_column[d] = select(d == own, begin, 0.0);
            weights[d] = 0.0;
            if comptime![follows] {
                root_row[d] = before[roots + own * d_head + d];
                root_column[d] = before[roots + d * d_head + own];
                weights[d] = before[columns + d * d_head];
            }
        }
        for token in 0..seq {
            let place = row * seq + token;
            let at = place * 3 * width + which * d_head + own;
            let mut key = qkv[at + width];
            let mut decay = gamma[place * n_heads + which];
            if comptime![hides] {
                if hidden[place] != 0 {
                    key = 0.0;
                    decay = 1.0;
                }
            }
            sync_cube();
            queries[own] = qkv[at];
            keys[own] = key;
            sync_cube();
            let mut rooted = 0.0f32;
            let mut lacked = qkv[at + 2 * width];
            for d in 0..d_head {
                rooted += root_column[d] * keys[d];
                lacked -= weights[d] * keys[d];
            }
            of_key[own] = rooted;
            sync_cube();
            let mut spread = decay;
            let mut gain = 0.0f32;
            for d in 0..d_head {
                spread += of_key[d] * of_key[d];
                gain += root_row[d] * of_key[d];
            }
            gain /= spread;
            gains[own] = gain;
            sync_cube();
            let shrink = 1.0 / (1.0 + (decay / spread).sqrt());
            let scale = 1.0 / decay.sqrt();
            let taken = shrink * gain;
            let mut z = 0.0f32;
            let mut asked = 0.0f32;
            for d in 0..d_head {
                root_row[d] = (root_row[d] - taken * of_key[d]) * scale;
                root_column[d] = (root_column[d] - shrink * gains[d] * rooted) * scale;
                weights[d] += gains[d] * lacked;
                z += weights[d] * queries[d];
                asked += root_column[d] * queries[d];
            }
            of_query[own] = asked;
            sync_cube();
            let mut solved = 0.0f32;
            for d in 0..d_head {
                solved += root_row[d] * of_query[d];
            }
            let column = which * d_head + own;
            let kept = saved + place * 3 * width + column;
            all[place * width + column] = z;
            all[kept] = gain;
            all[kept + width] = lacked;
            all[kept + 2 * width] = solved;
        }
        if comptime![keeps] {
            for d in 0..d_head {
                all[after + roots + own * d_head + d] = root_row[d];
                all[after + columns + d * d_head] = weights[d];
            }
        }
    }
}
