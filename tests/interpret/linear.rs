//! Decompositions against closed forms and invariants.

use confab::interp::analysis::{AnalysisError, FactoredMatrix, Matrix, eigenvalues};
use proptest::prelude::*;

use crate::model::assert_near;

fn sorted(mut values: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    values.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    values
}

#[test]
fn eigenvalues_of_a_rotation_are_complex() {
    let (sin, cos) = 0.7f64.sin_cos();
    let rotation = Matrix::from_row_slice(3, 3, &[cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 2.0]);
    let got = sorted(eigenvalues(&rotation, "a rotation").unwrap());
    for (got, wanted) in got.iter().zip([[cos, -sin], [cos, sin], [2.0, 0.0]]) {
        assert_near(got[0], wanted[0], 1e-9);
        assert_near(got[1], wanted[1], 1e-9);
    }
}

#[test]
fn eigenvalues_are_found_where_plain_qr_steps_stand_still() {
    for n in [1, 2, 3, 4, 8, 16] {
        // A cycle: the n-th roots of 1.
        let cycle =
            Matrix::from_fn(n, n, |row, column| if (row + 1) % n == column { 1.0 } else { 0.0 });
        for [re, im] in eigenvalues(&cycle, "a cycle").unwrap() {
            assert_near(re.hypot(im), 1.0, 1e-8);
            assert_near((im.atan2(re) * n as f64).cos(), 1.0, 1e-6);
        }
        let zero = eigenvalues(&Matrix::zeros(n, n), "zero").unwrap();
        assert_eq!(zero, vec![[0.0, 0.0]; n]);
    }
    // Nilpotent: all are 0, to the n-th root of rounding.
    let step = Matrix::from_fn(4, 4, |row, column| if row + 1 == column { 1.0 } else { 0.0 });
    assert!(eigenvalues(&step, "a step").unwrap().iter().all(|[re, im]| re.hypot(*im) < 1e-3));
}

#[test]
fn what_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        let matrix = Matrix::from_element(3, 3, bad);
        let refused = eigenvalues(&matrix, "the OV circuit of L0H1").unwrap_err();
        assert!(refused.to_string().contains("the OV circuit of L0H1"), "{refused}");
        assert!(FactoredMatrix::new(matrix.clone(), matrix).svd("it").is_err());
    }
    let wide = Matrix::zeros(513, 513);
    assert_eq!(eigenvalues(&wide, "it").unwrap_err(), AnalysisError::TooWide { d_head: 513 });
}

fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Matrix> {
    prop::collection::vec(-1.0..1.0, rows * columns)
        .prop_map(move |values| Matrix::from_vec(rows, columns, values))
}

proptest! {
    #[test]
    fn eigenvalues_have_the_trace_of_the_matrix_and_of_its_square(
        matrix in (1..9usize).prop_flat_map(|n| matrix(n, n))
    ) {
        let got = eigenvalues(&matrix, "it").unwrap();
        prop_assert_eq!(got.len(), matrix.nrows());
        let sum = |f: fn(&[f64; 2]) -> f64| got.iter().map(f).sum::<f64>();
        prop_assert!((sum(|x| x[0]) - matrix.trace()).abs() < 1e-8);
        prop_assert!(sum(|x| x[1]).abs() < 1e-8);
        let square = (&matrix * &matrix).trace();
        prop_assert!((sum(|x| x[0] * x[0] - x[1] * x[1]) - square).abs() < 1e-7);
    }

    #[test]
    fn singular_values_and_directions_make_up_the_product(
        (left, right) in (1..10usize, 1..10usize, 1..5usize)
            .prop_flat_map(|(rows, columns, rank)| (matrix(rows, rank), matrix(rank, columns)))
    ) {
        let product = &left * &right;
        let svd = FactoredMatrix::new(left, right).svd("it").unwrap();
        prop_assert!(svd.values.is_sorted_by(|a, b| a >= b), "{:?}", svd.values);
        let values = Matrix::from_diagonal(&svd.values.clone().into());
        let back = &svd.u * values * svd.v.transpose();
        prop_assert!((back - product).norm() < 1e-9);
        let rank = svd.values.len();
        prop_assert!((svd.u.tr_mul(&svd.u) - Matrix::identity(rank, rank)).norm() < 1e-9);
        prop_assert!((svd.v.tr_mul(&svd.v) - Matrix::identity(rank, rank)).norm() < 1e-9);
    }
}
