//! The kernels of linear layers.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::then::Then;
use super::tile::Tile;
use super::weights::Weights;
use super::{slim, tile};
use crate::kernel::gpu::UNITS;

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn forward(
    x: &[f32],
    parameters: &[f32],
    to: &[f32],
    y: &mut [f32],
    slopes: &mut [f32],
    tokens: usize,
    weights: Weights,
    #[comptime] tile: Option<Tile>,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    match tile {
        None => slim::product(x, parameters, to, y, slopes, tokens, &weights, then, has_bias),
        Some(tile) => {
            tile::product(x, parameters, to, y, slopes, tokens, &weights, tile, then, has_bias);
        }
    }
}

/// The `first` groups compute `dx`, the others the gradient by the weights.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn backward(
    x: &[f32],
    parameters: &[f32],
    slopes: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    by_parameters: &mut [f32],
    tokens: usize,
    first: usize,
    weights: Weights,
    #[comptime] tiles: Option<[Tile; 2]>,
    #[comptime] is_gelu: bool,
    #[comptime] has_bias: bool,
) {
    let number = CUBE_POS - first;
    match tiles {
        None => {
            if CUBE_POS < first {
                slim::by_tokens(parameters, slopes, dy, dx, tokens, &weights, is_gelu);
            } else {
                let mut shared = Shared::<[f32]>::new_slice(UNITS);
                slim::by_weights(
                    &mut shared,
                    x,
                    slopes,
                    dy,
                    by_parameters,
                    tokens,
                    number,
                    &weights,
                    is_gelu,
                    has_bias,
                );
            }
        }
        Some([of_tokens, of_weights]) => {
            let strip = comptime![of_tokens.strip().max(of_weights.strip())];
            let mut left = Shared::<[f32]>::new_slice(strip);
            let mut right = Shared::<[f32]>::new_slice(strip);
            if CUBE_POS < first {
                tile::by_tokens(
                    &mut left, &mut right, parameters, slopes, dy, dx, tokens, &weights, of_tokens,
                    is_gelu,
                );
            } else {
                tile::by_weights(
                    &mut left,
                    &mut right,
                    x,
                    slopes,
                    dy,
                    by_parameters,
                    tokens,
                    number,
                    &weights,
                    of_weights,
                    is_gelu,
                    has_bias,
                );
            }
        }
    }
}
