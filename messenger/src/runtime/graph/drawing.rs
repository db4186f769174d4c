//! The graph of a table, ready to be drawn: as Mermaid and DOT text. `svg.rs` makes a picture of it.
//!
//! A table comes from the compiler ([`Graph`](crate::runtime::Graph)) or from a journal; here both are the same.

use core::fmt::{self, Write};
use core::ops::Range;

use crate::bus::SourceId;

/// Who sends what to whom in a table, by name.
#[derive(Clone, Debug)]
pub struct Drawing<'a> {
    name: &'a str,
    pub(super) workers: Vec<Lane<'a>>,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge<'a>>,
}

/// A worker, and which nodes are its handlers.
#[derive(Clone, Debug)]
pub(super) struct Lane<'a> {
    pub(super) name: &'a str,
    nodes: Range<usize>,
}

/// A handler, or a source from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Node<'a> {
    /// Its name in the table; of a source from outside, its type's.
    pub name: &'a str,
    /// The name of its type.
    pub type_name: &'a str,
    /// The id in the records it sends.
    pub id: SourceId,
    /// The worker it runs on, as an index; `None`: outside.
    pub worker: Option<usize>,
}

/// Messages of one type on their way from one node to another.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Edge<'a> {
    /// Who sends them: an index into the nodes.
    pub from: usize,
    /// Who gets them; `None`: nobody, they are dropped.
    pub to: Option<usize>,
    /// What they are.
    pub message: &'a str,
}

/// How a drawing is put together: workers with their handlers, then who sends from outside, then routes in the order of
/// the table, then what is dropped.
impl<'a> Drawing<'a> {
    pub(in crate::runtime) const fn new(name: &'a str) -> Self {
        Self {
            name,
            workers: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// The next worker, and its handlers: name, type and id of each.
    pub(in crate::runtime) fn worker(
        &mut self,
        name: &'a str,
        handlers: impl Iterator<Item = (&'a str, &'a str, SourceId)>,
    ) {
        let (worker, first) = (Some(self.workers.len()), self.nodes.len());
        self.nodes
            .extend(handlers.map(|(name, type_name, id)| Node {
                name,
                type_name,
                id,
                worker,
            }));
        let nodes = first..self.nodes.len();
        self.workers.push(Lane { name, nodes });
    }

    /// The node of a source, which is outside unless it was named before.
    pub(in crate::runtime) fn source(
        &mut self,
        name: &'a str,
        type_name: &'a str,
        id: SourceId,
    ) -> usize {
        let known = self.nodes.iter().position(|node| node.id == id);
        known.unwrap_or_else(|| {
            self.nodes.push(Node {
                name,
                type_name,
                id,
                worker: None,
            });
            self.nodes.len() - 1
        })
    }

    /// Messages from a source to some of the handlers of a worker.
    pub(in crate::runtime) fn route(
        &mut self,
        from: usize,
        message: &'a str,
        worker: usize,
        receivers: &[u16],
    ) {
        let Some(lane) = self.workers.get(worker) else {
            return;
        };
        // A table that was written by hand may name a receiver which it hasn't got.
        let to = receivers.iter().filter_map(|&receiver| {
            let to = lane.nodes.start + usize::from(receiver);
            lane.nodes.contains(&to).then_some(Some(to))
        });
        (self.edges).extend(to.map(|to| Edge { from, to, message }));
    }

    /// Messages from a source to nobody.
    pub(in crate::runtime) fn dropped(&mut self, from: usize, message: &'a str) {
        self.edges.push(Edge {
            from,
            to: None,
            message,
        });
    }
}

impl<'a> Drawing<'a> {
    /// All handlers in the order of the table, then who sends from outside.
    #[must_use]
    pub fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// Who sends what to whom, in the order of the table.
    #[must_use]
    pub fn edges(&self) -> &[Edge<'a>] {
        &self.edges
    }

    pub(super) fn into_nodes(self) -> Vec<Node<'a>> {
        self.nodes
    }

    pub(super) fn into_edges(self) -> Vec<Edge<'a>> {
        self.edges
    }

