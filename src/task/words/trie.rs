//! The beginnings of words, as a tree.

use super::vocabulary::{CLASSES, Class, Word};

/// The beginning of every word.
pub const ROOT: u32 = 0;

/// A beginning of words.
#[derive(Clone, Debug, Default)]
struct Node {
    /// Longer beginnings, each by its last letter.
    children: Vec<(u8, u32)>,
    /// Number of words of each class that begin so.
    begin: [u32; CLASSES],
    /// True for each class in which this is a whole word.
    end: [bool; CLASSES],
}

/// Every beginning of a word, and how words go on after it.
#[derive(Clone, Debug)]
pub struct Trie {
    nodes: Vec<Node>,
}

impl Trie {
    pub fn new(words: &[Word]) -> Self {
        let mut trie = Self { nodes: vec![Node::default()] };
        for word in words {
            let mut node = ROOT;
            trie.count(node, word);
            for letter in word.text.bytes() {
                node = trie.child(node, letter);
                trie.count(node, word);
            }
            trie.nodes[node as usize].end = word.classes;
        }
        trie
    }

    fn count(&mut self, node: u32, word: &Word) {
        let counts = &mut self.nodes[node as usize].begin;
        counts.iter_mut().zip(word.classes).for_each(|(count, is_in)| *count += u32::from(is_in));
    }

    /// The child of `node` by `letter`, which is made if there is none.
    fn child(&mut self, node: u32, letter: u8) -> u32 {
        let found = self.nodes[node as usize].children.iter().find(|(other, _)| *other == letter);
        if let Some((_, child)) = found {
            return *child;
        }
        let child = self.nodes.len() as u32;
        self.nodes.push(Node::default());
        self.nodes[node as usize].children.push((letter, child));
        child
    }

    /// Number of words in `class`.
    pub fn words(&self, class: Class) -> u32 {
        self.nodes[ROOT as usize].begin[class as usize]
    }

    /// Probability that a word of `class` that begins as `node` is whole there.
    pub fn ends(&self, node: u32, class: Class) -> f64 {
        let Node { begin, end, .. } = &self.nodes[node as usize];
        let class = class as usize;
        if end[class] { 1.0 / f64::from(begin[class]) } else { 0.0 }
    }

    /// Letters that may follow `node` in a word of `class`: each with its probability and the longer beginning.
    pub fn next(&self, node: u32, class: Class) -> impl Iterator<Item = (u8, u32, f64)> {
        let Node { begin, children, .. } = &self.nodes[node as usize];
        let of = f64::from(begin[class as usize]);
        children.iter().filter_map(move |(letter, child)| {
            let count = self.nodes[*child as usize].begin[class as usize];
            (count > 0).then(|| (*letter, *child, f64::from(count) / of))
        })
    }
}
