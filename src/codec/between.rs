//! Mapping of tokens from one dictionary to another by noise.

use super::keys::Keys;

/// Keys of the tokens to read and of the tokens to write. The last key of each dictionary is that of its end.
#[derive(Clone, Copy, Debug)]
pub struct Between<'a> {
    pub source: &'a Keys,
    pub target: &'a Keys,
}

impl<'a> Between<'a> {
    /// A mapping from a dictionary to itself.
    pub fn within(keys: &'a Keys) -> Self {
        Self { source: keys, target: keys }
    }

    /// The token that ends an output.
    pub fn end(&self) -> u32 {
        self.target.len() as u32 - 1
    }

    /// The token that `token` becomes by `noise`.
    pub fn map(&self, token: u32, noise: &[u32]) -> u32 {
        self.target.nearest(&self.source.encode(token, noise)).0
    }

    /// The tokens that `token` becomes by each of `noises`, up to and with the end.
    pub fn reached(&self, token: u32, noises: &[u32]) -> Vec<u32> {
        let mut reached = Vec::new();
        for noise in noises.chunks_exact(self.source.width()) {
            reached.push(self.map(token, noise));
            if reached.last() == Some(&self.end()) {
                break;
            }
        }
        reached
    }

    /// Output of the tokens `reached`: all but the end.
    pub fn output<'r>(&self, reached: &'r [u32]) -> &'r [u32] {
        reached.strip_suffix(&[self.end()]).unwrap_or(reached)
    }

    /// True if `noises` map `token` to `wanted`.
    pub fn writes(&self, token: u32, noises: &[u32], wanted: &[u32]) -> bool {
        self.output(&self.reached(token, noises)) == wanted
    }
}