    /// The edges with those of the same two nodes taken together, as they are drawn.
    pub(super) fn bundles(&self) -> Vec<Bundle<'a>> {
        let mut bundles: Vec<Bundle<'a>> = Vec::new();
        for &Edge { from, to, message } in &self.edges {
            match bundles.iter_mut().find(|b| (b.from, b.to) == (from, to)) {
                Some(bundle) => bundle.messages.push(message),
                None => bundles.push(Bundle {
                    from,
                    to,
                    messages: vec![message],
                }),
            }
        }
        bundles
    }

    /// The graph as a Mermaid flowchart, as many places that render Markdown draw it.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        // Writing to a string cannot fail.
        let _ = self.write_mermaid(&mut text);
        text
    }

    fn write_mermaid(&self, to: &mut String) -> fmt::Result {
        for (index, worker) in self.workers.iter().enumerate() {
            writeln!(to, "    subgraph w{index}[\"{}\"]", mermaid(&[worker.name]))?;
            for n in worker.nodes.clone() {
                let label = mermaid(&self.nodes[n].label());
                writeln!(to, "        n{n}[\"{label}\"]")?;
            }
            writeln!(to, "    end")?;
        }
        for (n, node) in self.nodes.iter().enumerate() {
            if node.worker.is_none() {
                writeln!(to, "    n{n}([\"{}\"])", mermaid(&node.label()))?;
            }
        }
        let bundles = self.bundles();
        if bundles.iter().any(|bundle| bundle.to.is_none()) {
            writeln!(to, "    dropped((\"dropped\"))")?;
        }
        for bundle in bundles {
            let (from, messages) = (bundle.from, mermaid(&bundle.messages));
            match bundle.to {
                Some(node) => writeln!(to, "    n{from} -->|{messages}| n{node}")?,
                None => writeln!(to, "    n{from} -.->|{messages}| dropped")?,
            }
        }
        Ok(())
    }

    /// The graph in the DOT language of Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_dot(&mut text);
        text
    }

    fn write_dot(&self, to: &mut String) -> fmt::Result {
        writeln!(to, "digraph {} {{", dot_id(self.name))?;
        writeln!(to, "    rankdir=LR;")?;
        for (index, worker) in self.workers.iter().enumerate() {
            writeln!(to, "    subgraph cluster_{index} {{")?;
            writeln!(to, "        label=\"{}\";", dot(&[worker.name]))?;
            for n in worker.nodes.clone() {
                let label = dot(&self.nodes[n].label());
                writeln!(to, "        n{n} [shape=box, label=\"{label}\"];")?;
            }
            writeln!(to, "    }}")?;
        }
        for (n, node) in self.nodes.iter().enumerate() {
            if node.worker.is_none() {
                let label = dot(&node.label());
                writeln!(to, "    n{n} [shape=ellipse, label=\"{label}\"];")?;
            }
        }
        let bundles = self.bundles();
        if bundles.iter().any(|bundle| bundle.to.is_none()) {
            writeln!(to, "    dropped [shape=circle, label=\"dropped\"];")?;
        }
        for bundle in bundles {
            let (from, label) = (bundle.from, dot(&bundle.messages));
            match bundle.to {
                Some(node) => writeln!(to, "    n{from} -> n{node} [label=\"{label}\"];")?,
                None => writeln!(
                    to,
                    "    n{from} -> dropped [label=\"{label}\", style=dashed];"
                )?,
            }
        }
        writeln!(to, "}}")
    }
}

/// All messages that go from one node to another, or are dropped.
pub(super) struct Bundle<'a> {
    pub(super) from: usize,
    pub(super) to: Option<usize>,
    pub(super) messages: Vec<&'a str>,
}

