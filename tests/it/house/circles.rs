//! Circles of a graph: its strongly connected components of more than one node, by Tarjan's algorithm.

use std::collections::{BTreeMap, BTreeSet};

/// A graph as the nodes that each node leads to.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// Each circle with its nodes in order, the largest circle first.
pub(crate) fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let mut search = Search {
        graph,
        visits: BTreeMap::new(),
        stack: Vec::new(),
        found: Vec::new(),
    };
    for node in graph.keys() {
        if !search.visits.contains_key(node.as_str()) {
            search.visit(node);
        }
    }
    search
        .found
        .sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    search.found
}

struct Search<'a> {
    graph: &'a Graph,
    visits: BTreeMap<&'a str, Visit>,
    stack: Vec<&'a str>,
    found: Vec<BTreeSet<String>>,
}

#[derive(Clone, Copy)]
struct Visit {
    /// The earliest node on the stack that is reached from here.
    lowest: usize,
    is_on_the_stack: bool,
}

impl<'a> Search<'a> {
    /// Visits a node and all that it leads to; answers the earliest node on the stack that it reaches.
    fn visit(&mut self, node: &'a str) -> usize {
        let number = self.visits.len();
        let mut lowest = number;
        self.note(node, lowest, true);
        self.stack.push(node);
        for next in self.graph.get(node).into_iter().flatten() {
            let reached = match self.visits.get(next.as_str()) {
                None => self.visit(next),
                Some(visit) if visit.is_on_the_stack => visit.lowest,
                Some(_) => continue,
            };
            lowest = lowest.min(reached);
            self.note(node, lowest, true);
        }
        if lowest == number {
            let begin = self.stack.iter().rposition(|on_stack| *on_stack == node);
            let circle = self
                .stack
                .split_off(begin.expect("a node is on the stack while it is visited"));
            for member in &circle {
                self.note(member, number, false);
            }
            if circle.len() > 1 {
                self.found
                    .push(circle.into_iter().map(str::to_owned).collect());
            }
        }
        lowest
    }

    fn note(&mut self, node: &'a str, lowest: usize, is_on_the_stack: bool) {
        let visit = Visit {
            lowest,
            is_on_the_stack,
        };
        self.visits.insert(node, visit);
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, circles};

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn each_circle_is_found_once_and_what_leads_to_it_is_no_part_of_it() {
        let graph = graph(&[
            ("a", "b"),
            ("b", "c"),
            ("c", "d"),
            ("d", "b"),
            ("d", "e"),
            ("e", "f"),
            ("f", "e"),
            ("f", "f"),
            ("f", "g"),
        ]);
        let found: Vec<String> = circles(&graph)
            .iter()
            .map(|circle| circle.iter().map(String::as_str).collect())
            .collect();
        assert_eq!(found, ["bcd", "ef"]);
    }

    #[test]
    fn a_graph_that_runs_one_way_has_no_circle() {
        let graph = graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("b", "c")]);
        assert!(circles(&graph).is_empty());
    }
}
