//! No circle among the files of `src`: of two files at most one imports the other, itself or through further files.
//!
//! A file *imports* another where a path in its code (in a `use` or not; from `crate`, `super`, `self`, a child, or a name
//! that a `use` brings) ends at an item that the other defines. Paths through re-exports count for the file that defines
//! the item, so that the `mod` and `pub use` lines of a table of contents are no imports; a `mod.rs` that uses an item of a
//! child itself does import it.
//!
//! One direction does not count: what a file takes from the `mod.rs` of a folder that it lies in. That one holds what joins
//! its children (a trait that they implement, an enum of their types, the error of the room), so each knows the other.
//! Circles through a `mod.rs` and files outside its folder count. Methods called on a value whose type is never named are
//! not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::source_code::{source_folder, sources, without_comments_and_strings, words};

/// A module by the names of the modules that it lies in and its own; the root of a package has none.
type Module = Vec<String>;

/// For each module the others that it imports, with the names of the items.
type Imports = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

/// A name that a file imports or re-exports.
struct Use {
    path: Vec<String>,
    name: String,
    /// It is a re-export, whether or not the file uses it too.
    public: bool,
    /// Inline modules of the file that it lies in.
    inline: usize,
}

/// What the code of a file says of others.
#[derive(Default)]
struct Source {
    uses: Vec<Use>,
    /// Paths of two names or more outside `use`, with the number of inline modules around them.
    paths: Vec<(Vec<String>, usize)>,
    /// All words outside `use`.
    words: BTreeSet<String>,
}

/// Where a path ends.
enum End {
    Module(Module),
    /// An item, by the module that defines it and by name.
    Item(Module, String),
}

impl Source {
    fn of(text: &str) -> Self {
        let code = without_comments_and_strings(text);
        let words = words(&code);
        let mut source = Self::default();
        // Whether the braces around a word are those of an inline module.
        let mut braces: Vec<bool> = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let before = if at == 0 { "" } else { words[at - 1] };
            let inline = braces.iter().filter(|module| **module).count();
            match words[at] {
                // A letter between quotes, which may be a brace.
                "'" if words.get(at + 2) == Some(&"'") => at += 2,
                "{" => braces.push(at >= 2 && words[at - 2] == "mod"),
                "}" => _ = braces.pop().expect("braces come in pairs"),
                // Not the `use<'a>` of a type.
                "use" if words.get(at + 1) != Some(&"<") => {
                    let end = at + words[at..].iter().position(|word| *word == ";").expect("`use` ends with `;`");
                    let public = ["pub", ")"].contains(&before);
                    let mut found = Vec::new();
                    tree(&words[at + 1..end], &[], &mut found);
                    source.uses.extend(found.into_iter().map(|(path, name)| Use { path, name, public, inline }));
                    at = end;
                }
                word if is_name(word) => {
                    source.words.insert(word.to_owned());
                    if before != "::" {
                        let mut path = vec![word.to_owned()];
                        let rest = words[at + 1..].chunks_exact(2);
                        let rest = rest.take_while(|pair| pair[0] == "::" && is_name(pair[1]));
                        path.extend(rest.map(|pair| pair[1].to_owned()));
                        if path.len() > 1 {
                            source.paths.push((path, inline));
                        }
                    }
                }
                _ => {}
            }
            at += 1;
        }
        assert!(braces.is_empty(), "braces come in pairs");
        source
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
}