impl<'a> Node<'a> {
    /// The lines of its label: its name, and below it its type's, if that is another one.
    pub(super) fn label(&self) -> Vec<&'a str> {
        let mut lines = vec![self.name, self.type_name];
        lines.dedup();
        lines
    }
}

/// Some lines in Mermaid. What may be more than a letter to it becomes a number.
fn mermaid(lines: &[&str]) -> String {
    joined(lines, "<br/>", |to, char| {
        if char.is_alphanumeric() || matches!(char, '_' | ' ') {
            to.push(char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(to, "#{};", u32::from(char));
        }
    })
}

/// Some lines between the quotes of DOT.
fn dot(lines: &[&str]) -> String {
    joined(lines, "\\n", |to, char| match char {
        '"' => to.push_str("\\\""),
        '\\' => to.push_str("\\\\"),
        '\n' => to.push_str("\\n"),
        other => to.push(harmless(other)),
    })
}

/// Some lines of a picture.
#[cfg(feature = "svg")]
pub(super) fn plain(lines: &[&str]) -> String {
    joined(lines, "\n", |to, char| to.push(harmless(char)))
}

/// A character, or what stands in place of one that would command a terminal or may not be in XML. A line's end is neither.
fn harmless(char: char) -> char {
    match char {
        '\u{FFFE}' | '\u{FFFF}' => char::REPLACEMENT_CHARACTER,
        _ if char.is_control() && char != '\n' => char::REPLACEMENT_CHARACTER,
        _ => char,
    }
}

/// A name in DOT, with quotes if it needs them.
fn dot_id(name: &str) -> String {
    const KEYWORDS: [&str; 6] = ["node", "edge", "graph", "digraph", "subgraph", "strict"];
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && !name.is_empty()
        && !KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(name));
    if plain {
        name.into()
    } else {
        format!("\"{}\"", dot(&[name]))
    }
}

fn joined(lines: &[&str], line_break: &str, put: impl Fn(&mut String, char)) -> String {
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            text.push_str(line_break);
        }
        for char in line.chars() {
            put(&mut text, char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_out_of_its_place() {
        let mut drawing = Drawing::new("graph");
        drawing.worker("w\"]", [("h", "H<T>", SourceId::new(1))].into_iter());
        let from = drawing.source("out\\", "out\\", SourceId::new(2));
        // The second receiver isn't there.
        drawing.route(from, "a|b\n", 0, &[0, 1]);
        assert_eq!(
            drawing.mermaid(),
            "flowchart LR
    subgraph w0[\"w#34;#93;\"]
        n0[\"h<br/>H#60;T#62;\"]
    end
    n1([\"out#92;\"])
    n1 -->|a#124;b#10;| n0
"
        );
        assert_eq!(
            drawing.dot(),
            r#"digraph "graph" {
    rankdir=LR;
    subgraph cluster_0 {
        label="w\"]";
        n0 [shape=box, label="h\nH<T>"];
    }
    n1 [shape=ellipse, label="out\\"];
    n1 -> n0 [label="a|b\n"];
}
"#
        );
    }

    #[test]
    fn no_name_commands_a_terminal() {
        let mut drawing = Drawing::new("g\u{9b}1m");
        drawing.worker("w\x1b[1m", [("h\x07", "H\0", SourceId::new(1))].into_iter());
        let from = drawing.source("out\u{FFFF}", "out\x1b", SourceId::new(2));
        drawing.route(from, "a\u{85}\tb", 0, &[0]);
        let texts = [drawing.mermaid(), drawing.dot()];
        #[cfg(feature = "svg")]
        let texts = texts.into_iter().chain([drawing.svg()]);
        for text in texts {
            let mut chars = text.chars();
            let wrong = chars.find(|&char| char == '\u{FFFF}' || char.is_control() && char != '\n');
            assert_eq!(wrong, None, "{text:?}");
        }
    }
}
