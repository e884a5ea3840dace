//! Linear layers on the CPU.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use crate::base::matrix::Matrix;
use crate::kernel::fused;
use crate::kernel::fused::{Fused, dims};

/// `x W` of every token.
#[derive(Clone, Debug)]
pub struct Product;

impl Fused<Flex, 2> for Product {
    type Saved = ();

    fn forward(&self, [x, w]: &[FlexTensor; 2]) -> (FlexTensor, ()) {
        let ([batch, seq, _], [_, columns]) = (dims(x), dims(w));
        let y = rows(x).product(rows(w));
        (fused::tensor(y, [batch, seq, columns]), ())
    }

    fn backward(
        &self,
        [x, w]: &[FlexTensor; 2],
        (): &(),
        dy: &FlexTensor,
    ) -> [Option<FlexTensor>; 2] {
        let dx = rows(dy).product(rows(w).transposed());
        let dw = rows(x).transposed().product(rows(dy));
        [Some(fused::tensor(dx, dims::<3>(x))), Some(fused::tensor(dw, dims::<2>(w)))]
    }
}

/// Every row of a contiguous tensor.
fn rows(tensor: &FlexTensor) -> Matrix<'_> {
    let shape = tensor.layout().shape();
    Matrix::new(fused::values(tensor), shape[shape.num_dims() - 1])
}
