//! The gradients by a query, or by a key and its value, a unit each.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::head::{
    BLOCK, Dropped, Head, add, copy, dot, dropped_factor, is_seen, load, window_start, zeros,
};

/// The first half of the groups compute gradients by queries, the other half those by keys and
/// values.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn attend(
    qkv: &[f32],
    hidden: &[i32],
    z: &[f32],
    log_sums: &[f32],
    dz: &[f32],
    gradient: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    window: usize,
    dropped: Dropped,
    #[comptime] head: Head,
    #[comptime] hides: bool,
    #[comptime] drops: bool,
) {
    let mut left = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let mut right = Shared::<[f32]>::new_slice(head.tile() * head.d_head);
    let mut of_query = Shared::<[f32]>::new_slice(2 * head.tile());
    let tile = comptime![head.tile()];
    let d_model = n_heads * head.d_head;
    let width = 3 * d_model;
    let scale = comptime![head.scale()];
    let blocks = seq.div_ceil(BLOCK);
    let half = batch * n_heads * blocks;
    let number = CUBE_POS % half;
    let row = number / blocks / n_heads;
    let which = number / blocks % n_heads;
    let first = number % blocks * BLOCK;
    let token = first + UNIT_POS as usize;
    let is_token = token < seq;
    let place = select(is_token, token, 0);
    let own = row * seq * width + which * head.d_head;
    let own_output = row * seq * d_model + which * head.d_head;
    let own_sums = (row * n_heads + which) * seq;
    let own_dropped = ((row + dropped.row) * n_heads + which) * seq;
    if CUBE_POS < half {
        let q = copy(qkv, own + place * width, head);
        let at = own_output + place * d_model;
        let by_output = copy(dz, at, head);
        let mut mean = 0.0f32;
        for d in 0..head.d_head {
            mean += by_output[d] * z[at + d];
        }
        let log_sum = log_sums[own_sums + place];
        let mut by_query = zeros(head);
        let end = (first + BLOCK).min(seq);
        for start in range_stepped(window_start(first, window), end, tile) {
            let count = tile.min(end - start);
            let from = own + start * width;
            sync_cube();
            load(qkv, &mut left, from + d_model, width, count, head);
            load(qkv, &mut right, from + 2 * d_model, width, count, head);
            sync_cube();
            for key in 0..count {
                let place = start + key;
                if place <= token
                    && token < place + window
                    && is_seen(hidden, row * seq + place, hides)
                {
                    let at = key * head.d_head;
                    let weight = (dot(&q, &left, at, head) * scale - log_sum).exp();
                    let place = (own_dropped + token) * seq + place;
                    let by_weight =
                        dot(&by_output, &right, at, head) * dropped_factor(place, &dropped, drops);
                    let by_score = weight * (by_weight - mean) * scale;
                    add(&mut by_query, by_score, &left, at, head);
                }
            }
        }
        if is_token {
            for d in 0..head.d_head {
                gradient[own + token * width + d] = by_query[d];
            }
        }
    } else if CUBE_POS < 2 * half {
        let k = copy(qkv, own + place * width + d_model, head);
        let v = copy(qkv, own + place * width + 2 * d_model, head);
        let mut by_key = zeros(head);
        let mut by_value = zeros(head);
        let end = (first + BLOCK + window).min(seq);
        for start in range_stepped(first, end, tile) {
            let count = tile.min(end - start);
            sync_cube();
            load(qkv, &mut left, own + start * width, width, count, head);
            load(dz, &mut right, own_output + start * d_model, d_model, count, head);
            if (UNIT_POS as usize) < count {
                let query = start + UNIT_POS as usize;
                let at = own_output + query * d_model;
                let mut mean = 0.0f32;
                for d in 0..head.d_head {
                    mean += dz[at + d] * z[at + d];
                }
                of_query[UNIT_POS as usize * 2] = mean;
                of_query[UNIT_POS as usize * 2 + 1] = log_sums[own_sums + query];
            }
            sync_cube();
            if is_token && is_seen(hidden, row * seq + place, hides) {
                for query in 0..count {
                    let asks = start + query;
                    if asks >= token && asks < token + window {
                        let at = query * head.d_head;
                        let score = dot(&k, &left, at, head) * scale;
                        let weight = (score - of_query[query * 2 + 1]).exp();
                        let place = (own_dropped + asks) * seq + token;
                        let kept = dropped_factor(place, &dropped, drops);
                        let by_weight = dot(&v, &right, at, head) * kept - of_query[query * 2];
                        add(&mut by_value, weight * kept, &right, at, head);
                        add(&mut by_key, weight * by_weight * scale, &left, at, head);
                    }
                }
            }
        }
        if is_token {
            for d in 0..head.d_head {
                gradient[own + token * width + d_model + d] = by_key[d];
                gradient[own + token * width + 2 * d_model + d] = by_value[d];
            }
        }
    }
}
