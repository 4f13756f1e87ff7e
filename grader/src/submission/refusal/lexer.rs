//! Takes Rust code apart into words: enough of the language's lexical rules to
//! tell a word of code from one in a comment or a text, and no more.

/// A word of code, and its line from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub line: usize,
    pub word: Word<'a>,
}

/// A word of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// A name or keyword, without a leading `r#`.
    Name(&'a str),
    /// Any other sign. Numbers, texts and lifetimes are left out.
    Mark(char),
}

/// Takes `text` apart.
pub(super) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        rest: text,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.rest.chars().next() {
        let line = lexer.line;
        if let Some(word) = lexer.word(first) {
            tokens.push(Token { line, word });
        }
    }
    tokens
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lexer<'a> {
    /// Goes past what begins with `first`, and says what it is if it matters.
    fn word(&mut self, first: char) -> Option<Word<'a>> {
        if self.rest.starts_with("//") {
            self.skip_to("\n");
        } else if self.rest.starts_with("/*") {
            self.comment();
        } else if let Some(hashes) = self.raw_text() {
            self.skip_to("\"");
            self.skip_to(&format!("\"{}", "#".repeat(hashes)));
        } else if let Some(prefix) = self.prefix(&["\"", "b\"", "c\""]) {
            self.advance(prefix);
            self.quoted('"');
        } else if let Some(prefix) = self.prefix(&["b'"]) {
            self.advance(prefix);
            self.quoted('\'');
        } else if first == '\'' {
            self.character_or_lifetime();
        } else if let Some(name) = self.rest.strip_prefix("r#").and_then(name) {
            self.advance(2 + name.len());
            return Some(Word::Name(name));
        } else if let Some(name) = name(self.rest) {
            self.advance(name.len());
            return Some(Word::Name(name));
        } else if first.is_ascii_digit() {
            // With its suffix, which looks like a name.
            let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
            let end = self.rest.find(|letter| !inside(letter));
            self.advance(end.unwrap_or(self.rest.len()));
        } else {
            self.advance(first.len_utf8());
            return (!first.is_whitespace()).then_some(Word::Mark(first));
        }
        None
    }

    fn advance(&mut self, bytes: usize) {
        let (past, rest) = self.rest.split_at(bytes);
        self.line += past.matches('\n').count();
        self.rest = rest;
    }

    /// Goes past the next `end`, or to the end of all.
    fn skip_to(&mut self, end: &str) {
        let found = self.rest.find(end).map(|at| at + end.len());
        self.advance(found.unwrap_or(self.rest.len()));
    }

    /// Comments in blocks stand within each other.
    fn comment(&mut self) {
        let mut depth = 0;
        loop {
            match self.rest {
                "" => return,
                rest if rest.starts_with("/*") => (depth, _) = (depth + 1, self.advance(2)),
                rest if rest.starts_with("*/") => {
                    self.advance(2);
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                rest => self.advance(rest.chars().next().map_or(0, char::len_utf8)),
            }
        }
    }

    /// The number of `#` if a raw text begins here.
    fn raw_text(&self) -> Option<usize> {
        let prefix = self.prefix(&["br", "cr", "r"])?;
        let behind = self.rest[prefix..].trim_start_matches('#');
        let hashes = self.rest.len() - prefix - behind.len();
        behind.starts_with('"').then_some(hashes)
    }

    fn prefix(&self, all: &[&str]) -> Option<usize> {
        let found = all.iter().find(|prefix| self.rest.starts_with(**prefix));
        found.map(|prefix| prefix.len())
    }

    /// Goes past the rest of a text or character, to the closing quote.
    fn quoted(&mut self, quote: char) {
        let mut escaped = false;
        let end = self.rest.find(|letter| {
            let ends = letter == quote && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        self.advance(end.map_or(self.rest.len(), |at| at + 1));
    }

    fn character_or_lifetime(&mut self) {
        self.advance(1);
        let mut letters = self.rest.chars();
        let (first, second) = (letters.next(), letters.next());
        match (first, second) {
            (Some('\\'), _) | (_, Some('\'')) => self.quoted('\''),
            _ => {
                // A lifetime or label: what it is called does not matter.
                let length = name(self.rest).map_or(0, str::len);
                self.advance(length);
            }
        }
    }
}

/// The name that `text` begins with.
fn name(text: &str) -> Option<&str> {
    let begins = |letter: char| letter.is_alphabetic() || letter == '_';
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.starts_with(begins).then(|| {
        let end = text.find(|letter| !inside(letter));
        &text[..end.unwrap_or(text.len())]
    })
}
