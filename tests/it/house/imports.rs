//! Reads which file of `src` imports which.
//!
//! A path is followed through re-exports to the file that defines the thing: to import `store::Store` is to import
//! `store/vault.rs` if the door of `store` only re-exports it. What a door declares or re-exports of its own children is no
//! import. Files and items under `#[cfg(test)]` may import what they like and are left out.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module that is a file, named by its path without `.rs` and `/mod.rs`: `store/index`. The root is the empty one.
pub(crate) type Module = String;

/// One import of a file of ours, or of an outside crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) line: usize,
    /// From the root of the crate, or from the name of an outside crate.
    pub(crate) path: Vec<String>,
}

/// The files of a crate and what each imports.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) files: BTreeMap<Module, File>,
    /// By the importing module and the imported one.
    pub(crate) imports: BTreeMap<(Module, Module), Vec<Import>>,
    /// What each module names that no file of ours defines.
    pub(crate) outside: BTreeMap<Module, Vec<Import>>,
}

pub(crate) struct File {
    /// Below the root of the crate: `store/index/mod.rs`.
    pub(crate) path: String,
    pub(crate) lines: usize,
    /// Every name that a `use` binds here, with the path behind it from the root of the crate.
    bound: BTreeMap<String, Vec<String>>,
}

impl Sources {
    /// Reads the files below a folder that holds a `lib.rs`.
    pub(crate) fn below(root: &Path) -> Self {
        let mut texts = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the sources can be read") {
                let path = entry.expect("the sources can be read").path();
                if path.join("Cargo.toml").exists() {
                    // A package of its own.
                } else if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).expect("a source is text");
                    let below = path.strip_prefix(root).expect("it lies in the folder");
                    texts.push((
                        below.to_str().expect("a source's name is text").to_owned(),
                        text,
                    ));
                }
            }
        }
        Self::of(texts)
    }

    /// Reads files that are given as their path below the root and their text.
    pub(crate) fn of(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut parsed = BTreeMap::new();
        let mut files = BTreeMap::new();
        for (path, text) in texts {
            let module = module_of(&path);
            let tokens: TokenStream = text
                .parse()
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            let mut found = Parsed::default();
            found.read(tokens, 0);
            let file = File {
                path,
                lines: text.lines().count(),
                bound: BTreeMap::new(),
            };
            files.insert(module.clone(), file);
            parsed.insert(module, found);
        }
        leave_out_tests(&mut files, &mut parsed);

        let mut sources = Self {
            files,
            ..Self::default()
        };
        for (module, found) in &parsed {
            let bound = sources.bound_in(module, found);
            if let Some(file) = sources.files.get_mut(module) {
                file.bound = bound;
            }
        }
        for (module, found) in &parsed {
            sources.add_imports_of(module, found);
        }
        sources
    }

    fn bound_in(&self, module: &str, found: &Parsed) -> BTreeMap<String, Vec<String>> {
        let uses = found.paths.iter().filter_map(|reference| {
            let name = reference.binds.clone()?;
            Some((name, self.absolute(module, reference)?))
        });
        uses.collect()
    }

    fn add_imports_of(&mut self, module: &str, found: &Parsed) {
        for reference in &found.paths {
            let Some(path) = self.absolute(module, reference) else {
                let path = reference.path.clone();
                let line = reference.line;
                let outside = self.outside.entry(module.to_owned()).or_default();
                outside.push(Import { line, path });
                continue;
            };
            let own_child = reference.is_public && path.starts_with(&segments(module));
            let target = self.defining_file(&path);
            if own_child || target == module {
                continue;
            }
            let line = reference.line;
            let imports = self.imports.entry((module.to_owned(), target)).or_default();
            imports.push(Import { line, path });
        }
    }

    /// The path from the root of our crate; none if it leads to an outside crate or to a local name.
    fn absolute(&self, module: &str, reference: &Reference) -> Option<Vec<String>> {
        let mut from = segments(module);
        let inline = std::iter::repeat_n("{inline}".to_owned(), reference.depth);
        from.extend(inline);
        let mut rest = reference.path.as_slice();
        match rest[0].as_str() {
            "crate" | "hangar" => return Some(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    from.pop();
                    rest = &rest[1..];
                }
            }
            name => {
                let mut child = from.clone();
                child.push(name.to_owned());
                if !self.files.contains_key(&child.join("/")) {
                    let mut path = self.files.get(module)?.bound.get(name)?.clone();
                    path.extend_from_slice(&rest[1..]);
                    return Some(path);
                }
            }
        }
        from.extend_from_slice(rest);
        Some(from)
    }

    /// The module whose file defines what a path leads to, through every re-export on the way.
    fn defining_file(&self, path: &[String]) -> Module {
        let mut path = path.to_vec();
        let mut followed = BTreeSet::new();
        loop {
            let length = (0..=path.len())
                .rev()
                .find(|length| self.files.contains_key(&path[..*length].join("/")))
                .unwrap_or(0);
            let module = path[..length].join("/");
            let behind = path.get(length).and_then(|name| {
                let behind = self.files.get(&module)?.bound.get(name)?;
                followed
                    .insert((module.clone(), name.clone()))
                    .then_some(behind)
            });
            let Some(behind) = behind else {
                return module;
            };
            path = [behind, &path[length + 1..]].concat();
        }
    }
}

