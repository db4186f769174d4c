//! The graph of a table: as data, and as Mermaid and DOT text.

use core::fmt::{self, Write};

use super::app::App;
use super::describe::AppInfo;
use crate::bus::SourceId;

/// Who sends what to whom in a table.
///
/// ```no_run
/// # fn draw<Game: messenger::App>() {
/// let graph = messenger::Graph::of::<Game>();
/// println!("{}", graph.mermaid());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Graph {
    app: &'static AppInfo,
}

/// A handler, or a source from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Node {
    /// Its name in the table; of a source from outside, its type's.
    pub name: &'static str,
    /// The name of its type.
    pub type_name: &'static str,
    /// The id in the records it sends.
    pub id: SourceId,
    /// The worker it runs on, as an index; `None`: outside.
    pub worker: Option<usize>,
}

/// Messages of one type on their way from one node to another.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Edge {
    /// Who sends them: an index into [`Graph::nodes`].
    pub from: usize,
    /// Who gets them; `None`: nobody, they are dropped.
    pub to: Option<usize>,
    /// What they are.
    pub message: &'static str,
}

impl Graph {
    /// The graph of the table `A`.
    #[must_use]
    pub const fn of<A: App>() -> Self {
        Self { app: A::INFO }
    }

    /// The table as data.
    #[must_use]
    pub const fn info(&self) -> &'static AppInfo {
        self.app
    }

    /// All handlers in the order of the table, then who sends from outside.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (index, worker) in self.app.workers.iter().enumerate() {
            nodes.extend(worker.handlers.iter().map(|handler| Node {
                name: handler.name,
                type_name: handler.source.name,
                id: handler.source.id,
                worker: Some(index),
            }));
        }
        let mut outside = |name, type_name, id| {
            if !nodes.iter().any(|node| node.id == id) {
                nodes.push(Node {
                    name,
                    type_name,
                    id,
                    worker: None,
                });
            }
        };
        for source in self.app.outside {
            outside(source.label(), source.name, source.id);
        }
        // A source that runs elsewhere, under another table.
        for route in self.app.workers.iter().flat_map(|worker| worker.routes) {
            outside(route.source_name, route.source_name, route.source);
        }
        for dropped in self.app.dropped {
            outside(dropped.source_name, dropped.source_name, dropped.source);
        }
        nodes
    }

    /// Who sends what to whom, in the order of the table.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let nodes = self.nodes();
        let from = |id| nodes.iter().position(|node| node.id == id);
        let mut edges = Vec::new();
        let mut first = 0;
        for worker in self.app.workers {
            for route in worker.routes {
                let Some(from) = from(route.source) else {
                    continue;
                };
                edges.extend(route.receivers.iter().map(|&receiver| Edge {
                    from,
                    to: Some(first + usize::from(receiver)),
                    message: route.message.name,
                }));
            }
            first += worker.handlers.len();
        }
        edges.extend(self.app.dropped.iter().filter_map(|dropped| {
            Some(Edge {
                from: from(dropped.source)?,
                to: None,
                message: dropped.message.name,
            })
        }));
        edges
    }

    /// The edges with those of the same two nodes taken together, as they are drawn.
    pub(crate) fn bundles(&self) -> Vec<Bundle> {
        let mut bundles: Vec<Bundle> = Vec::new();
        for Edge { from, to, message } in self.edges() {
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
        let nodes = self.nodes();
        for (index, worker) in self.app.workers.iter().enumerate() {
            writeln!(to, "    subgraph w{index}[\"{}\"]", worker.name)?;
            for (n, node) in nodes.iter().enumerate() {
                if node.worker == Some(index) {
                    writeln!(to, "        n{n}[\"{}\"]", Label(node, "<br/>"))?;
                }
            }
            writeln!(to, "    end")?;
        }
        for (n, node) in nodes.iter().enumerate() {
            if node.worker.is_none() {
                writeln!(to, "    n{n}([\"{}\"])", Label(node, "<br/>"))?;
            }
        }
        let bundles = self.bundles();
        if bundles.iter().any(|bundle| bundle.to.is_none()) {
            writeln!(to, "    dropped((\"dropped\"))")?;
        }
        for Bundle {
            from,
            to: node,
            messages,
        } in bundles
        {
            let messages = messages.join("<br/>");
            match node {
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
        let nodes = self.nodes();
        writeln!(to, "digraph {} {{", self.app.name)?;
        writeln!(to, "    rankdir=LR;")?;
        for (index, worker) in self.app.workers.iter().enumerate() {
            writeln!(to, "    subgraph cluster_{index} {{")?;
            writeln!(to, "        label=\"{}\";", worker.name)?;
            for (n, node) in nodes.iter().enumerate() {
                if node.worker == Some(index) {
                    let label = Label(node, "\\n");
                    writeln!(to, "        n{n} [shape=box, label=\"{label}\"];")?;
                }
            }
            writeln!(to, "    }}")?;
        }
        for (n, node) in nodes.iter().enumerate() {
            if node.worker.is_none() {
                let label = Label(node, "\\n");
                writeln!(to, "    n{n} [shape=ellipse, label=\"{label}\"];")?;
            }
        }
        let bundles = self.bundles();
        if bundles.iter().any(|bundle| bundle.to.is_none()) {
            writeln!(to, "    dropped [shape=circle, label=\"dropped\"];")?;
        }
        for Bundle {
            from,
            to: node,
            messages,
        } in bundles
        {
            let label = messages.join("\\n");
            match node {
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
pub(crate) struct Bundle {
    pub(crate) from: usize,
    pub(crate) to: Option<usize>,
    pub(crate) messages: Vec<&'static str>,
}

/// A node's name, and below it its type's, if that is another one.
pub(crate) struct Label<'a>(pub(crate) &'a Node, pub(crate) &'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(node, line_break) = self;
        f.write_str(node.name)?;
        if node.name != node.type_name {
            write!(f, "{line_break}{}", node.type_name)?;
        }
        Ok(())
    }
}
