//! The graph of a compiled table.

mod drawing;
#[cfg(feature = "svg")]
mod svg;

pub use drawing::{Drawing, Edge, Node};

use super::app::App;
use super::describe::AppInfo;

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

    /// The graph as it is drawn.
    #[must_use]
    pub fn drawing(&self) -> Drawing<'static> {
        Drawing::of_info(self.app)
    }

    /// All handlers in the order of the table, then who sends from outside.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node<'static>> {
        self.drawing().into_nodes()
    }

    /// Who sends what to whom, in the order of the table.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge<'static>> {
        self.drawing().into_edges()
    }

    /// The graph as a Mermaid flowchart, as many places that render Markdown draw it.
    #[must_use]
    pub fn mermaid(&self) -> String {
        self.drawing().mermaid()
    }

    /// The graph in the DOT language of Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        self.drawing().dot()
    }

    /// The graph as an SVG picture; see [`Drawing::svg`].
    #[cfg(feature = "svg")]
    #[must_use]
    pub fn svg(&self) -> String {
        self.drawing().svg()
    }
}

impl Drawing<'static> {
    /// The graph of a compiled table.
    pub(super) fn of_info(app: &'static AppInfo) -> Self {
        let mut drawing = Self::new(app.name);
        for worker in app.workers {
            let handlers = worker.handlers.iter();
            let handlers = handlers.map(|h| (h.name, h.source.name, h.source.id));
            drawing.worker(worker.name, handlers);
        }
        for source in app.outside {
            drawing.source(source.label(), source.name, source.id);
        }
        // A source that stands only in routes runs elsewhere, under another table.
        for (index, worker) in app.workers.iter().enumerate() {
            for route in worker.routes {
                let from = drawing.source(route.source_name, route.source_name, route.source);
                drawing.route(from, route.message.name, index, route.receivers);
            }
        }
        for dropped in app.dropped {
            let from = drawing.source(dropped.source_name, dropped.source_name, dropped.source);
            drawing.dropped(from, dropped.message.name);
        }
        drawing
    }
}
