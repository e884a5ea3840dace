//! A copy of a store on a GPU.

use std::sync::Arc;

use burn::backend::Cube;
use burn::tensor::Device;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::config::Distance;
use crate::kernel::fused::primitive;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, groups};
use crate::kernel::transfer::to_device;
use crate::memory::{Exact, Shape, Stamps, Store};

/// The slots of a store in the state of `stamps`.
#[derive(Debug)]
pub struct Mirror {
    /// Key and value of every slot side by side, room for more, and behind all the number of slots:
    /// `[capacity * width + 1]`.
    pub rows: GpuTensor,
    shape: Shape,
    ids: Vec<u64>,
    stamps: Stamps,
    capacity: usize,
    /// Slots sent so far.
    pub sent: usize,
}

impl Mirror {
    /// A copy of `store`, made of an older one if that has room and nobody reads it.
    pub fn of(store: &Exact, device: &Device, old: Option<Arc<Self>>) -> Arc<Self> {
        let Some(mut old) = old else { return Arc::new(Self::whole(store, device, 0)) };
        let (len, sent) = (store.ids().len(), old.sent);
        let changed = store.changed_since(&old.stamps);
        if changed.is_empty() && old.len() == len {
            return old;
        }
        match Arc::get_mut(&mut old) {
            Some(mirror) if mirror.shape == store.shape() && mirror.capacity >= len => {
                mirror.update(store, &changed, device);
                old
            }
            _ => Arc::new(Self::whole(store, device, sent)),
        }
    }

    fn whole(store: &Exact, device: &Device, sent: usize) -> Self {
        let (shape, len) = (store.shape(), store.ids().len());
        // Few sizes, for a kernel's numbers are kept.
        let capacity = len.next_power_of_two();
        let mut rows = Vec::with_capacity(capacity * (shape.d_key + shape.d_value) + 1);
        (0..len).for_each(|place| rows.extend(store.row(place)));
        rows.resize(capacity * (shape.d_key + shape.d_value), 0.0);
        rows.push(len as f32);
        Self {
            rows: primitive::<Cube>(to_device(rows, device).into_dispatch()),
            shape,
            ids: store.ids().collect(),
            stamps: store.stamps(),
            capacity,
            sent: sent + len,
        }
    }

    /// Sends the slots that changed: each row with its place before it, and in the end the number of slots.
    fn update(&mut self, store: &Exact, changed: &[usize], device: &Device) {
        let len = store.ids().len();
        let padded = changed.len().next_power_of_two();
        let mut patch = Vec::with_capacity(padded * (1 + self.width()) + 1);
        for place in changed {
            patch.push(*place as f32);
            patch.extend(store.row(*place));
        }
        // Rows beyond the capacity go nowhere.
        let row: Vec<f32> = (0..=self.width()).map(|at| if at == 0 { -1.0 } else { 0.0 }).collect();
        (changed.len()..padded).for_each(|_| patch.extend(&row));
        patch.push(len as f32);
        let patch = primitive::<Cube>(to_device(patch, device).into_dispatch());
        let count = padded * self.width() + 1;
        put::launch(
            &patch.client,
            groups(count.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&patch),
            arg(&self.rows),
            count,
            self.width(),
            self.capacity,
        );
        self.ids = store.ids().collect();
        self.stamps = store.stamps();
        self.sent += changed.len();
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.shape.d_key + self.shape.d_value
    }

    /// Distance by which its slots are near.
    pub fn distance(&self) -> Distance {
        self.shape.distance
    }

    /// Slots held.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Slots that there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Ids of the slots, by place.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }
}

#[cube(launch)]
fn put(patch: &[f32], rows: &mut [f32], count: usize, width: usize, capacity: usize) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at == count - 1 {
        rows[capacity * width] = patch[(count - 1) / width * (width + 1)];
    } else if at < count {
        let row = at / width * (width + 1);
        let place = patch[row];
        if place >= 0.0 {
            rows[usize::cast_from(place) * width + at % width] = patch[row + 1 + at % width];
        }
    }
}
