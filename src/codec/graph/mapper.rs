//! Mapping of an input to its graph, by the noise of the input's end.

use rand_chacha::ChaCha8Rng;

use super::function::{Dictionary, MACROS};
use super::run::{Ran, run};
use super::search::{Plan, plan};
use crate::codec::between::Between;
use crate::codec::distance::cost;
use crate::codec::fit::Fitter;
use crate::codec::keys::Keys;
use crate::codec::layer::{KeyLayer, Near};
use crate::codec::lesson::{Learned, Lesson};
use crate::codec::noise::Noise;
use crate::codec::window::Windows;
use crate::config::CodecConfig;

/// Most tokens of a graph.
pub const ROOM: usize = 16;
/// Times that a graph is met before a macro stands for it.
const FREQUENT: u32 = 8;
/// Most different graphs that are counted.
const MAX_MET: usize = 4096;

/// A graph of more than one token, and how many training records had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    pub graph: Vec<u32>,
    pub count: u32,
}

/// Mapper of inputs to graphs: a second dictionary with keys of its own, and the key layer that leads to it.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphMapper {
    pub dictionary: Dictionary,
    /// A key for each token of the dictionary.
    pub keys: Keys,
    pub layer: KeyLayer,
    /// Graphs of training, in the order in which they were first met.
    pub met: Vec<Met>,
    /// Places in `met` of the graphs that macros stand for.
    pub macros: Vec<u32>,
}

/// The graph that an input is mapped to.
#[derive(Clone, Debug)]
pub struct Chosen<'a> {
    /// Nearest known context of the input's end; `None` if none is within reach.
    pub near: Option<Near<'a>>,
    /// Tokens of the graph as noise writes them, with macros.
    pub short: Vec<u32>,
    /// Tokens of the graph with macros expanded.
    pub graph: Vec<u32>,
}

impl Chosen<'_> {
    /// Share of the times that its context was met in which this graph was wanted; 0 without a known context.
    pub fn share(&self) -> f32 {
        let entry = self.near.map(|near| near.entry);
        let share = entry.and_then(|entry| Some(entry.share(entry.likeliest()?)));
        share.map_or(0.0, |share| share as f32)
    }
}

impl GraphMapper {
    /// A mapper that knows nothing, beside a codec with these keys.
    ///
    /// # Errors
    /// If there are too few keys for the dictionary.
    pub fn new(
        keys: &Keys,
        windows: &Windows,
        config: &CodecConfig,
        seed: u64,
    ) -> Result<Self, String> {
        let dictionary = Dictionary::new(keys);
        Ok(Self {
            keys: Keys::draw_further(1, dictionary.len(), config, seed)?,
            layer: KeyLayer::new(windows.sides.len(), 2 * config.numbers, cost(config.reach)),
            dictionary,
            met: Vec::new(),
            macros: Vec::new(),
        })
    }

    /// The graph of an input, by the windows `around` its end. `keys` are those of the codec.
    pub fn choose(&self, keys: &Keys, around: &[Vec<u32>]) -> Chosen<'_> {
        let near = self.layer.recall(&keys.metric, around);
        let mode = near.and_then(|near| near.entry.likeliest());
        let between = Between { source: keys, target: &self.keys };
        let end = keys.len() as u32 - 1;
        let reached = mode.map_or(Vec::new(), |mode| between.reached(end, &mode.mean));
        let short = between.output(&reached).to_vec();
        let graph = short.iter().flat_map(|token| self.expanded(*token)).collect();
        Chosen { near, short, graph }
    }

    /// Runs a graph.
    pub fn run(&self, chosen: &Chosen, input: &[u32], written: &[u32]) -> Ran {
        run(&self.dictionary, &chosen.graph, input, written)
    }

    /// Plans the graph of an example, and the tokens that noise is to write for it. Keeps the `chosen` graph where none
    /// is better: see [`plan`].
    pub fn plan(&self, chosen: &Chosen, input: &[u32], output: &[u32]) -> Plan {
        plan(&self.dictionary, input, output, &chosen.graph)
    }

    /// Plans the graph of an example, record `number` of its run, and learns it. Returns the tokens that noise is to
    /// write. A `noise` is given when the record comes for the first time; its graph is then counted.
    pub fn learn(
        &mut self,
        (keys, around, config): (&Keys, &[Vec<u32>], &CodecConfig),
        (number, input, output): (u32, &[u32], &[u32]),
        fitter: &mut Fitter,
        noise: Option<&mut Noise>,
        (rng, learned): (&mut ChaCha8Rng, &mut Learned),
    ) -> Vec<u32> {
        let chosen = self.choose(keys, around);
        let Plan { graph, written } = self.plan(&chosen, input, output);
        let (short, near) = (chosen.short, chosen.near.map(|near| (near.window, near.cost)));
        if noise.is_some() {
            self.meet(&graph);
        }
        let wanted = self.shortened(&graph);
        let lesson = Lesson {
            between: Between { source: keys, target: &self.keys },
            around,
            token: keys.len() as u32 - 1,
            wanted: &wanted,
            room: ROOM,
            origin: (number, input.len() as u32),
            is_right: short == wanted,
            taken: near,
            renewed: Some(config),
        };
        lesson.learn(&mut self.layer, fitter, noise, rng, learned);
        written
    }

    /// Counts a graph of more than one token. Gives it a macro once it is [`FREQUENT`], while macros are left.
    fn meet(&mut self, graph: &[u32]) {
        if graph.len() < 2 {
            return;
        }
        let known = self.met.iter().position(|met| met.graph == graph);
        let place = known.unwrap_or(self.met.len());
        if place == MAX_MET {
            return;
        }
        if known.is_none() {
            self.met.push(Met { graph: graph.to_vec(), count: 0 });
        }
        let met = &mut self.met[place];
        met.count = met.count.saturating_add(1);
        if met.count == FREQUENT && self.macros.len() < MACROS {
            self.macros.push(place as u32);
        }
    }

    /// The macro that stands for `graph`, or the graph itself.
    fn shortened(&self, graph: &[u32]) -> Vec<u32> {
        let number = self.macros.iter().position(|place| self.met[*place as usize].graph == graph);
        number.map_or(graph.to_vec(), |number| vec![self.dictionary.of_macro(number)])
    }

    /// The graph tokens that a token stands for.
    fn expanded(&self, token: u32) -> Vec<u32> {
        let place =
            self.dictionary.number_of_macro(token).and_then(|number| self.macros.get(number));
        place.map_or(vec![token], |place| self.met[*place as usize].graph.clone())
    }
}
