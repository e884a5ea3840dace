//! Newton–Schulz iteration, which makes a matrix nearly orthogonal by products alone.

use burn::tensor::Tensor;

use super::clip::sum;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

const STEPS: usize = 5;
/// Jordan's polynomial `a x + b x³ + c x⁵`. It is steepest at 0, where small singular values grow fastest, and in five
/// steps takes all that are not tiny to between 0.68 and 1.13, not to 1.
const A: f32 = 3.4445;
const B: f32 = -4.7750;
const C: f32 = 2.0315;
/// Guards the division by the norm of a matrix of zeros.
const EPSILON: f32 = 1e-7;

/// `U Vᵀ` of `matrix = U S Vᵀ`, but for singular values that are only near 1 (Jordan 2024,
/// <https://kellerjordan.github.io/posts/muon/>), in 32 bits. Zeros stay zeros.
///
/// # Shapes
/// `matrix` and the result: `[rows, columns]`
pub fn orthogonalize(matrix: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    match rows > columns {
        true => transpose(orthogonalize_wide(transpose(matrix))),
        false => orthogonalize_wide(matrix),
    }
}

/// The same of a matrix that has no more rows than columns, so that the products are small.
fn orthogonalize_wide(matrix: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    let flat = matrix.reshape([rows * columns]);
    let norm = sum(&flat.clone().square()).sqrt(); // at least the largest singular value
    let mut x = (flat / norm.add_scalar(EPSILON)).reshape([1, rows, columns]);
    for _ in 0..STEPS {
        let square = by_transposed(x.clone()); // x xᵀ
        let fourth = by_transposed(square.clone()); // of a symmetric matrix
        let factor = square.mul_scalar(B) + fourth.mul_scalar(C);
        let product = Linear { w: of_rows(x.clone()), b: None };
        x = product.add(factor, x.mul_scalar(A), Dropout::NONE);
    }
    x.reshape([rows, columns])
}

/// `x xᵀ`
///
/// # Shapes
/// `x`: `[1, rows, columns]`; the result: `[1, rows, rows]`
fn by_transposed(x: Tensor<3>) -> Tensor<3> {
    Linear::unembed(&of_rows(x.clone()), x)
}

fn of_rows(x: Tensor<3>) -> Param<2> {
    let [_, rows, columns] = x.dims();
    Param::matrix(&x.reshape([rows * columns]), 0, [rows, columns])
}

/// The transpose, with its numbers in that order.
fn transpose(matrix: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    matrix.transpose().reshape([rows * columns]).reshape([columns, rows])
}