/// The paths of a `use`, each with the name that it gives; `*` gives all.
fn tree(words: &[&str], before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    let mut at = 0;
    while at < words.len() {
        match words[at] {
            "{" => {
                let (mut depth, mut start) = (0, at + 1);
                for (place, word) in words.iter().enumerate().skip(at) {
                    match *word {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if (*word == "," && depth == 1) || depth == 0 {
                        tree(&words[start..place], &path, found);
                        start = place + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
                return;
            }
            "::" => {}
            "as" => {
                found.push((path, words[at + 1].to_owned()));
                return;
            }
            // `a::{self}` is `a`.
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    if path.len() > before.len() || words.contains(&"self") {
        let name = path.last().expect("a `use` has a path").clone();
        found.push((path, name));
    }
}

/// Re-exports that a path is followed through.
const MOST_STEPS: usize = 32;

/// A package's files, by their modules.
struct Package(BTreeMap<Module, Source>);

impl Package {
    /// Of files with these paths and texts.
    fn of(files: &[(String, String)]) -> Self {
        Self(files.iter().map(|(path, text)| (module(path), Source::of(text))).collect())
    }

    /// Where `path` ends, which stands in the file of `from`, `inline` inline modules deep; nothing if in another package, or
    /// in an inline module of the file itself.
    fn end(&self, from: &Module, inline: usize, path: &[String], steps_left: usize) -> Option<End> {
        let steps_left = steps_left.checked_sub(1)?;
        let supers = path.iter().take_while(|name| *name == "super").count();
        let rest = match path[0].as_str() {
            "crate" => return self.end_below(&Module::new(), &path[1..], steps_left),
            // Inside the file.
            "self" if inline > 0 => return None,
            "self" => &path[1..],
            "super" if supers < inline => return None,
            "super" => {
                let up = from.len().checked_sub(supers - inline)?;
                return self.end_below(&from[..up].to_vec(), &path[supers..], steps_left);
            }
            head if self.child(from, head).is_some() => path,
            head => {
                let brought = self.0[from].uses.iter().find(|one| one.name == head && one.path != [head])?;
                let whole = [&brought.path, &path[1..]].concat();
                return self.end(from, brought.inline, &whole, steps_left);
            }
        };
        self.end_below(from, rest, steps_left)
    }

    /// Where a path ends that begins at `module`.
    fn end_below(&self, module: &Module, path: &[String], steps_left: usize) -> Option<End> {
        let Some(name) = path.first() else { return Some(End::Module(module.clone())) };
        if let Some(child) = self.child(module, name) {
            return self.end_below(&child, &path[1..], steps_left);
        }
        let own_path = std::slice::from_ref(name);
        match self.0[module].uses.iter().find(|one| one.name == *name && one.path != own_path && one.inline == 0) {
            Some(_) => self.end(module, 0, path, steps_left),
            None => Some(End::Item(module.clone(), name.clone())),
        }
    }

    fn child(&self, module: &Module, name: &str) -> Option<Module> {
        let child = [module.as_slice(), &[name.to_owned()]].concat();
        self.0.contains_key(&child).then_some(child)
    }

    /// Which file imports which.
    fn imports(&self) -> Imports {
        let of = |(from, source): (&Module, &Source)| {
            let mut found: BTreeMap<Module, BTreeSet<String>> = BTreeMap::new();
            let mut add = |path: &[String], inline: usize, all: bool| {
                let (to, name) = match self.end(from, inline, path, MOST_STEPS) {
                    Some(End::Item(module, name)) => (module, name),
                    Some(End::Module(module)) if all => (module, "*".to_owned()),
                    // An alias of a module: what is taken through it is among the paths.
                    Some(End::Module(_)) | None => return,
                };
                // Itself, or the `mod.rs` of a folder that it lies in.
                if !from.starts_with(&to) {
                    found.entry(to).or_default().insert(name);
                }
            };
            for Use { path, name, public, inline } in &source.uses {
                if name == "*" {
                    add(&path[..path.len() - 1], *inline, true);
                } else if !public || source.words.contains(name) {
                    add(path, *inline, false);
                }
            }
            for (path, inline) in &source.paths {
                add(path, *inline, false);
            }
            (from.clone(), found)
        };
        self.0.iter().map(of).collect()
    }
}

/// The module of a file at `path` in its package.
fn module(path: &str) -> Module {
    let mut names: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod") || names == ["lib"] {
        names.pop();
    }
    names
}

/// What a file imports, itself or through others.
fn reached<'a>(imports: &'a Imports, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        open.extend(imports[module].keys().filter(|next| found.insert(*next)));
    }
    found
}

/// Groups of files each of which imports all others of its group, itself or through files of it.
fn circles(imports: &Imports) -> BTreeSet<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|from| (from, reached(imports, from))).collect();
    let circle = |from: &&Module| {
        let there_and_back = reached[*from].iter().filter(|to| reached[**to].contains(*from));
        there_and_back.map(|module| (*module).clone()).collect::<BTreeSet<Module>>()
    };
    reached.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
}

/// The circles of a package and what ties each, by paths of files.
fn circles_among(files: &[(String, String)]) -> Vec<(BTreeSet<String>, String)> {
    let path_of: BTreeMap<Module, &String> = files.iter().map(|(path, _)| (module(path), path)).collect();
    let imports = Package::of(files).imports();
    let described = |circle: BTreeSet<Module>| {
        let mut lines = Vec::new();
        for from in &circle {
            for (to, names) in imports[from].iter().filter(|(to, _)| circle.contains(*to)) {
                lines.push(format!("{} imports {names:?} of {}", path_of[from], path_of[to]));
            }
        }
        (circle.iter().map(|module| path_of[module].clone()).collect(), lines.join("\n"))
    };
    circles(&imports).into_iter().map(described).collect()
}

