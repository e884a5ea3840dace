//! The structure of the house: which module may use which, read from the source itself.
//!
//! Every `crate::`, `super::` and `self::` path, in `use` lines or inline, and every path that begins with a child
//! module is resolved to the file that defines what it names; re-exports are followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The library's modules, by line. A module uses those of its own line and above.
const HOUSE: &[&[&str]] = &[
    &["base"],
    &["figure"],
    &["config"],
    &["arch"],
    &["run"],
    &["report"],
    &["protocol"],
    &["tokenizer"],
    &["task", "memory"],
    &["kernel"],
    &["data"],
    &["model", "host"],
    &["generate"],
    &["checkpoint", "surgery", "import", "export"],
    &["learn"],
    &["codec"],
    &["device"],
    &["interp", "eval", "bench"],
    &["session"],
];

/// A path of a module, from the root of its crate.
type Place = Vec<String>;

/// A file, and what it says of others.
#[derive(Debug, Default)]
struct File {
    children: BTreeSet<String>,
    /// Names that `use` brings in, each with its path; public ones are handed on.
    uses: Vec<Use>,
    /// Inline paths, as they are written, from this module.
    paths: Vec<Place>,
}

#[derive(Debug)]
struct Use {
    /// `*` of all.
    name: String,
    path: Place,
    is_public: bool,
}

/// A crate's files by module.
struct Crate(BTreeMap<Place, File>);

impl Crate {
    fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_module(root, &[], &mut files);
        Self(files)
    }

    /// The module that defines what `path` names, seen from `module`; `None` if it is not of this crate.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Place> {
        let (mut at, mut rest) = (module.to_vec(), path);
        match rest.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first if self.0[module].children.contains(first) => {}
            _ => return None,
        }
        self.descend(at, rest, depth)
    }

    /// The module that defines `rest` of module `at`.
    fn descend(&self, mut at: Place, mut rest: &[String], depth: usize) -> Option<Place> {
        while let Some((first, later)) = rest.split_first() {
            let file = self.0.get(&at)?;
            if file.children.contains(first) {
                at.push(first.clone());
                rest = later;
                continue;
            }
            if depth == 0 {
                return Some(at);
            }
            let named = file
                .uses
                .iter()
                .find(|one| one.name == *first && one.path.last() != Some(&"self".into()));
            if let Some(found) = named {
                let full: Place = found.path.iter().chain(later).cloned().collect();
                if let Some(found) = self.resolve(&at, &full, depth - 1) {
                    return Some(found);
                }
            }
            let globs = file.uses.iter().filter(|one| one.name == "*" && one.is_public);
            for glob in globs {
                let parent = &glob.path[..glob.path.len() - 1];
                if let Some(of) = self.resolve(&at, parent, depth - 1)
                    && of != at
                    && self.0[&of].uses.iter().any(|one| one.name == *first)
                {
                    return self.descend(of, rest, depth - 1);
                }
            }
            return Some(at);
        }
        Some(at)
    }

    /// Arrows from file to file. A parent's re-exports of what is below it are none.
    fn arrows(&self) -> BTreeSet<(Place, Place)> {
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.0 {
            let uses = file.uses.iter().map(|one| (&one.path, one.is_public));
            let paths = file.paths.iter().map(|path| (path, false));
            for (path, is_public) in uses.chain(paths) {
                let Some(target) = self.resolve(module, path, 8) else { continue };
                let is_handed_on = is_public && target.starts_with(module);
                if target != *module && !is_handed_on {
                    arrows.insert((module.clone(), target));
                }
            }
        }
        arrows
    }
}

fn read_module(path: &Path, module: &[String], files: &mut BTreeMap<Place, File>) {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut file = File::default();
    scan(tokens, 0, &mut file);
    let name = path.file_stem().unwrap().to_str().unwrap();
    let folder = path.parent().unwrap();
    let folder = if ["lib", "main", "mod", "worker"].contains(&name) {
        folder.into()
    } else {
        folder.join(name)
    };
    for child in file.children.clone() {
        let places = [folder.join(format!("{child}.rs")), folder.join(&child).join("mod.rs")];
        let Some(found) = places.iter().find(|place| place.exists()) else {
            panic!("{}: no file for mod {child}", path.display());
        };
        let module: Place = module.iter().cloned().chain([child]).collect();
        read_module(found, &module, files);
    }
    files.insert(module.to_vec(), file);
}

/// Notes the modules, `use` lines and paths in `tokens`, which lie in so many inline modules of the file.
fn scan(tokens: TokenStream, inline: usize, file: &mut File) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let ident = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    };
    let punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    let colons = |at: usize| punct(at, ':') && punct(at + 1, ':');
    let (mut at, mut is_public) = (0, false);
    while at < tokens.len() {
        match (&tokens[at], ident(at).as_deref()) {
            (_, Some("pub")) => {
                is_public = true;
                let is_limited = matches!(tokens.get(at + 1),
                    Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
                at += 1 + usize::from(is_limited);
                continue;
            }
            (_, Some("mod")) if punct(at + 2, ';') => {
                file.children.extend(ident(at + 1));
                at += 2;
            }
            (_, Some("mod")) if matches!(tokens.get(at + 2), Some(TokenTree::Group(_))) => {
                if let Some(TokenTree::Group(body)) = tokens.get(at + 2) {
                    scan(body.stream(), inline + 1, file);
                }
                at += 2;
            }
            (_, Some("compute")) if punct(at + 1, '!') => {
                // The list of modules of src/lib.rs.
                if let Some(TokenTree::Group(list)) = tokens.get(at + 2) {
                    file.children.extend(list.stream().into_iter().map(|name| name.to_string()));
                }
                at += 2;
            }
            (_, Some("use")) => {
                let end = (at..tokens.len()).find(|at| punct(*at, ';')).unwrap_or(tokens.len());
                let mut found = Vec::new();
                expand(&tokens[at + 1..end], Vec::new(), &mut found);
                for (name, path) in found {
                    if let Some(path) = outside(path, inline) {
                        file.uses.push(Use { name, path, is_public });
                    }
                }
                at = end;
            }
            (TokenTree::Ident(_), Some(first))
                if colons(at + 1) && !(at >= 2 && colons(at - 2)) =>
            {
                let mut path = vec![first.to_owned()];
                while colons(at + 1) {
                    let Some(next) = ident(at + 3) else { break };
                    path.push(next);
                    at += 3;
                }
                file.paths.extend(outside(path, inline));
            }
            (TokenTree::Group(group), _) => scan(group.stream(), inline, file),
            _ => {}
        }
        is_public = false;
        at += 1;
    }
}

