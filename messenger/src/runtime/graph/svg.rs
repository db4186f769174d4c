//! The graph of a table as a picture.

use layout::adt::dag::NodeHandle;
use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::geometry::Point;
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;

use super::drawing::{Drawing, plain};

impl Drawing<'_> {
    /// The graph as an SVG picture: a box for each handler, which names its worker, and a round one for who sends from
    /// outside. What goes from one to the other stands in a grey box between them.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut picture = VisualGraph::new(Orientation::LeftToRight);
        let nodes: Vec<NodeHandle> = (self.nodes().iter())
            .map(|node| {
                let mut lines = node.label();
                let worker = node.worker.map(|worker| self.workers[worker].name);
                let worker = worker.map(|name| format!("on {name}"));
                lines.extend(worker.as_deref());
                let rounded = if worker.is_some() { 0 } else { 15 };
                picture.add_node(shape(&plain(&lines), 14, rounded))
            })
            .collect();
        let bundles = self.bundles();
        let dropped = bundles.iter().any(|bundle| bundle.to.is_none());
        let dropped = dropped.then(|| picture.add_node(shape("dropped", 14, 15)));
        for bundle in bundles {
            let Some(to) = bundle.to.map(|to| nodes[to]).or(dropped) else {
                continue;
            };
            let line = match bundle.to {
                Some(_) => LineStyleKind::Normal,
                None => LineStyleKind::Dashed,
            };
            let mut messages = shape(&plain(&bundle.messages), 12, 0);
            messages.look.line_color = Color::transparent();
            messages.look.fill_color = Some(Color::fast("whitesmoke"));
            let messages = picture.add_node(messages);
            picture.add_edge(arrow(LineEndKind::None, line), nodes[bundle.from], messages);
            picture.add_edge(arrow(LineEndKind::Arrow, line), messages, to);
        }
        let mut svg = SVGWriter::new();
        picture.do_it(false, false, false, &mut svg);
        fit(&in_order(&svg.finalize()), &picture)
    }
}

/// Sorts the classes of the fonts, so that one graph is one text: the layout library writes them in the order of a hash map.
fn in_order(svg: &str) -> String {
    const STYLE: (&str, &str) = ("<style>\n", "</style>");
    let parts =
        (svg.split_once(STYLE.0)).and_then(|(head, rest)| Some((head, rest.split_once(STYLE.1)?)));
    let Some((head, (classes, rest))) = parts else {
        return svg.into();
    };
    let mut classes: Vec<&str> = classes.split_inclusive('\n').collect();
    classes.sort_unstable();
    [head, STYLE.0, &classes.concat(), STYLE.1, rest].concat()
}

/// Puts the picture into a frame that fits what is drawn: the layout library's own also holds the points by which it
/// bends lines, far away from them.
fn fit(svg: &str, picture: &VisualGraph) -> String {
    let body = svg
        .split_once("<svg")
        .and_then(|(_, rest)| rest.split_once('>'));
    let (mut width, mut height) = (0.0_f64, 0.0_f64);
    for node in picture.iter_nodes() {
        width = width.max(picture.pos(node).right(true));
        height = height.max(picture.pos(node).bottom(true));
    }
    let (width, height) = (width.ceil(), height.ceil());
    format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\">{}",
        body.map_or("</svg>", |(_, body)| body)
    )
}

/// A box around some lines.
fn shape(text: &str, font: usize, rounded: usize) -> Element {
    let width = text
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    // A letter of the font is about six tenths as wide as it is high.
    let (width, height) = (width as f64 * 0.6 + 1.5, text.lines().count() as f64 + 0.7);
    let size = Point::new(width, height).scale(font as f64);
    let look = StyleAttr::new(
        Color::fast("black"),
        1,
        Some(Color::fast("white")),
        rounded,
        font,
    );
    Element::create(
        ShapeKind::new_box(text),
        look,
        Orientation::TopToBottom,
        size,
    )
}

fn arrow(end: LineEndKind, line: LineStyleKind) -> Arrow {
    let look = StyleAttr::new(Color::fast("black"), 1, None, 0, 12);
    Arrow::new(LineEndKind::None, end, line, "", &look, &None, &None)
}
