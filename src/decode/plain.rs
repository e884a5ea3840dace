//! A model in plain numbers and loops, with what it keeps of the tokens so far. The names and
//! shapes are those of [`model`](crate::model), for one token.

use crate::config::ModelConfig;
use crate::kernel::layer_norm::EPSILON;
use crate::model::Layout;

pub struct Plain {
    d_model: usize,
    n_heads: usize,
    w_e: Vec<f32>,   // [vocab, d_model]
    w_pos: Vec<f32>, // [context, d_model]
    blocks: Vec<Block>,
    ln_final: Norm,
    unembed: Linear,
    /// Tokens decoded.
    len: usize,
}

struct Block {
    ln1: Norm,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    ln2: Norm,
    mlp_in: Linear,
    mlp_out: Linear,
    keys: Vec<f32>,   // [token, d_model]
    values: Vec<f32>, // [token, d_model]
}

struct Norm {
    w: Vec<f32>,         // [d_model]
    b: Option<Vec<f32>>, // [d_model]
}

struct Linear {
    w: Vec<f32>,         // [in, out]
    b: Option<Vec<f32>>, // [out]
    out: usize,
}

impl Plain {
    /// # Shapes
    /// `flat`: `[layout.len()]`
    pub fn new(config: &ModelConfig, layout: &Layout, flat: &[f32]) -> Self {
        let find = |name: &str| layout.find(name).map(|parameter| &flat[parameter.range.clone()]);
        let vector = |name: String| find(&name).map(<[f32]>::to_vec);
        let matrix = |name: String| vector(name).unwrap_or_default();
        let norm =
            |name: String| Norm { w: matrix(format!("{name}.w")), b: vector(format!("{name}.b")) };
        let d_model = config.d_model;
        let linear = |at: &str, of: &str, out| Linear {
            w: matrix(format!("{at}.W_{of}")),
            b: vector(format!("{at}.b_{of}")),
            out,
        };
        let block = |layer: usize| {
            let at = format!("blocks.{layer}");
            let (attn, mlp) = (format!("{at}.attn"), format!("{at}.mlp"));
            Block {
                ln1: norm(format!("{at}.ln1")),
                q: linear(&attn, "Q", d_model),
                k: linear(&attn, "K", d_model),
                v: linear(&attn, "V", d_model),
                o: linear(&attn, "O", d_model),
                ln2: norm(format!("{at}.ln2")),
                mlp_in: linear(&mlp, "in", config.d_mlp()),
                mlp_out: linear(&mlp, "out", d_model),
                keys: Vec::new(),
                values: Vec::new(),
            }
        };
        let w_e = matrix("embed.W_E".into());
        let vocab_size = w_e.len() / d_model;
        let w_u = vector("unembed.W_U".into()).unwrap_or_else(|| transpose(&w_e, vocab_size));
        Self {
            d_model,
            n_heads: config.n_heads,
            unembed: Linear { w: w_u, b: None, out: vocab_size },
            w_e,
            w_pos: matrix("pos_embed.W_pos".into()),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: norm("ln_final".into()),
            len: 0,
        }
    }

    pub fn restart(&mut self) {
        self.len = 0;
        for block in &mut self.blocks {
            block.keys.clear();
            block.values.clear();
        }
    }

    /// Logits after the last of `ids`: `[vocab]`.
    pub fn decode(&mut self, ids: &[u32]) -> Vec<f32> {
        let mut resid = Vec::new();
        for id in ids {
            let row =
                |of: &[f32], place: usize| of[place * self.d_model..][..self.d_model].to_vec();
            resid = row(&self.w_e, *id as usize);
            add(&mut resid, &row(&self.w_pos, self.len));
            for block in &mut self.blocks {
                block.forward(&mut resid, self.n_heads);
            }
            self.len += 1;
        }
        self.unembed.forward(&self.ln_final.forward(&resid))
    }
}

impl Block {
    /// Adds to `resid` what this block writes into it.
    fn forward(&mut self, resid: &mut [f32], n_heads: usize) {
        let normed = self.ln1.forward(resid);
        let q = self.q.forward(&normed);
        self.keys.extend(self.k.forward(&normed));
        self.values.extend(self.v.forward(&normed));
        add(resid, &self.o.forward(&attend(&q, &self.keys, &self.values, n_heads)));
        let mut hidden = self.mlp_in.forward(&self.ln2.forward(resid));
        hidden.iter_mut().for_each(|x| *x = gelu(*x));
        add(resid, &self.mlp_out.forward(&hidden));
    }
}

impl Norm {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let count = x.len() as f32;
        let mean = x.iter().sum::<f32>() / count;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
        let scale = (variance + EPSILON).sqrt().recip();
        let mut out: Vec<f32> =
            x.iter().zip(&self.w).map(|(x, w)| (x - mean) * scale * w).collect();
        if let Some(b) = &self.b {
            add(&mut out, b);
        }
        out
    }
}

impl Linear {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut out = self.b.clone().unwrap_or_else(|| vec![0.0; self.out]);
        for (x, row) in x.iter().zip(self.w.chunks(self.out)) {
            out.iter_mut().zip(row).for_each(|(out, w)| *out += x * w);
        }
        out
    }
}

/// What the heads read with `q`, the query of the last of the tokens that `keys` and `values` are of.
fn attend(q: &[f32], keys: &[f32], values: &[f32], n_heads: usize) -> Vec<f32> {
    let d_head = q.len() / n_heads;
    let scale = (d_head as f32).sqrt().recip();
    let mut z = vec![0.0; q.len()];
    for head in 0..n_heads {
        let of_head = head * d_head..(head + 1) * d_head;
        let q = &q[of_head.clone()];
        let scores = keys.chunks(z.len()).map(|key| scale * dot(q, &key[of_head.clone()]));
        let mut pattern: Vec<f32> = scores.collect();
        let largest = pattern.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        pattern.iter_mut().for_each(|score| *score = (*score - largest).exp());
        let total: f32 = pattern.iter().sum();
        let width = z.len();
        let z = &mut z[of_head.clone()];
        for (weight, value) in pattern.iter().zip(values.chunks(width)) {
            let weight = weight / total;
            z.iter_mut().zip(&value[of_head.clone()]).for_each(|(z, v)| *z += weight * v);
        }
    }
    z
}

/// `x Φ(x)`.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

fn add(to: &mut [f32], more: &[f32]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rows to columns, of a matrix with `rows` rows.
fn transpose(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}
