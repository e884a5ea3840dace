//! Patterns of attention, for a reader to look at.

/// Weight that each query of one row gives each key up to its own: `[head, query, key]`, whose rows
/// sum to 1.
///
/// # Shapes
/// `qkv`: `[seq, 3 * d_model]`
pub fn pattern(qkv: &[f32], d_model: usize, n_heads: usize) -> Vec<f32> {
    let (width, d_head) = (3 * d_model, d_model / n_heads);
    let seq = qkv.len() / width;
    let scale = (d_head as f32).sqrt().recip();
    let mut pattern = vec![0.0; n_heads * seq * seq];
    for (row, weights) in pattern.chunks_mut(seq).enumerate() {
        let (head, query) = (row / seq, row % seq);
        let weights = &mut weights[..=query];
        let own = |token: usize, part: usize| {
            &qkv[token * width + part * d_model + head * d_head..][..d_head]
        };
        for (key, weight) in weights.iter_mut().enumerate() {
            let products = own(query, 0).iter().zip(own(key, 1)).map(|(q, k)| q * k);
            *weight = products.sum::<f32>() * scale;
        }
        let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        weights.iter_mut().for_each(|weight| *weight = (*weight - largest).exp());
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    pattern
}