/// The files of the package whose root is in `folder`, without those of packages inside it.
fn files_of(folder: &Path) -> Vec<(String, String)> {
    let all = sources(folder);
    let inner: Vec<&Path> = all
        .iter()
        .filter(|path| path.ends_with("lib.rs"))
        .filter_map(|path| path.parent())
        .filter(|parent| *parent != folder)
        .collect();
    let of_package = all.iter().filter(|path| !inner.iter().any(|folder| path.starts_with(folder)));
    of_package
        .map(|path| {
            let name = path.strip_prefix(folder).expect("it lies there").to_str().expect("our names are text");
            (name.to_owned(), fs::read_to_string(path).expect("sources are text"))
        })
        // Packages of their own: the binary, and the script that builds the kernels.
        .filter(|(name, _)| name != "main.rs" && name != "build.rs")
        .collect()
}

#[test]
fn files_import_each_other_in_one_direction() {
    let root = source_folder();
    let mut found = Vec::new();
    for folder in [root.clone(), root.join("kernels"), root.join("fft")] {
        let files = files_of(&folder);
        assert!(files.iter().any(|(path, _)| path == "lib.rs"), "{} is a package", folder.display());
        let circles = circles_among(&files).into_iter();
        found.extend(circles.map(|(_, imports)| format!("a circle in {}:\n{imports}", folder.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// The circles among files of these paths and texts, each as its paths.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files: Vec<(String, String)> = files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
    circles_among(&files).into_iter().map(|(circle, _)| circle.into_iter().collect()).collect()
}

#[test]
fn a_circle_is_found_however_its_files_import_each_other() {
    let table = "mod a; mod b; pub use a::{self, A}; pub use b::*;";
    for import in [
        "use super::b::B;",
        "use super::{LedgerError, b::{self as other, B}};",
        "use crate::room::b::B;",
        "use crate::{room::{b::B}};",
        "use super::b; fn f() -> b::B { b::B }",
        "use super::b as other; fn f() { other::g() }",
        "use crate::room; fn f(x: room::b::B) {}",
        "fn f() { super::b::g() }",
        "fn f() { x(crate::room::b::B::new()) }",
        "use super::b::*;",
        "pub use super::b::B; fn f(b: B) {}",
        "mod tests { use super::super::b::B; }",
        "const BRACES: [char; 2] = ['{', '}']; mod tests { use crate::room::b::B; }",
    ] {
        let files = [
            ("lib.rs", "pub mod room;"),
            ("room/mod.rs", table),
            ("room/a.rs", import),
            ("room/b.rs", "use super::A;"),
        ];
        assert_eq!(circles_of(&files), [["room/a.rs", "room/b.rs"]], "{import}");
    }
}

#[test]
fn circles_of_three_and_through_folders_are_found() {
    let three =
        [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::C;"), ("c.rs", "use super::a::A;"), ("lib.rs", "")];
    assert_eq!(circles_of(&three), [["a.rs", "b.rs", "c.rs"]]);
    let nested = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod deep; pub use deep::D;"),
        ("room/a.rs", "use super::D;"),
        ("room/deep/mod.rs", "mod inner; pub use inner::Inner as D;"),
        ("room/deep/inner.rs", "use super::super::a::A;"),
    ];
    assert_eq!(circles_of(&nested), [["room/a.rs", "room/deep/inner.rs"]]);
    // The `mod.rs` uses its child, which imports a file that imports what the `mod.rs` defines.
    let by_parent = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod deep;"),
        ("room/a.rs", "use super::deep::Joined;"),
        ("room/deep/mod.rs", "mod inner; pub use inner::Inner; pub enum Joined { One(Inner) }"),
        ("room/deep/inner.rs", "use crate::room::a::A;"),
    ];
    assert_eq!(circles_of(&by_parent), [["room/a.rs", "room/deep/inner.rs", "room/deep/mod.rs"]]);
}

#[test]
fn what_goes_one_way_is_no_circle() {
    for (a, b) in [
        ("use super::b::B;", "use std::fmt; use super::LedgerError;"),
        ("use super::b::B;", "/// As [`super::a::A`].\nconst NAME: &str = \"crate::room::a::A\"; // use super::a::A;"),
        ("use super::b::B;", "mod tests { use super::*; use super::B; }"),
        ("pub use super::b::B;", "fn f(a: u32) -> u32 { a }"),
    ] {
        let table = "mod a; mod b; pub use a::A; pub enum LedgerError { Of(A) }";
        let files =
            [("lib.rs", "mod room; pub use room::b;"), ("room/mod.rs", table), ("room/a.rs", a), ("room/b.rs", b)];
        assert!(circles_of(&files).is_empty(), "{a} {b}");
    }
}
