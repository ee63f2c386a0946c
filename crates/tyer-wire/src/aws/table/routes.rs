//! Which operations a method and a path can be: those whose template fits, with what they want of the query and the
//! headers.
//!
//! Follows the `http` trait of Smithy: a label is a whole segment, or with `+` one or more of them.

use super::{Api, Member, Operation, Place};
use crate::aws::protocol::Protocol;

/// What is compared before a template is read.
#[derive(Debug)]
pub(super) struct Route {
    method: Method,
    segments: u8,
    is_greedy: bool,
    operation: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Put,
    Post,
    Delete,
    Head,
    Patch,
    Other,
}

impl Method {
    fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "PUT" => Self::Put,
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            "HEAD" => Self::Head,
            "PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }
}

/// An operation whose method, path and constants fit.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Candidate {
    pub(in crate::aws) operation: Operation,
    /// Labels and what stands for them, still percent-encoded.
    pub(in crate::aws) labels: Vec<(&'static str, String)>,
    /// What told it from others: literal segments with their places, constants, required members.
    marks: Vec<(u8, usize, &'static str)>,
    /// Whether all members of query and headers are there that it requires.
    pub(in crate::aws) is_complete: bool,
}

impl Candidate {
    /// Whether this is told by all that tells `other`, and by more.
    pub(in crate::aws) fn is_above(&self, other: &Self) -> bool {
        let has = |marks: &[_], mark| marks.iter().any(|own| own == mark);
        self.marks.len() > other.marks.len() && other.marks.iter().all(|mark| has(&self.marks, mark))
    }
}

/// The operations of `api` that a request with this method and these segments can be. `has_query` says whether the
/// query has a name, with that value if it is given one, and `has_header` whether there is such a header.
pub(in crate::aws) fn candidates<'a>(
    api: Api,
    method: &'a str,
    segments: &'a [&'a str],
    has_query: &'a dyn Fn(&str, Option<&str>) -> bool,
    has_header: &'a dyn Fn(&str) -> bool,
) -> impl Iterator<Item = Candidate> + use<'a> {
    let of = Method::of(method);
    let routes = api.row.routes.get_or_init(|| routes(api));
    let count = u8::try_from(segments.len()).unwrap_or(u8::MAX);
    let fits = move |route: &&Route| {
        let long = if route.is_greedy { count >= route.segments } else { count == route.segments };
        route.method == of && long
    };
    routes.iter().filter(fits).filter_map(move |route| {
        let line = api.lines().get(usize::from(route.operation))?;
        let operation = Operation { api, line };
        let (labels, mut marks) = fit(operation, segments)?;
        for (name, value) in operation.constants() {
            has_query(name, Some(value)).then_some(())?;
            marks.push((1, 0, name));
        }
        let mut is_complete = operation.method() == method;
        for Member { wire, place, is_required, .. } in operation.members() {
            let (is_there, mark) = match place {
                Place::Query => (has_query(wire, None), (1, 0, wire)),
                Place::Header => (has_header(wire), (2, 0, wire)),
                Place::Body | Place::Payload | Place::Label | Place::Headers | Place::Attribute => {
                    continue;
                }
            };
            if is_required {
                is_complete &= is_there;
                marks.push(mark);
            }
        }
        Some(Candidate { operation, labels, marks, is_complete })
    })
}

/// The routes of a service; none if it is not addressed by method and path.
fn routes(api: Api) -> Box<[Route]> {
    let is_rest = api.speaks(Protocol::RestJson) || api.speaks(Protocol::RestXml);
    let operations = api.operations().enumerate().filter(|_| is_rest);
    let routes = operations.filter_map(|(number, operation)| {
        let segments = split(operation.path());
        Some(Route {
            method: Method::of(operation.method()),
            segments: u8::try_from(segments.len()).ok()?,
            is_greedy: segments.iter().any(|segment| is_greedy(segment)),
            operation: u16::try_from(number).ok()?,
        })
    });
    routes.collect()
}

/// The segments of a path without the slashes at its ends.
pub(in crate::aws) fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

fn is_greedy(segment: &str) -> bool {
    segment.ends_with("+}")
}

type Fit = (Vec<(&'static str, String)>, Vec<(u8, usize, &'static str)>);

/// The labels of a template in the segments of a path, and the literals that are in both.
fn fit(operation: Operation, segments: &[&str]) -> Option<Fit> {
    let template = split(operation.path());
    let greedy = template.iter().position(|segment| is_greedy(segment));
    let more = segments.len().checked_sub(template.len())?;
    if greedy.is_none() && more > 0 {
        return None;
    }
    let (mut labels, mut marks, mut at) = (Vec::new(), Vec::new(), 0);
    for (place, part) in template.iter().enumerate() {
        let length = if greedy == Some(place) { more + 1 } else { 1 };
        let value = segments.get(at..at + length)?;
        at += length;
        match part.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            Some(label) => {
                labels.push((label.trim_end_matches('+'), value.join("/")));
                if length == 1 && greedy != Some(place) {
                    marks.push((3, place, ""));
                }
            }
            None if value == [*part] => {
                marks.push((3, place, ""));
                marks.push((0, place, *part));
            }
            None => return None,
        }
    }
    Some((labels, marks))
}
