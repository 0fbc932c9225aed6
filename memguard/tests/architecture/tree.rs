//! Source files as modules: which file is which module, and what code is compiled into the agent.
//! Items below `#[cfg(test)]`, and files that only such a module declares, are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{
    Attribute, File, ImplItem, Item, Meta, Stmt, Token, TraitItem, parse::Parser as _,
    punctuated::Punctuated, visit_mut::VisitMut,
};

use super::names::{Mention, mentions};

/// The roots of the two crates: the library, and the program that calls it.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// Texts of source files by their path below `src`.
pub(crate) type Sources = BTreeMap<String, String>;

/// One source file of the agent.
pub(crate) struct Module {
    /// Its path below `src`.
    pub(crate) file: String,
    /// Its module path; empty for both roots.
    pub(crate) path: Vec<String>,
    /// What its code names, without what is compiled for tests only.
    pub(crate) mentions: Vec<Mention>,
}

impl Module {
    /// The module of the top level to which it belongs. The roots count as two: `lib` and `main`.
    pub(crate) fn top(&self) -> &str {
        let root = self.file.trim_end_matches(".rs");
        self.path.first().map_or(root, String::as_str)
    }
}

/// Reads every source file below a directory.
pub(crate) fn read(root: &Path) -> Sources {
    let (mut folders, mut sources) = (vec![root.to_owned()], Sources::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                sources.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}

/// The modules that the agent is compiled from, found as the compiler finds them: from the roots
/// along `mod` declarations.
pub(crate) fn modules(sources: &Sources) -> Result<Vec<Module>, String> {
    let mut walk = Walk {
        sources,
        modules: Vec::new(),
        seen: BTreeSet::new(),
    };
    for root in ROOTS.iter().filter(|root| sources.contains_key(**root)) {
        walk.file((*root).to_owned(), Vec::new(), false)?;
    }
    let unknown = sources.keys().find(|file| !walk.seen.contains(*file));
    match unknown {
        Some(file) => Err(format!("{file}: no `mod` declares this file")),
        None => Ok(walk.modules),
    }
}

struct Walk<'a> {
    sources: &'a Sources,
    modules: Vec<Module>,
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    fn file(&mut self, file: String, path: Vec<String>, for_tests: bool) -> Result<(), String> {
        let text = self.sources.get(&file);
        let text = text.ok_or_else(|| format!("{file}: declared, but there is no such file"))?;
        let mut parsed = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
        let for_tests = for_tests || is_for_tests(&parsed.attrs);
        let folder = folder_of_children(&file);
        self.seen.insert(file.clone());
        self.children(&parsed.items, &folder, &path, for_tests)?;
        if !for_tests {
            let mentions = mentions(&path, without_tests(&mut parsed));
            self.modules.push(Module {
                file,
                path,
                mentions,
            });
        }
        Ok(())
    }

    /// The files that these items declare. `folder` is empty or ends with a slash.
    fn children(
        &mut self,
        items: &[Item],
        folder: &str,
        path: &[String],
        for_tests: bool,
    ) -> Result<(), String> {
        for item in items {
            let Item::Mod(module) = item else { continue };
            let name = module.ident.to_string();
            let path = [path, std::slice::from_ref(&name)].concat();
            let for_tests = for_tests || is_for_tests(&module.attrs);
            if let Some((_, items)) = &module.content {
                self.children(items, &format!("{folder}{name}/"), &path, for_tests)?;
                continue;
            }
            let (short, long) = (
                format!("{folder}{name}.rs"),
                format!("{folder}{name}/mod.rs"),
            );
            let file = if self.sources.contains_key(&short) {
                short
            } else {
                long
            };
            self.file(file, path, for_tests)?;
        }
        Ok(())
    }
}

/// Where the modules lie that a file declares.
fn folder_of_children(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let folder = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    if name == "mod.rs" || ROOTS.contains(&file) {
        return folder;
    }
    format!("{folder}{}/", name.trim_end_matches(".rs"))
}

/// Whether one of the attributes keeps an item out of everything but tests.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut configurations = attributes.iter().filter(|it| it.path().is_ident("cfg"));
    configurations.any(|it| {
        it.parse_args::<Meta>()
            .is_ok_and(|predicate| implies_test(&predicate))
    })
}

/// `test` itself, or `all` with it: `any(test, …)` and `not(test)` hold elsewhere too.
fn implies_test(predicate: &Meta) -> bool {
    match predicate {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => {
            let parts = Punctuated::<Meta, Token![,]>::parse_terminated;
            let parts = parts.parse2(list.tokens.clone());
            parts.is_ok_and(|parts| parts.iter().any(implies_test))
        }
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

fn without_tests(file: &mut File) -> TokenStream {
    TestRemover.visit_file_mut(file);
    file.to_token_stream()
}

/// Removes items, methods and statements that are compiled for tests only. Such an attribute
/// elsewhere (on a field, on an arm of a match) exempts nothing.
struct TestRemover;

impl VisitMut for TestRemover {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(is_compiled);
        syn::visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(is_compiled);
        }
        syn::visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items.retain(|it| match it {
            ImplItem::Const(it) => !is_for_tests(&it.attrs),
            ImplItem::Fn(it) => !is_for_tests(&it.attrs),
            ImplItem::Type(it) => !is_for_tests(&it.attrs),
            _ => true,
        });
        syn::visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_item_trait_mut(&mut self, item: &mut syn::ItemTrait) {
        item.items.retain(|it| match it {
            TraitItem::Fn(it) => !is_for_tests(&it.attrs),
            _ => true,
        });
        syn::visit_mut::visit_item_trait_mut(self, item);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|it| match it {
            Stmt::Local(it) => !is_for_tests(&it.attrs),
            Stmt::Item(it) => is_compiled(it),
            Stmt::Macro(it) => !is_for_tests(&it.attrs),
            Stmt::Expr(..) => true,
        });
        syn::visit_mut::visit_block_mut(self, block);
    }
}

fn is_compiled(item: &Item) -> bool {
    let attributes = match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => return true,
    };
    !is_for_tests(attributes)
}
