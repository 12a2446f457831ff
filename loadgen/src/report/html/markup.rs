//! HTML and SVG as a tree. All text and all attribute values are escaped here, so nothing from a
//! file or the command line can become markup.

use std::fmt::{self, Display, Formatter, Write};

/// Elements without an end tag.
const VOID: [&str; 2] = ["meta", "br"];

/// An element with its content.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Element(Element),
    Text(String),
    /// A part of this program, which is not escaped.
    Trusted(&'static str),
}

/// Creates an element.
pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new() }
}

impl Element {
    pub(super) fn attr(mut self, name: &'static str, value: impl Display) -> Element {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// Sets a coordinate or length of SVG, rounded to a tenth: finer differences cannot be seen.
    pub(super) fn at(self, name: &'static str, value: f64) -> Element {
        self.attr(name, (value * 10.0).round() / 10.0)
    }

    pub(super) fn class(self, value: impl Display) -> Element {
        self.attr("class", value)
    }

    pub(super) fn text(mut self, text: impl Display) -> Element {
        self.children.push(Node::Text(text.to_string()));
        self
    }

    pub(super) fn trusted(mut self, text: &'static str) -> Element {
        self.children.push(Node::Trusted(text));
        self
    }

    pub(super) fn child(mut self, child: Element) -> Element {
        self.children.push(Node::Element(child));
        self
    }

    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"")?;
            escape(f, value)?;
            f.write_char('"')?;
        }
        f.write_char('>')?;
        if VOID.contains(&self.name) {
            return Ok(());
        }
        for child in &self.children {
            match child {
                Node::Element(element) => element.fmt(f)?,
                Node::Text(text) => escape(f, text)?,
                Node::Trusted(text) => f.write_str(text)?,
            }
        }
        write!(f, "</{}>", self.name)
    }
}

fn escape(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '&' => f.write_str("&amp;")?,
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            '\n' | '\t' => f.write_char(character)?,
            // HTML allows no other control characters.
            control if control.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let page = element("p")
            .attr("title", "\"'><script>")
            .text("<script>alert('&')</script>\u{0}")
            .child(element("br"));
        assert_eq!(
            page.to_string(),
            "<p title=\"&quot;&#39;&gt;&lt;script&gt;\">&lt;script&gt;alert(&#39;&amp;&#39;)\
             &lt;/script&gt;\u{fffd}<br></p>"
        );
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(element("g").at("x", 1.0 / 3.0).to_string(), "<g x=\"0.3\"></g>");
    }
}