fn module_of(path: &str) -> Module {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let stem = stem
        .strip_suffix("mod")
        .map_or(stem, |folder| folder.strip_suffix('/').unwrap_or(stem));
    if stem == "lib" {
        String::new()
    } else {
        stem.to_owned()
    }
}

fn segments(module: &str) -> Vec<String> {
    let names = module.split('/').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn leave_out_tests(files: &mut BTreeMap<Module, File>, parsed: &mut BTreeMap<Module, Parsed>) {
    let tests: Vec<Module> = parsed
        .iter()
        .flat_map(|(module, found)| {
            let child = |name: &String| {
                let mut path = segments(module);
                path.push(name.clone());
                path.join("/")
            };
            found.test_modules.iter().map(child)
        })
        .collect();
    let is_test = |module: &Module| {
        tests.iter().any(|test| {
            let below = module.strip_prefix(test.as_str());
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    files.retain(|module, _| !is_test(module));
    parsed.retain(|module, _| !is_test(module));
}

/// The paths that one file names.
#[derive(Default)]
struct Parsed {
    paths: Vec<Reference>,
    /// Modules declared under `#[cfg(test)]`.
    test_modules: Vec<String>,
}

#[derive(Clone)]
struct Reference {
    line: usize,
    path: Vec<String>,
    /// How many modules within the file enclose it.
    depth: usize,
    /// The name that a `use` gives to it.
    binds: Option<String>,
    is_public: bool,
}

impl Parsed {
    fn read(&mut self, tokens: TokenStream, depth: usize) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += match &tokens[at..] {
                [hash, TokenTree::Group(attribute), item @ ..] if is_punct(hash, '#') => {
                    if attribute.stream().to_string().replace(' ', "") == "cfg(test)" {
                        2 + self.skip_item(item)
                    } else {
                        2
                    }
                }
                [TokenTree::Ident(word), rest @ ..] if word == "use" => {
                    let length = rest.iter().position(|token| is_punct(token, ';'));
                    if let Some(length) = length.filter(|_| !is_punct(&rest[0], '<')) {
                        let leaf = Reference {
                            line: 0,
                            path: Vec::new(),
                            depth,
                            binds: None,
                            is_public: is_public(&tokens[..at]),
                        };
                        self.read_use(&rest[..length], &leaf);
                        length + 2
                    } else {
                        1
                    }
                }
                [
                    TokenTree::Ident(word),
                    TokenTree::Ident(_),
                    TokenTree::Group(inline),
                    ..,
                ] if word == "mod" => {
                    self.read(inline.stream(), depth + 1);
                    3
                }
                // `pub(in crate::room)` imports nothing.
                [TokenTree::Ident(word), TokenTree::Group(room), ..]
                    if word == "pub" && room.stream().to_string().starts_with("in ") =>
                {
                    2
                }
                [TokenTree::Ident(_), ..] => self.read_path(&tokens, at, depth),
                [TokenTree::Group(group), ..] => {
                    self.read(group.stream(), depth);
                    1
                }
                _ => 1,
            };
        }
    }

    /// Reads `a::b::c` in code, and answers how many tokens it has.
    fn read_path(&mut self, tokens: &[TokenTree], start: usize, depth: usize) -> usize {
        let mut path = vec![tokens[start].to_string()];
        let mut end = start + 1;
        while let Some([one, two, TokenTree::Ident(name)]) = tokens.get(end..end + 3)
            && is_punct(one, ':')
            && is_punct(two, ':')
        {
            path.push(name.to_string());
            end += 3;
        }
        let continues_a_path =
            start > 1 && is_punct(&tokens[start - 1], ':') && is_punct(&tokens[start - 2], ':');
        if path.len() > 1 && !continues_a_path {
            self.paths.push(Reference {
                line: tokens[start].span().start().line,
                path,
                depth,
                binds: None,
                is_public: false,
            });
        }
        end - start
    }

    /// Reads a tree as `a::{b, c as d, e::*}`; `before` has the segments in front of it.
    fn read_use(&mut self, tree: &[TokenTree], before: &Reference) {
        let mut leaf = before.clone();
        for (at, token) in tree.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    leaf.binds = tree.get(at + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(name) => {
                    leaf.line = name.span().start().line;
                    leaf.binds = Some(name.to_string());
                    leaf.path.push(name.to_string());
                }
                TokenTree::Group(list) => {
                    for branch in branches(list) {
                        self.read_use(&branch, &leaf);
                    }
                    return;
                }
                TokenTree::Punct(star) if star.as_char() == '*' => leaf.binds = None,
                _ => {}
            }
        }
        if leaf.path.len() > 1 && leaf.path.last().is_some_and(|name| name == "self") {
            leaf.path.pop();
            if leaf.binds.as_ref().is_some_and(|name| name == "self") {
                leaf.binds = leaf.path.last().cloned();
            }
        }
        if !leaf.path.is_empty() {
            self.paths.push(leaf);
        }
    }

    /// The length of the item, field or statement that follows `#[cfg(test)]`.
    fn skip_item(&mut self, tokens: &[TokenTree]) -> usize {
        const ITEMS: [&str; 15] = [
            "async",
            "const",
            "enum",
            "extern",
            "fn",
            "impl",
            "let",
            "macro_rules",
            "mod",
            "static",
            "struct",
            "trait",
            "type",
            "unsafe",
            "use",
        ];
        let word = |at: usize| tokens.get(at).map(ToString::to_string).unwrap_or_default();
        let mut at = 0;
        while word(at) == "#" {
            at += 2;
        }
        if word(at) == "pub" {
            at += 1;
            if matches!(tokens.get(at), Some(TokenTree::Group(_))) {
                at += 1;
            }
        }
        let first = word(at);
        if first == "mod" {
            self.test_modules.push(word(at + 1));
        }
        let ends_with_semicolon = ["use", "static", "type", "let"].contains(&first.as_str())
            || first == "const" && word(at + 1) != "fn";
        let is_item = ITEMS.contains(&first.as_str());
        while let Some(token) = tokens.get(at) {
            at += 1;
            let is_body =
                matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
            if is_punct(token, ';')
                || is_body && !ends_with_semicolon
                || is_punct(token, ',') && !is_item
            {
                break;
            }
        }
        at
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Whether what stands before an item ends with `pub` or `pub(…)`.
fn is_public(before: &[TokenTree]) -> bool {
    let is_pub = |token: &TokenTree| token.to_string() == "pub";
    match before {
        [.., token, TokenTree::Group(_)] if is_pub(token) => true,
        [.., token] => is_pub(token),
        [] => false,
    }
}

/// What stands between the commas of `{a, b::c, d}`.
fn branches(list: &Group) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
    let branches = tokens.split(|token| is_punct(token, ','));
    branches.map(<[TokenTree]>::to_vec).collect()
}
