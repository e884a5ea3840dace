//! Plans that add and drop heads.

use super::error::SurgeryError;
use super::plan::Plan;
use crate::config::ModelConfig;

impl Plan {
    /// Adds heads to every layer, after the existing ones. They have KV heads of their own or, where these are
    /// shared, are further readers of each.
    ///
    /// # Errors
    /// If some KV heads would have more readers than others.
    pub fn add_heads(model: &ModelConfig, count: usize) -> Result<Self, SurgeryError> {
        let mut plan = Self::same(model);
        let (kv_heads, readers) = (model.kv_heads(), model.n_heads / model.kv_heads());
        if readers == 1 {
            plan.heads.extend(vec![None; count]);
            plan.keys.extend(vec![None; count]);
        } else if !count.is_multiple_of(kv_heads) {
            let works = count.next_multiple_of(kv_heads);
            return Err(SurgeryError::Uneven { asked: count, kv_heads, works });
        } else {
            let new = vec![None; count / kv_heads];
            let groups = plan.heads.chunks(readers);
            plan.heads = groups.flat_map(|group| [group, &new].concat()).collect();
        }
        Ok(plan.with_heads(model))
    }

    /// Drops the head of this number in every layer. If there are several shared KV heads, drops all heads that
    /// share its own, because KV heads are shared evenly.
    ///
    /// # Errors
    /// If there is no such head, or no other.
    pub fn drop_head(model: &ModelConfig, head: usize) -> Result<Self, SurgeryError> {
        let last = model.n_heads - 1;
        match head {
            _ if head > last => return Err(SurgeryError::NoHead { asked: head, last }),
            _ if last == 0 => return Err(SurgeryError::OnlyHead),
            _ => {}
        }
        let mut plan = Self::same(model);
        let readers = model.n_heads / model.kv_heads();
        if model.kv_heads() == 1 {
            plan.heads.remove(head);
        } else {
            let group = head / readers;
            plan.heads.drain(group * readers..(group + 1) * readers);
            plan.keys.remove(group);
        }
        Ok(plan.with_heads(model))
    }

    /// Drops the `count` heads of least worth in every layer.
    ///
    /// # Shapes
    /// `worth`: `[layer][head]`
    ///
    /// # Errors
    /// If there are not more heads than that, or several but not all share keys.
    pub fn prune_heads(
        model: &ModelConfig,
        worth: &[Vec<f32>],
        count: usize,
    ) -> Result<Self, SurgeryError> {
        let (n_heads, kv_heads) = (model.n_heads, model.kv_heads());
        if count >= n_heads {
            return Err(SurgeryError::TooFewHeads { asked: count, n_heads });
        }
        if kv_heads != 1 && kv_heads != n_heads {
            return Err(SurgeryError::SharedKeys { n_heads, kv_heads });
        }
        let mut plan = Self::same(model);
        plan.order = worth.iter().map(|worth| largest_first(worth)).collect();
        plan.heads.truncate(n_heads - count);
        if kv_heads > 1 {
            plan.keys.truncate(n_heads - count);
        }
        Ok(plan.with_heads(model))
    }

    /// Sets the numbers of heads; their width stays as `before`.
    fn with_heads(mut self, before: &ModelConfig) -> Self {
        self.model.n_heads = self.heads.len();
        self.model.d_head = before.d_head();
        if before.kv_heads > 0 {
            self.model.kv_heads = self.keys.len();
        }
        self
    }
}

/// Indices of `worth`, largest first.
fn largest_first(worth: &[f32]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..worth.len()).collect();
    places.sort_by(|a, b| worth[*b].total_cmp(&worth[*a]));
    places
}
