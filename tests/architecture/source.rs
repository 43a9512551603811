//! One source file, read as tokens: which paths its production code names.
//!
//! Comments and strings name nothing, and what stands under `#[cfg(test)]` is not read.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of production code.
pub(crate) struct Source {
    pub(crate) file: String,
    /// The modules from the crate's root: `tiers`, `disk`, `index`.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    /// Every path the code names; those into this crate begin with `crate`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Modules of this file that exist for tests only.
    pub(crate) test_modules: Vec<Vec<String>>,
}

// === impl Source ===

impl Source {
    /// Reads `text` as the file `file`, given from the package's root.
    pub(crate) fn read(file: &str, text: &str) -> Self {
        let mut source = Self {
            file: file.to_owned(),
            module: module_of(file),
            text: text.to_owned(),
            paths: Vec::new(),
            test_modules: Vec::new(),
        };
        let module = source.module.clone();
        source.walk(text.parse().expect("Rust tokens"), &module);
        source
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let Some((first, after)) = rest.split_first() {
            rest = match (first, after) {
                (TokenTree::Punct(mark), [attribute, item @ ..])
                    if mark.as_char() == '#' && is_cfg_test(attribute) =>
                {
                    self.skip_test_item(item, module)
                }
                (TokenTree::Ident(word), [TokenTree::Ident(name), TokenTree::Group(body), ..])
                    if word == "mod" =>
                {
                    self.walk(body.stream(), &child(module, &name.to_string()));
                    after.get(2..).unwrap_or_default()
                }
                (TokenTree::Ident(_), _) => self.path(rest, &[], module),
                (TokenTree::Group(group), _) => {
                    self.walk(group.stream(), module);
                    after
                }
                _ => after,
            };
        }
    }

    /// Skips to behind the item: a `;`, or a body in braces.
    fn skip_test_item<'a>(&mut self, item: &'a [TokenTree], module: &[String]) -> &'a [TokenTree] {
        let is_use = item.iter().take(3).any(|token| is_word(token, "use"));
        let end = item.iter().position(|token| match token {
            TokenTree::Punct(mark) => mark.as_char() == ';',
            TokenTree::Group(body) => !is_use && body.delimiter() == Delimiter::Brace,
            _ => false,
        });
        let (item, rest) = item.split_at(end.map_or(item.len(), |end| end + 1));
        if let [
            ..,
            TokenTree::Ident(word),
            TokenTree::Ident(name),
            TokenTree::Punct(_),
        ] = item
            && word == "mod"
        {
            self.test_modules.push(child(module, &name.to_string()));
        }
        rest
    }

    /// Reads one path, or a `use` tree, and notes every full path in it; returns what follows.
    fn path<'a>(
        &mut self,
        tokens: &'a [TokenTree],
        before: &[String],
        module: &[String],
    ) -> &'a [TokenTree] {
        match tokens {
            [TokenTree::Ident(word), rest @ ..] => {
                let path = child(before, &word.to_string());
                match rest {
                    [TokenTree::Punct(one), TokenTree::Punct(two), rest @ ..]
                        if (one.as_char(), two.as_char()) == (':', ':') =>
                    {
                        self.path(rest, &path, module)
                    }
                    _ => {
                        self.paths.push(resolve(&path, module));
                        rest
                    }
                }
            }
            [TokenTree::Group(list), rest @ ..] if list.delimiter() == Delimiter::Brace => {
                let list: Vec<_> = list.stream().into_iter().collect();
                let mut members = list.as_slice();
                while let Some((first, after)) = members.split_first() {
                    members = match first {
                        TokenTree::Ident(_) => self.path(members, before, module),
                        _ => after,
                    };
                }
                rest
            }
            // A star, or the `<` of a turbofish.
            _ => {
                self.paths.push(resolve(before, module));
                tokens
            }
        }
    }
}

fn module_of(file: &str) -> Vec<String> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    let inner = inner.trim_end_matches("/mod");
    let parts = inner.split('/').filter(|part| *part != "lib");
    parts.map(str::to_owned).collect()
}

/// `super`, `self` and the crate's own name, as seen from the root.
fn resolve(path: &[String], module: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let base = match path.first().map(String::as_str) {
        Some("super") => module.get(..module.len() - ups).unwrap_or_default(),
        Some("self") if path.len() > 1 => module,
        Some("larder") => &[],
        _ => return path.to_vec(),
    };
    let rest = path.get(ups.max(1)..).unwrap_or_default();
    [&["crate".to_owned()], base, rest].concat()
}

fn child(module: &[String], name: &str) -> Vec<String> {
    [module, &[name.to_owned()]].concat()
}

/// Whether `path` is `with`, or goes on from it.
pub(crate) fn begins(path: &[String], with: &[&str]) -> bool {
    path.len() >= with.len() && path.iter().zip(with).all(|(part, word)| part == word)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_cfg_test(attribute: &TokenTree) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}
