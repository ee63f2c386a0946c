//! Members of requests and answers by whose names an operation may be graver than its verb says. A test of the wire crate
//! wants a rule or an exception for each, so that what a new model brings is looked at.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::models::{Model, members, text};

const HEAD: &str = "# Members of requests and answers by whose names an operation may be graver than its verb: `./dev aws-table` writes it.\n";

/// How deep lists and maps may stand in each other within what is called an environment.
const DEPTH_MAX: usize = 4;

/// One line for each operation and direction: `SERVICE:OPERATION`, `in` or `out`, and the members with spaces between them.
pub(super) fn text_of(models: &[Model]) -> String {
    let mut out = HEAD.to_owned();
    for model in models {
        for (name, operation) in members(&model.document, "operations") {
            for (tag, key) in [("in", "input"), ("out", "output")] {
                let mut sweep =
                    Sweep { document: &model.document, is_in: tag == "in", found: BTreeSet::new() };
                sweep.walk(operation.get(key).unwrap_or(&Value::Null), &mut Vec::new(), "");
                if !sweep.found.is_empty() {
                    let found: Vec<String> = sweep.found.into_iter().collect();
                    // Writing to a string cannot fail.
                    let _written = writeln!(out, "{}:{name}\t{tag}\t{}", model.folder, found.join(" "));
                }
            }
        }
    }
    out
}

struct Sweep<'a> {
    document: &'a Value,
    is_in: bool,
    found: BTreeSet<String>,
}

impl<'a> Sweep<'a> {
    fn shape(&self, reference: &'a Value) -> (&'a str, &'a Value) {
        let name = text(reference, "shape");
        (name, self.document.get("shapes").and_then(|shapes| shapes.get(name)).unwrap_or(&Value::Null))
    }

    /// Finds members below one; what is below one that was found is not looked at.
    fn walk(&mut self, reference: &'a Value, around: &mut Vec<&'a str>, path: &str) {
        let (name, shape) = self.shape(reference);
        let at = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
        let of = |key: &str| shape.get(key).unwrap_or(&Value::Null);
        match text(shape, "type") {
            "structure" if !around.contains(&name) => {
                around.push(name);
                for (member, reference) in members(shape, "members") {
                    if self.is_grave(member, reference) {
                        self.found.insert(at(member));
                    } else {
                        self.walk(reference, around, &at(member));
                    }
                }
                around.pop();
            }
            "list" => self.walk(of("member"), around, &at("*")),
            "map" => self.walk(of("value"), around, &at("*")),
            _ => {}
        }
    }

    fn is_grave(&self, member: &str, reference: &'a Value) -> bool {
        let name = plain(member);
        match self.is_in {
            true => is_grave(&name),
            false => match name.as_str() {
                "userdata" | "launchtemplatedata" => true,
                "environment" | "environmentvariables" => self.has_variables(reference, 0),
                _ => false,
            },
        }
    }

    /// Whether something has variables of an environment with their values.
    fn has_variables(&self, reference: &'a Value, depth: usize) -> bool {
        let (_, shape) = self.shape(reference);
        match text(shape, "type") {
            "map" => true,
            "list" => {
                let (_, item) = self.shape(shape.get("member").unwrap_or(&Value::Null));
                members(item, "members").any(|(name, _)| plain(name) == "value")
            }
            "structure" if depth < DEPTH_MAX => members(shape, "members").any(|(name, reference)| {
                matches!(plain(name).as_str(), "variables" | "environmentvariables")
                    && self.has_variables(reference, depth + 1)
            }),
            _ => false,
        }
    }
}

fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

/// What machines or containers run, how long something is kept or protected, how many there are, and force.
fn is_grave(name: &str) -> bool {
    const WHOLE: [&str; 15] = [
        "userdata",
        "launchconfigurationname",
        "containerdefinitions",
        "taskdefinition",
        "image",
        "imageuri",
        "desiredcount",
        "desiredcapacity",
        "desiredsize",
        "desiredinstances",
        "desiredinstancecount",
        "minsize",
        "maxsize",
        "mincapacity",
        "maxcapacity",
    ];
    const NAMING: [&str; 6] = ["version", "versions", "id", "ids", "name", "names"];
    let has = |part: &str| name.contains(part);
    WHOLE.contains(&name)
        || has("launchtemplate") && !NAMING.iter().any(|end| name.ends_with(end))
        || has("retention") && !name.ends_with("unit")
        || has("deletionprotection")
        || has("terminationprotection")
        || has("skip") && has("final")
        || name.starts_with("force")
        || name.ends_with("byforce")
}
