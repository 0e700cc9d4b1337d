//! Stage one: YAML text to the tree.
//!
//! The parser's events are read, not its serde view: only they tell `"on"` from `on`, `0123` from
//! `83`, and the second of two equal keys from the first. Everything is bounded: aliases are
//! copied, and a copy counts as much as what was written.

use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{
    Origin, Problem, Warning,
    tree::{Entry, Node, Style, Value},
};

/// The most nodes that one document may have, copies by alias included.
const MAX_NODES: usize = 10_000;
/// The deepest nesting of one document.
const MAX_DEPTH: usize = 32;

/// Where a text comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    File,
    Variable(&'a str),
}

/// Reads the first document of `text`. An empty text is null.
pub(super) fn parse(
    text: &str,
    source: Source<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Node, Problem> {
    let parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut builder =
        Builder { parser, source, anchors: HashMap::new(), nodes: 0, depth: 0, warnings };
    builder.document()
}

struct Builder<'a, 'w> {
    parser: Parser<'a, StrInput<'a>>,
    source: Source<'a>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    depth: usize,
    warnings: &'w mut Vec<Warning>,
}

impl<'a> Builder<'a, '_> {
    fn document(&mut self) -> Result<Node, Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(Node::null(Origin::Absent)),
                Event::StreamStart | Event::DocumentStart(..) => {}
                _ => {
                    let root = self.node(event, span)?;
                    self.note_further_documents();
                    return Ok(root);
                }
            }
        }
    }

    /// Distribution reads one document and never looks at what follows.
    fn note_further_documents(&mut self) {
        while let Some(Ok((event, span))) = self.parser.next_event() {
            if let Event::DocumentStart(..) = event {
                let message = "a second document begins here; it is ignored".to_owned();
                let origin = self.origin(span);
                self.warnings.push(Warning { key: String::new(), message, origin });
                return;
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Err(problem("the text ends too early", Origin::Absent)),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Problem> {
        let origin = self.origin(span);
        self.count(1, &origin)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                let style = match style {
                    ScalarStyle::Plain if !text_tag => Style::Plain,
                    _ => Style::Quoted,
                };
                (Value::Scalar { text: text.into_owned(), style }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(&origin)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(&origin)?, anchor),
            Event::Alias(id) => return self.alias(id, &origin),
            _ => return Err(problem("a value is expected here", origin)),
        };
        let node = Node { value, origin };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, origin: &Origin) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(problem("an alias stands inside what it names", origin.clone()));
        };
        self.count(size(&node), origin)?;
        Ok(node)
    }

    fn list(&mut self, origin: &Origin) -> Result<Value, Problem> {
        self.descend(origin)?;
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, span) => items.push(self.node(event, span)?),
            }
        }
        self.depth -= 1;
        Ok(Value::List(items))
    }

    fn map(&mut self, origin: &Origin) -> Result<Value, Problem> {
        self.descend(origin)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span)?;
            match &key.value {
                Value::Scalar { text, style: Style::Plain } if text == "<<" => {
                    Self::merge(node, &mut merged)?;
                }
                Value::Scalar { text, .. } => {
                    let entry = Entry { key: text.clone(), origin: key.origin, node };
                    self.insert(entry, &mut entries);
                }
                Value::List(_) | Value::Map(_) => {
                    return Err(problem("a key must be plain text", key.origin));
                }
            }
        }
        self.depth -= 1;
        for entry in merged {
            if entries.iter().all(|present| present.key != entry.key) {
                entries.push(entry);
            }
        }
        Ok(Value::Map(entries))
    }

    /// The last of two equal keys counts, as it does for Distribution.
    fn insert(&mut self, entry: Entry, entries: &mut Vec<Entry>) {
        let Some(first) = entries.iter_mut().find(|first| first.key == entry.key) else {
            return entries.push(entry);
        };
        let place = match &first.origin {
            Origin::File { line, .. } => format!(" (before that in line {line})"),
            Origin::Absent | Origin::Environment(_) => String::new(),
        };
        self.warnings.push(Warning {
            key: entry.key.clone(),
            message: format!("this key is given twice{place}; the last one counts"),
            origin: entry.origin.clone(),
        });
        *first = entry;
    }

    /// `<<: *defaults`, or a list of such; the first that has a key gives it.
    fn merge(node: Node, merged: &mut Vec<Entry>) -> Result<(), Problem> {
        let maps = match node.value {
            Value::Map(_) => vec![node],
            Value::List(items) => items,
            Value::Scalar { .. } => {
                return Err(problem("`<<` takes a map or a list of maps", node.origin));
            }
        };
        for map in maps {
            let Value::Map(entries) = map.value else {
                return Err(problem("`<<` takes a map or a list of maps", map.origin));
            };
            for entry in entries {
                if merged.iter().all(|present| present.key != entry.key) {
                    merged.push(entry);
                }
            }
        }
        Ok(())
    }

    fn descend(&mut self, origin: &Origin) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} deep");
            return Err(problem(&message, origin.clone()));
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, origin: &Origin) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases counted as often as used");
            return Err(problem(&message, origin.clone()));
        }
        Ok(())
    }

    fn origin(&self, span: Span) -> Origin {
        match self.source {
            Source::File => Origin::File { line: span.start.line(), column: span.start.col() + 1 },
            Source::Variable(name) => Origin::Environment(name.to_owned()),
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let marker = *error.marker();
        let message = format!("not YAML: {}", error.kind());
        let mut problem = problem(&message, self.origin(Span::empty(marker)));
        if message.contains("tab") {
            problem.advice = Some("indent with spaces".to_owned());
        }
        problem
    }
}

fn problem(message: &str, origin: Origin) -> Problem {
    Problem { key: String::new(), value: None, message: message.to_owned(), advice: None, origin }
}

fn size(node: &Node) -> usize {
    1 + node.items().iter().map(size).sum::<usize>()
        + node.entries().iter().map(|entry| size(&entry.node)).sum::<usize>()
}
