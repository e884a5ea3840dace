//! Some tokens of a batch.

mod gpu;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::fused;
use super::fused::Fused;

/// Places of some tokens of a batch, counted row by row, in rising order.
#[derive(Clone, Debug)]
pub struct Places {
    places: Arc<[usize]>,
    on_gpu: Option<Box<OnGpu>>,
}

/// The places on a GPU.
#[derive(Clone, Debug)]
struct OnGpu {
    places: Tensor<2, Int>,  // [1, count]
    numbers: Tensor<2, Int>, // [1, batch * seq]: number of the place among the places; -1 if it is none
}

impl Places {
    /// Places among `tokens` tokens, for a device.
    pub fn new(places: Vec<usize>, tokens: usize, device: &Device) -> Self {
        let on_gpu = (!fused::is_cpu(device)).then(|| {
            let mut numbers = vec![-1i32; tokens];
            places.iter().enumerate().for_each(|(number, place)| numbers[*place] = number as i32);
            let ints = places.iter().map(|place| *place as i32).collect();
            let on_device = |ints: Vec<i32>| {
                let shape = [1, ints.len()];
                Tensor::from_data(TensorData::new(ints, shape), device)
            };
            Box::new(OnGpu { places: on_device(ints), numbers: on_device(numbers) })
        });
        Self { places: places.into(), on_gpu }
    }

    /// Rows of `x` at the places.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, width]`; the result: `[1, count, width]`
    pub fn of(&self, x: Tensor<3>) -> Tensor<3> {
        let x = [x.into_dispatch()];
        match &self.on_gpu {
            None => fused::apply(Select { places: self.places.clone() }, x),
            Some(on_gpu) => {
                let OnGpu { places, numbers } = (**on_gpu).clone();
                fused::apply(gpu::Select::new(places, numbers), x)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Select {
    places: Arc<[usize]>,
}

impl Fused<Flex, 1> for Select {
    type Saved = ();

    fn forward(&self, [x]: &[FlexTensor; 1]) -> (FlexTensor, ()) {
        let [_, _, width] = fused::dims(x);
        let row = |place: &usize| &fused::values(x)[place * width..][..width];
        let rows: Vec<f32> = self.places.iter().flat_map(row).copied().collect();
        (fused::tensor(rows, [1, self.places.len(), width]), ())
    }

    fn backward(
        &self,
        [x]: &[FlexTensor; 1],
        (): &(),
        by_rows: &FlexTensor,
    ) -> [Option<FlexTensor>; 1] {
        let shape @ [batch, seq, width] = fused::dims(x);
        let mut by_x = vec![0.0; batch * seq * width];
        for (place, row) in self.places.iter().zip(fused::values(by_rows).chunks_exact(width)) {
            by_x[place * width..][..width].copy_from_slice(row);
        }
        [Some(fused::tensor(by_x, shape))]
    }
}
