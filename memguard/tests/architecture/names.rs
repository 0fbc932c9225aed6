//! The names that code mentions, whatever the form: `use` trees with nested groups, paths in
//! expressions and types, attributes, and the bodies of macro calls, which only their tokens show.
//! Strings and comments are no names.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One mention of a name.
pub(crate) struct Mention {
    /// Its words: `crate::model::Pid` has three. A method has a dot before its name and a macro
    /// `!` behind it.
    pub(crate) words: Vec<String>,
    /// Where it stands.
    pub(crate) line: usize,
    /// The module in which it stands, which `self` and `super` are relative to.
    scope: Vec<String>,
}

impl Mention {
    /// Whether the words of `name`, which are separated by `::`, follow each other in it.
    pub(crate) fn has(&self, name: &str) -> bool {
        let name: Vec<_> = name.split("::").collect();
        self.words.windows(name.len()).any(|words| words == name)
    }

    /// The module of the top level that it leads to; `lib` for what the root itself defines, and
    /// `*` for the root as a whole, with everything in it. `None` where it leads out of the crate,
    /// or is relative to a name in scope, which another mention has brought there.
    pub(crate) fn target<'a>(&'a self, from: &str, tops: &BTreeSet<&'a str>) -> Option<&'a str> {
        let mut base = self.scope.as_slice();
        let mut words = self.words.as_slice();
        let in_library = from != "main";
        match words.first()?.as_str() {
            "crate" if in_library => (base, words) = (&[], &words[1..]),
            "memguard" if !in_library => (base, words) = (&[], &words[1..]),
            "self" if words.len() == 1 => return None,
            "self" | "super" if in_library => {}
            first if in_library && base.is_empty() && tops.contains(first) => {}
            _ => return None,
        }
        while let Some((first, rest)) = words.split_first() {
            match first.as_str() {
                "self" => words = rest,
                "super" => (base, words) = (base.split_last().map_or(base, |(_, up)| up), rest),
                _ => break,
            }
        }
        let first = base.first().or_else(|| words.first());
        Some(match first.map_or("*", String::as_str) {
            "*" => "*",
            top if tops.contains(top) => top,
            _ => "lib",
        })
    }
}

/// All names that the code of a module mentions.
pub(crate) fn mentions(module: &[String], code: TokenStream) -> Vec<Mention> {
    let mut reader = Reader {
        scope: module.to_vec(),
        found: Vec::new(),
    };
    reader.walk(code);
    reader.found
}

struct Reader {
    scope: Vec<String>,
    found: Vec<Mention>,
}

impl Reader {
    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Ident(word) if word == "pub" => after_visibility(&tokens, at),
                TokenTree::Ident(word) if word == "mod" => self.inline_module(&tokens, at),
                TokenTree::Ident(_) => self.path(&tokens, at, &[]),
                TokenTree::Group(group) => {
                    self.walk(group.stream());
                    at + 1
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at + 1,
            };
        }
    }

    /// `mod name { … }`, whose code is one module deeper; `mod name;` uses nothing.
    fn inline_module(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
            (tokens.get(at + 1), tokens.get(at + 2))
        else {
            return at + 2;
        };
        self.scope.push(name.to_string());
        self.walk(body.stream());
        self.scope.pop();
        at + 3
    }

    /// The path that begins here, after words that stand before a group of a `use` tree. Returns
    /// where it ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, before: &[String]) -> usize {
        let mut words = before.to_vec();
        let line = tokens[at].span().start().line;
        let is_method = at > 0 && is_punct(tokens.get(at - 1), '.');
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(word)) => words.push(plain(&word.to_string())),
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => words.push("*".to_owned()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.group(group.stream(), &words);
                    return at + 1;
                }
                _ => break,
            }
            at += 1;
            if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
                break;
            }
            at += 2;
        }
        let is_macro = is_punct(tokens.get(at), '!') && !is_punct(tokens.get(at + 1), '=');
        if let Some(last) = words.last_mut().filter(|_| is_macro) {
            last.push('!');
        }
        if let Some(first) = words.first_mut().filter(|_| is_method) {
            first.insert(0, '.');
        }
        let scope = self.scope.clone();
        self.found.push(Mention { words, line, scope });
        at
    }

    /// The parts of `a::{b, c::d}`, each with `a` before it.
    fn group(&mut self, tokens: TokenStream, before: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for part in tokens.split(|token| is_punct(Some(token), ',')) {
            if !part.is_empty() {
                self.path(part, 0, before);
            }
        }
    }
}

/// `pub(crate)` and `pub(super)` name no module that is used.
fn after_visibility(tokens: &[TokenTree], at: usize) -> usize {
    let Some(TokenTree::Group(group)) = tokens.get(at + 1) else {
        return at + 1;
    };
    let words: Vec<_> = group
        .stream()
        .into_iter()
        .map(|token| token.to_string())
        .collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["crate" | "self" | "super"] | ["in", ..] => at + 2,
        _ => at + 1,
    }
}

fn plain(word: &str) -> String {
    word.trim_start_matches("r#").to_owned()
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}
