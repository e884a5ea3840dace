//! Softmax of a few numbers.

/// `softmax(scale x)`, in place; `scale` is not negative.
pub fn softmax(x: &mut [f32], scale: f32) {
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    x.iter_mut().for_each(|x| *x = (scale * (*x - largest)).exp());
    let total = x.iter().sum::<f32>();
    x.iter_mut().for_each(|x| *x /= total);
}
