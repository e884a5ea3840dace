//! Product of tokens with matrices of a model's flat vector: where they lie, and how it is computed.

use std::sync::Arc;

use super::half;
use super::half::Half;
use super::weights::WeightsLaunch;
use crate::kernel::linear::layer::Linear;
use crate::kernel::param::{FlatParameters, Param, ParamSlice};

/// Matrices side by side that multiply the same tokens.
#[derive(Clone, Debug)]
pub struct Product {
    pub(super) parameters: Arc<FlatParameters>,
    pub(super) rows: usize,
    /// Columns of one matrix.
    pub(super) columns: usize,
    matrices: usize,
    pub(super) start: usize,
    /// Distance from one matrix's first value to the next one's.
    apart: usize,
    is_transposed: bool,
    /// Place of the first bias; the others follow as their matrices do.
    pub(super) b_start: Option<usize>,
    half: Option<Half>,
}

impl Product {
    /// The product of linear layers on a GPU; `None` if they are elsewhere.
    pub fn of(linears: &[&Linear]) -> Option<Self> {
        let slice = |linear: &Linear| match &linear.w {
            Param::Slice(slice) => Some(slice.clone()),
            Param::Own(_) => None,
        };
        let slices = linears.iter().map(|linear| slice(linear)).collect::<Option<Vec<_>>>()?;
        let ParamSlice { parameters, start, shape: [rows, columns] } = slices.first()?.clone();
        let apart = slices.get(1).map_or(0, |second| second.start - start);
        let is_even =
            |(index, slice): (usize, &ParamSlice<2>)| slice.start == start + index * apart;
        assert!(slices.iter().enumerate().all(is_even), "matrices at equal distances");
        let b_start = match &linears[0].b {
            Some(Param::Slice(b)) => Some(b.start),
            _ => None,
        };
        let (matrices, half) = (slices.len(), parameters.half);
        Some(Self {
            parameters,
            rows,
            columns,
            matrices,
            start,
            apart,
            is_transposed: false,
            b_start,
            half,
        })
    }

    /// The product in half precision if it is large, whatever the GPU.
    pub fn in_half(self, half: Half) -> Self {
        Self { half: Some(half), ..self }
    }

    /// The product by the transpose of a matrix `[columns, rows]`.
    pub fn transposed(slice: &ParamSlice<2>) -> Self {
        let ParamSlice { parameters, start, shape: [columns, rows] } = slice.clone();
        let half = parameters.half;
        Self {
            parameters,
            rows,
            columns,
            matrices: 1,
            start,
            apart: 0,
            is_transposed: true,
            b_start: None,
            half,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.columns * self.matrices
    }

    /// `true` for sums of so few terms, or of so few tokens, that sharing their terms is not worth
    /// while.
    pub(super) fn is_slim(&self, tokens: usize) -> bool {
        const MANY_TERMS: usize = 128;
        const MANY_TOKENS: usize = 8;
        self.rows.max(self.width()) <= MANY_TERMS || tokens <= MANY_TOKENS
    }

    /// Half precision, if the product is computed in it.
    pub(super) fn half(&self, tokens: usize) -> Option<Half> {
        let is_large = [self.rows, self.width(), tokens].into_iter().min() >= Some(half::LARGE);
        self.half.filter(|_| is_large)
    }

    pub(super) fn weights(&self) -> WeightsLaunch {
        let (by_row, by_column) =
            if self.is_transposed { (1, self.rows) } else { (self.columns, 1) };
        WeightsLaunch::new(
            self.start,
            self.apart,
            self.b_start.unwrap_or(0),
            by_row,
            by_column,
            self.rows,
            self.columns,
            self.width(),
        )
    }
}
