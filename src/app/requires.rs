//! Finds the names that Lua code requires with `require("name")`, without running the code.
//!
//! Only calls with a literal name are found, which are nearly all. The reader only recognises where
//! strings and comments end in Lua; the compiler has already accepted the code.

/// Lists the names that code requires, each with its line in the code, from 1.
pub(super) fn find(code: &str) -> Vec<(u32, &str)> {
    let mut reader = Reader { code, position: 0, line: 1 };
    let (mut found, mut before) = (Vec::new(), Token::Other);
    while let Some(token) = reader.next() {
        if token == Token::Name("require") {
            // A field or method named `require` is another function. If the code declares its own
            // `require`, no name is reported.
            match before {
                Token::Mark(b'.' | b':') => {}
                Token::Name("function" | "local") => return Vec::new(),
                _ => found.extend(reader.clone().argument()),
            }
        }
        before = token;
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Name(&'a str),
    /// The text between the quotes or brackets.
    Text(&'a str),
    Mark(u8),
    Other,
}

#[derive(Clone)]
struct Reader<'a> {
    code: &'a str,
    position: usize,
    line: u32,
}

impl<'a> Reader<'a> {
    /// Reads the argument of the call that follows and returns the name with its line; `None` if
    /// the argument is not a single literal.
    fn argument(mut self) -> Option<(u32, &'a str)> {
        let mut token = self.next()?;
        let is_in_brackets = token == Token::Mark(b'(');
        if is_in_brackets {
            token = self.next()?;
        }
        let Token::Text(name) = token else { return None };
        let line = self.line;
        let is_whole = !is_in_brackets || self.next() == Some(Token::Mark(b')'));
        (is_whole && !name.contains('\\')).then_some((line, name))
    }

    fn rest(&self) -> &'a str {
        &self.code[self.position..]
    }

    /// Advances by `count` bytes and returns them.
    fn take(&mut self, count: usize) -> &'a str {
        let taken = &self.rest()[..count];
        let lines = taken.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.position += count;
        taken
    }

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let blank = self.rest().len() - self.rest().trim_start().len();
            self.take(blank);
            if !self.rest().starts_with("--") {
                break;
            }
            self.take(2);
            if self.bracketed().is_none() {
                self.take(self.rest().find(['\n', '\r']).unwrap_or(self.rest().len()));
            }
        }
        let first = *self.rest().as_bytes().first()?;
        if let Some(text) = self.bracketed() {
            return Some(Token::Text(text));
        }
        Some(match first {
            b'"' | b'\'' => self.quoted(first),
            _ if is_of_name(&first) => {
                let length = self.rest().bytes().take_while(is_of_name).count();
                Token::Name(self.take(length))
            }
            // Concatenation (`..`) and labels (`::`), not the mark before a field or a method.
            b'.' | b':' if self.rest().as_bytes().get(1) == Some(&first) => {
                let length = self.rest().bytes().take_while(|byte| *byte == first).count();
                self.take(length);
                Token::Other
            }
            _ if first.is_ascii() => {
                self.take(1);
                Token::Mark(first)
            }
            _ => {
                let length = self.rest().chars().next().map_or(1, char::len_utf8);
                self.take(length);
                Token::Other
            }
        })
    }

    fn quoted(&mut self, quote: u8) -> Token<'a> {
        let (mut length, mut is_escaped) = (1, false);
        for byte in self.rest().bytes().skip(1) {
            if byte == quote && !is_escaped {
                break;
            }
            is_escaped = byte == b'\\' && !is_escaped;
            length += 1;
        }
        let text = &self.take(length)[1..];
        self.take(usize::from(!self.rest().is_empty()));
        Token::Text(text)
    }

    /// Reads a string or comment in long brackets, `[[ ]]` or `[==[ ]==]`, if one begins here.
    fn bracketed(&mut self) -> Option<&'a str> {
        let level = self.rest().strip_prefix('[')?.bytes().take_while(|b| *b == b'=').count();
        if !self.rest()[level + 1..].starts_with('[') {
            return None;
        }
        let end = format!("]{}]", "=".repeat(level));
        self.take(level + 2);
        let text = self.take(self.rest().find(&end).unwrap_or(self.rest().len()));
        self.take(end.len().min(self.rest().len()));
        Some(text)
    }
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_with_a_name_are_found() {
        let code = "local a = require('a')\nlocal b = require \"b\"\n\nrequire(\n[[c]])\n\
                    local d <const>, e = require[==[d]==], pcall(require, 'e')\n\
                    return require('f').g('x'), { require = require \"h\" }, 'x' .. require('i')\n\
                    ::again:: require('j')";
        let expected =
            [(1, "a"), (2, "b"), (5, "c"), (6, "d"), (7, "f"), (7, "h"), (7, "i"), (8, "j")];
        assert_eq!(find(code), expected);
    }

    #[test]
    fn what_is_no_call_is_not() {
        for code in [
            "-- require('a')",
            "--[[ require('a')\n require('b') ]] x()",
            "--[==[ ]] require('a') ]==]",
            "local t = \"require('a')\" .. 'require(\"b\")' .. [[require('c')]]",
            "local t = 'it\\'s require(\"a\")' .. \"\\\\\"",
            "t.require('a') t:require('b') my_require('c') require_('d')",
            "require(name) require('app.' .. name) require('a' or b) require('a', b)",
            "local function require(name) end require('a')",
            "function require(name) end require('a')",
            "-- a\rlocal require = x require('b')",
            "local require = nil",
            "require('\\97')",
            "require",
            "",
            "\u{e9}\u{1f319}",
        ] {
            assert_eq!(find(code), [], "{code}");
        }
    }

    /// The reader sees only code that compiles, but must terminate on any text.
    #[test]
    fn any_text_has_an_end() {
        for code in ["\"", "'\\", "[[", "--[[", "[=", "[", "require(", "require('", "--", "\\"] {
            find(code);
        }
    }
}