/// A path as the file's own module would write it; `None` if it does not leave an inline module.
fn outside(path: Place, inline: usize) -> Option<Place> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path[0].as_str() {
        "super" if supers < inline => None,
        "super" if supers == inline => {
            Some(["self".into()].into_iter().chain(path[inline..].iter().cloned()).collect())
        }
        "super" => Some(path[inline..].to_vec()),
        "crate" => Some(path),
        _ if inline > 0 => None,
        _ => Some(path),
    }
}

/// The leaves of a `use` tree: their names, and their whole paths.
fn expand(tokens: &[TokenTree], prefix: Place, out: &mut Vec<(String, Place)>) {
    for tree in tokens.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')) {
        let (mut path, mut name) = (prefix.clone(), None);
        let mut tree = tree.iter();
        while let Some(token) = tree.next() {
            match token {
                TokenTree::Ident(ident) if ident == "as" => {
                    name = tree.next().map(ToString::to_string)
                }
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                TokenTree::Punct(p) if p.as_char() == '*' => path.push("*".into()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    expand(&inner, path.clone(), out);
                    path.clear();
                }
                _ => {}
            }
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        if let Some(last) = path.last() {
            out.push((name.unwrap_or_else(|| last.clone()), path));
        }
    }
}

/// The circles among `arrows`: sets of places that reach each other.
fn circles(arrows: &BTreeSet<(Place, Place)>) -> Vec<Vec<String>> {
    let reach = |from: &Place| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(at) = next.pop() {
            for (_, to) in arrows.range((at.clone(), Vec::new())..).take_while(|(of, _)| *of == at)
            {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let places: BTreeSet<&Place> = arrows.iter().flat_map(|(a, b)| [a, b]).collect();
    let reached: BTreeMap<&Place, BTreeSet<Place>> =
        places.iter().map(|place| (*place, reach(place))).collect();
    let mut out: BTreeSet<Vec<String>> = BTreeSet::new();
    for place in &places {
        let circle = places
            .iter()
            .filter(|other| reached[*place].contains(**other) && reached[**other].contains(*place));
        let circle: Vec<String> = circle.map(|place| place.join("::")).collect();
        if !circle.is_empty() {
            out.insert(circle);
        }
    }
    out.into_iter().collect()
}

fn library() -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
}

fn describe(arrow: &(Place, Place)) -> String {
    format!("{} → {}", arrow.0.join("::"), arrow.1.join("::"))
}

#[test]
fn modules_use_only_those_of_their_line_and_above() {
    let line = |module: &str| {
        let line = HOUSE.iter().position(|line| line.contains(&module));
        line.unwrap_or_else(|| panic!("{module} has no line in the house"))
    };
    let arrows = library().arrows();
    let between = arrows.iter().filter(|(from, to)| !from.is_empty() && !to.is_empty());
    let down = between.filter(|(from, to)| line(&from[0]) < line(&to[0]));
    let down: Vec<String> = down.map(describe).collect();
    assert!(down.is_empty(), "arrows that point down:\n{}", down.join("\n"));
}

#[test]
fn no_modules_use_each_other() {
    let arrows = library().arrows().into_iter();
    let tops = arrows.filter(|(from, to)| !from.is_empty() && !to.is_empty() && from[0] != to[0]);
    let tops = tops.map(|(from, to)| (from[..1].to_vec(), to[..1].to_vec())).collect();
    let circles = circles(&tops);
    assert!(circles.is_empty(), "modules that use each other: {circles:?}");
}

#[test]
fn no_files_use_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for start in ["src/lib.rs", "src/main.rs", "web/main.rs", "web/worker.rs"] {
        let circles = circles(&Crate::read(&root.join(start)).arrows());
        found.extend(circles.iter().map(|circle| format!("{start}: {}", circle.join(", "))));
    }
    assert!(found.is_empty(), "files that use each other:\n{}", found.join("\n"));
}

#[test]
fn the_resolver_follows_reexports_and_finds_circles() {
    let place = |text: &str| -> Place {
        text.split("::").filter(|part| !part.is_empty()).map(String::from).collect()
    };
    let house = library();
    // Through `config/mod.rs`, to the file that defines it.
    let found = house.resolve(&place("arch::mixer"), &place("crate::config::ModelConfig"), 8);
    assert_eq!(found, Some(place("config::model")));
    let found = house.resolve(&place("arch::mixer"), &place("super::norm::Norm::of"), 8);
    assert_eq!(found, Some(place("arch::norm")));
    assert_eq!(house.resolve(&place("arch::mixer"), &place("std::fmt"), 8), None);
    let arrow = |from: &str, to: &str| (place(from), place(to));
    let arrows =
        BTreeSet::from([arrow("a", "b"), arrow("b", "c"), arrow("c", "a"), arrow("c", "d")]);
    assert_eq!(circles(&arrows), [["a", "b", "c"].map(String::from)]);
}
