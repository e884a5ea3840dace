//! Matrices in double precision, and what is known of a product of two thin ones without
//! multiplying it out.

use nalgebra::linalg::{QR, SVD, Schur};

use super::error::{AnalysisError, MAX_D_HEAD};

pub type Matrix = nalgebra::DMatrix<f64>;

/// `left @ right`: `[rows, rank] @ [rank, columns]`, as TransformerLens' `FactoredMatrix`. A head's
/// circuits are such products: of `d_model × d_model` numbers, but of rank `d_head`.
#[derive(Clone, Debug)]
pub struct FactoredMatrix {
    pub left: Matrix,
    pub right: Matrix,
}

/// `u · diag(values) · vᵀ`, largest value first.
#[derive(Clone, Debug)]
pub struct SingularValues {
    /// `[rows, rank]`: a column a direction.
    pub u: Matrix,
    pub values: Vec<f64>,
    /// `[columns, rank]`: a column a direction.
    pub v: Matrix,
}

impl FactoredMatrix {
    pub fn new(left: Matrix, right: Matrix) -> Self {
        Self { left, right }
    }

    pub fn transpose(&self) -> Self {
        Self::new(self.right.transpose(), self.left.transpose())
    }

    /// By QR of both factors, so that only `rank × rank` numbers are decomposed.
    ///
    /// # Errors
    /// If numbers are not finite or the rank is above [`MAX_D_HEAD`].
    pub fn svd(&self, what: &str) -> Result<SingularValues, AnalysisError> {
        check(&self.left, what)?;
        check(&self.right, what)?;
        let (left_q, left_r) = QR::new(self.left.clone()).unpack();
        let (right_q, right_r) = QR::new(self.right.transpose()).unpack();
        let inner = svd(&(left_r * right_r.transpose()), what)?;
        Ok(SingularValues { u: left_q * inner.u, values: inner.values, v: right_q * inner.v })
    }
}

/// Most steps of an iterative decomposition of `[n, n]`. A few a row is usual.
fn most_steps(n: usize) -> usize {
    1000 + 100 * n
}

/// All eigenvalues of a square matrix, as `[real, imaginary]`.
///
/// # Errors
/// If numbers are not finite or the matrix is wider than [`MAX_D_HEAD`].
pub fn eigenvalues(matrix: &Matrix, what: &str) -> Result<Vec<[f64; 2]>, AnalysisError> {
    check(matrix, what)?;
    let n = matrix.nrows();
    // QR steps stand still at some matrices, orthogonal or nilpotent ones; `matrix + shift` has
    // the same eigenvalues, moved by `shift`, and is neither.
    let schur = [0.0, 0.37 * matrix.norm()].into_iter().find_map(|shift| {
        let moved = matrix + Matrix::identity(n, n) * shift;
        Some((shift, Schur::try_new(moved, f64::EPSILON, most_steps(n))?))
    });
    let (shift, schur) = schur.ok_or_else(|| AnalysisError::NotFinite { what: what.into() })?;
    Ok(schur.complex_eigenvalues().iter().map(|x| [x.re - shift, x.im]).collect())
}

/// # Errors
/// If numbers are not finite or the matrix is wider than [`MAX_D_HEAD`].
pub fn svd(matrix: &Matrix, what: &str) -> Result<SingularValues, AnalysisError> {
    check(matrix, what)?;
    let steps = most_steps(matrix.nrows().max(matrix.ncols()));
    let svd = SVD::try_new(matrix.clone(), true, true, 5.0 * f64::EPSILON, steps);
    let parts = svd.and_then(|svd| Some((svd.u?, svd.singular_values, svd.v_t?)));
    let (u, values, v_t) = parts.ok_or_else(|| AnalysisError::NotFinite { what: what.into() })?;
    Ok(SingularValues { u, values: values.iter().copied().collect(), v: v_t.transpose() })
}

/// Squares of larger numbers would leave what a double holds.
const LARGEST: f64 = 1e60;

fn check(matrix: &Matrix, what: &str) -> Result<(), AnalysisError> {
    check_width(matrix.nrows().min(matrix.ncols()))?;
    if matrix.iter().all(|x| x.abs() < LARGEST) {
        Ok(())
    } else {
        Err(AnalysisError::NotFinite { what: what.into() })
    }
}

/// # Errors
/// If heads of `d_head` numbers are too wide to decompose.
pub fn check_width(d_head: usize) -> Result<(), AnalysisError> {
    if d_head > MAX_D_HEAD { Err(AnalysisError::TooWide { d_head }) } else { Ok(()) }
}
