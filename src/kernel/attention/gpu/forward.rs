//! Attention of a query, a unit each.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::head::{
    BLOCK, Dropped, Head, add, copy, dot, dropped_factor, is_seen, load, window_start, zeros,
};

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn attend(
    qkv: &[f32],
    hidden: &[i32],
    z: &mut [f32],
    log_sums: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    window: usize,
    dropped: Dropped,
    #[comptime] head: Head,
    #[comptime] hides: bool,
    #[comptime] drops: bool,
) {
    let mut keys = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let mut values = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let tile = comptime![head.tile()];
    let d_model = n_heads * head.d_head;
    let width = 3 * d_model;
    let blocks = seq.div_ceil(BLOCK);
    let row = CUBE_POS / blocks / n_heads;
    let which = CUBE_POS / blocks % n_heads;
    if row < batch {
        let first = CUBE_POS % blocks * BLOCK;
        let query = first + UNIT_POS as usize;
        let is_query = query < seq;
        let own = row * seq * width + which * head.d_head;
        let q = copy(qkv, own + select(is_query, query, 0) * width, head);
        let mut sum_of_values = zeros(head);
        let mut largest = f32::new(-1e30);
        let mut sum = 0.0f32;
        let end = (first + BLOCK).min(seq);
        for start in range_stepped(window_start(first, window), end, tile) {
            let count = tile.min(end - start);
            let from = own + start * width;
            sync_cube();
            load(qkv, &mut keys, from + d_model, width, count, head);
            load(qkv, &mut values, from + 2 * d_model, width, count, head);
            sync_cube();
            for key in 0..count {
                let place = start + key;
                if place <= query
                    && query < place + window
                    && is_seen(hidden, row * seq + place, hides)
                {
                    let score = dot(&q, &keys, key * head.d_head, head) * comptime![head.scale()];
                    if score > largest {
                        let shrunk = (largest - score).exp();
                        sum *= shrunk;
                        for d in 0..head.d_head {
                            sum_of_values[d] *= shrunk;
                        }
                        largest = score;
                    }
                    let weight = (score - largest).exp();
                    sum += weight;
                    let of_batch = row + dropped.row;
                    let place = ((of_batch * n_heads + which) * seq + query) * seq + place;
                    let kept = weight * dropped_factor(place, &dropped, drops);
                    add(&mut sum_of_values, kept, &values, key * head.d_head, head);
                }
            }
        }
        if is_query {
            // All of a window may be hidden: its sums are 0, and so is its output.
            let sum = select(sum > 0.0, sum, 1.0f32.runtime());
            let at = (row * seq + query) * d_model + which * head.d_head;
            for d in 0..head.d_head {
                z[at + d] = sum_of_values[d] / sum;
            }
            log_sums[(row * n_heads + which) * seq + query] = largest + sum.ln();
        }
    }
}
