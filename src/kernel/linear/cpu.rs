//! Linear layers on the CPU: Burn's matrix product, of the CPU alone.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;

use crate::kernel::fused::{Fused, dims};

/// `x W` of every token.
#[derive(Clone, Debug)]
pub struct Product;

fn reshape<const D: usize>(tensor: &FlexTensor, shape: [usize; D]) -> FlexTensor {
    Flex::float_reshape(tensor.clone(), Shape::from(shape))
}

fn transpose(tensor: &FlexTensor) -> FlexTensor {
    Flex::float_swap_dims(tensor.clone(), 0, 1)
}

impl Fused<Flex, 2> for Product {
    type Saved = ();

    fn forward(&self, [x, w]: &[FlexTensor; 2]) -> (FlexTensor, ()) {
        let ([batch, seq, rows], [_, columns]) = (dims(x), dims(w));
        let y = Flex::float_matmul(reshape(x, [batch * seq, rows]), w.clone());
        (reshape(&y, [batch, seq, columns]), ())
    }

    fn backward(
        &self,
        [x, w]: &[FlexTensor; 2],
        (): &(),
        dy: &FlexTensor,
    ) -> [Option<FlexTensor>; 2] {
        let ([batch, seq, rows], [_, columns]) = (dims(x), dims(w));
        let dy = reshape(dy, [batch * seq, columns]);
        let dx = Flex::float_matmul(dy.clone(), transpose(w));
        let dw = Flex::float_matmul(transpose(&reshape(x, [batch * seq, rows])), dy);
        [Some(reshape(&dx, [batch, seq, rows])), Some(dw)]
    }
}
