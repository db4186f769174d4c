//! The graph of a table as a picture.

use core::fmt;

use layout::backends::svg::SVGWriter;
use layout::gv::{DotParser, GraphBuilder};

use super::graph::Graph;

impl Graph {
    /// The graph as an SVG picture; each handler's box names its worker.
    ///
    /// # Errors
    ///
    /// [`SvgError`] if the layout library does not understand the graph's DOT text.
    pub fn svg(&self) -> Result<String, SvgError> {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_dot(&mut text, false);
        let graph = DotParser::new(&text).process().map_err(SvgError)?;
        let mut builder = GraphBuilder::new();
        builder.visit_graph(&graph);
        let mut picture = SVGWriter::new();
        builder.get().do_it(false, false, false, &mut picture);
        Ok(picture.finalize())
    }
}

/// The layout library did not understand a graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SvgError(String);

impl fmt::Display for SvgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the graph cannot be drawn: {}", self.0)
    }
}

impl std::error::Error for SvgError {}
