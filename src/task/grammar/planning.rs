//! Makes rules ready to run.

use super::compile::compile;
use super::limits;
use super::machine::{Machine, Particle};
use super::measure::measure;
use super::node::{Node, NodeId};
use super::plan::Plan;
use super::program::Program;
use super::refusal::Refusal;
use super::resolved::Rules;

impl Plan {
    /// Plans `rules`.
    ///
    /// # Errors
    /// A grammar that is too large, that can write no record, or that draws more than there is.
    pub fn new(rules: &Rules) -> Result<Self, Refusal> {
        let mut program = compile(rules)?;
        let sizes = measure(&mut program);
        let line = program.instances.first().map_or(1, |record| record.line);
        let Program { nodes, instances, pools, root, sites } = program;
        let mut plan = Self {
            nodes,
            sizes,
            roots: instances.iter().map(|instance| instance.root).collect(),
            pools: Vec::new(),
            root,
            line,
            charsets: Vec::new(),
            alphabet: Vec::new(),
        };
        if !plan.size(root).is_possible {
            let stuck =
                instances.iter().filter(|at| at.is_outermost && !plan.size(at.root).is_possible);
            // The fault is in a rule with a depth, for nothing else makes parts impossible.
            let deep = stuck
                .filter(|at| rules.rules.get(at.rule).is_some_and(|rule| rule.depth.is_some()));
            let line = deep.map(|at| at.line).min().unwrap_or(line);
            let sentence = "this rule has no way to end within its depth; give it an alternative that does not come \
                            back to it";
            return Err(Refusal::new(line, sentence));
        }
        plan.refuse_large()?;
        for pool in &pools {
            let root = plan.roots.get(pool.instance).copied().unwrap_or_default();
            let texts = texts(&plan, root).ok_or_else(|| {
                let sentence = format!(
                    "`unique` needs a rule with {} texts or fewer; this one has more",
                    limits::POOL_TEXTS
                );
                Refusal::new(pool.line, sentence)
            })?;
            plan.pools.push(texts);
        }
        for (index, pool) in pools.iter().enumerate() {
            let uses = plan.size(root).uses.get(index).copied().unwrap_or(0);
            let count = plan.pool(index).len();
            if uses > count as u64 {
                let sentence = format!(
                    "a record may draw {uses} times with this `unique`, but there are only {count} different texts; \
                     draw fewer or add more"
                );
                return Err(Refusal::new(pool.line, sentence));
            }
        }
        plan.find_characters(sites)?;
        Ok(plan)
    }

    fn refuse_large(&self) -> Result<(), Refusal> {
        let size = self.size(self.root);
        let refuse = |sentence: String| Err(Refusal::new(self.line, sentence));
        if size.height > limits::HEIGHT {
            return refuse(
                "rules and repeats lie too deep inside each other; lower a depth".to_owned(),
            );
        }
        if size.chars > limits::RECORD {
            return refuse(format!(
                "a record may have {} characters, and {} are the most; repeat less, or lower a depth",
                size.chars,
                limits::RECORD
            ));
        }
        if size.work > limits::WORK || size.drawn > limits::WORK {
            return refuse(
                "a record may take too many steps; repeat less, or lower a depth".to_owned(),
            );
        }
        Ok(())
    }

    fn find_characters(&mut self, sites: u16) -> Result<(), Refusal> {
        let alphabet = self.characters([self.root]);
        if alphabet.len() > limits::ALPHABET {
            let sentence = format!(
                "records are made of {} different characters, and {} are the most",
                alphabet.len(),
                limits::ALPHABET
            );
            return Err(Refusal::new(self.line, sentence));
        }
        let mut captures: Vec<Vec<NodeId>> = vec![Vec::new(); usize::from(sites)];
        for node in &self.nodes {
            if let Node::Capture { body, site, .. } = node
                && let Some(bodies) = captures.get_mut(usize::from(*site))
            {
                bodies.push(*body);
            }
        }
        self.alphabet = alphabet.into_iter().collect();
        self.charsets = captures.into_iter().map(|bodies| self.characters(bodies)).collect();
        Ok(())
    }

}

/// A beginning of a text, its probability, and the derivations that may have written it.
type Beginning = (Vec<char>, f64, Vec<(Particle, f64)>);

/// Texts that `root` may write and their probabilities; `None` if there are too many.
fn texts(plan: &Plan, root: NodeId) -> Option<Vec<(Vec<char>, f64)>> {
    let mut machine = Machine::new(plan, limits::POOL_FUEL, limits::POOL_TEXTS * 2);
    let first = machine.start(root);
    let mut out = Vec::new();
    let mut stack: Vec<Beginning> = vec![(Vec::new(), 1.0, vec![(first, 1.0)])];
    while let Some((text, reached, particles)) = stack.pop() {
        let belief = machine.settle(&particles).ok()?;
        for group in machine.groups(&belief, None).ok()? {
            let probability = reached * group.probability;
            match group.letter {
                Some(letter) => {
                    let mut longer = text.clone();
                    longer.push(letter.known()?);
                    stack.push((longer, probability, group.after));
                }
                None => out.push((text.clone(), probability)),
            }
        }
        // Each beginning that is left makes a text at least.
        if out.len() + stack.len() > limits::POOL_TEXTS {
            return None;
        }
    }
    out.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(out)
}
