//! What an operation is about: the thing that its name names, by the same ARN whichever operation asks for it.
//!
//! The reference of IAM says for many operations which types of resources they are about, but not for all, and seldom
//! which of several is made or removed. So the noun in the operation's name is looked for among its members, and among
//! the service's types of resources.

use serde_json::Value;

use super::class::{behind_verb, verb_of};
use super::rules::{Place, RULES};
use crate::aws::decode::{Decoded, is_identifying};
use crate::aws::resources::{Owner, Resource, named_by};
use crate::aws::table::Operation;

/// What an operation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// Its ARN, with `*` for what is not known of it.
    pub(super) arn: String,
    /// What it is.
    pub(super) kind: String,
    /// What the request calls it; empty if it has no name yet.
    pub(super) name: String,
    /// How much of it the operation is about.
    pub(super) extent: Extent,
}

/// How much of a subject an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Something in it or about it.
    Part,
    /// It is made, and gets its name only then.
    Unnamed,
}

/// A request, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) decoded: &'a Decoded,
    pub(super) operation: Operation,
    pub(super) owner: Owner<'a>,
}

impl Asked<'_> {
    /// What it is about, at least one. `makes` says that it makes something.
    pub(super) fn subjects(self, makes: bool) -> Vec<Subject> {
        let special = self.special();
        if !special.is_empty() {
            return special;
        }
        let own = self.noun().map(|noun| self.by_noun(&noun, makes)).unwrap_or_default();
        if !own.is_empty() {
            return own;
        }
        let others = self.decoded.resources(self.owner).into_iter();
        let others = others.map(|it| Subject {
            arn: it.arn,
            kind: it.kind,
            name: it.name,
            extent: Extent::Part,
        });
        let others: Vec<Subject> = others.collect();
        match (makes, self.noun(), others.first()) {
            // What is made in something else.
            (true, Some(noun), Some(first)) => {
                let within = first.arn.trim_end_matches('*').trim_end_matches(['/', ':']);
                let arn = format!("{within}/{noun}/*");
                vec![Subject { arn, kind: noun, name: String::new(), extent: Extent::Unnamed }]
            }
            _ => others,
        }
    }

    /// Everything else that the request names.
    pub(super) fn others(self) -> Vec<Subject> {
        if !self.special().is_empty() {
            return Vec::new();
        }
        let all = self.operation.resources().flat_map(|named| self.decoded.of(named, self.owner));
        all.map(|it| Subject { arn: it.arn, kind: it.kind, name: it.name, extent: Extent::Part })
            .collect()
    }

    /// What stands behind the verb, one of it: `DBInstance`.
    fn noun(self) -> Option<String> {
        if let Some(noun) = RULES.noun(self.operation) {
            return Some(noun.split('=').next().unwrap_or(noun).to_owned());
        }
        verb_of(self.operation.name())?;
        let noun = before_preposition(behind_verb(self.operation.name()));
        (!noun.is_empty()).then(|| singular(noun))
    }

    fn by_noun(self, noun: &str, makes: bool) -> Vec<Subject> {
        let named = self.named_as(noun);
        let generic = || self.generic(noun, makes);
        let (values, member) = match named.or_else(generic) {
            Some(found) => found,
            None if !(makes && self.is_given(noun)) && self.listed(noun, "").is_some() => {
                return self.listed(noun, "").unwrap_or_default();
            }
            None if makes => return self.unnamed(noun).into_iter().collect(),
            None => return Vec::new(),
        };
        if let Some(of) = self.listed(noun, &member) {
            return of;
        }
        let subjects = values.into_iter().filter_map(|value| {
            if value.starts_with("arn:") {
                let named = named_by(&value, noun);
                let (arn, name) = (named.arn, named.name);
                return Some(Subject { arn, kind: noun.to_owned(), name, extent: Extent::Whole });
            }
            let name = self.decoded.own_name(&value);
            let arn = self.arn_of(noun, Some(&name))?;
            Some(Subject { arn, kind: noun.to_owned(), name, extent: Extent::Whole })
        });
        subjects.collect()
    }

    /// What the reference lists for the operation, where it lists that type or that member, and no other way of
    /// naming is written down.
    fn listed(self, noun: &str, member: &str) -> Option<Vec<Subject>> {
        let folder = self.operation.api().folder();
        if RULES.name(folder, noun).is_some() {
            return None;
        }
        let mut of: Vec<_> = self
            .operation
            .resources()
            .filter(|named| {
                is_same(named.kind, noun) || named.members.rsplit(',').next() == Some(member)
            })
            .collect();
        // The type of that very name before others that the same member may stand for.
        of.sort_by_key(|named| !is_same(named.kind, noun));
        let found = self.decoded.of(of.into_iter().next()?, self.owner);
        let whole =
            |it: Resource| Subject { arn: it.arn, kind: it.kind, name: it.name, extent: Extent::Whole };
        (!found.is_empty()).then(|| found.into_iter().map(whole).collect())
    }

    /// The values of the member that is called after the noun.
    fn named_as(self, noun: &str) -> Option<(Vec<String>, String)> {
        const ENDS: [&str; 12] = [
            "Identifier",
            "Identifiers",
            "Id",
            "Ids",
            "Name",
            "Names",
            "Arn",
            "Arns",
            "ARN",
            "ARNs",
            "Url",
            "",
        ];
        let written = RULES.noun(self.operation).and_then(|it| it.split_once('='));
        let stem = written.map_or(noun, |(_, stem)| stem);
        ENDS.iter().find_map(|end| self.member(&format!("{stem}{end}")))
    }

    /// Those of a member that is called after nothing in particular, where it can be that of the noun.
    fn generic(self, noun: &str, makes: bool) -> Option<(Vec<String>, String)> {
        const NAMES: [&str; 4] = ["Name", "Identifier", "Id", "Arn"];
        let has_kind = self.template(noun).is_some();
        let found = NAMES.iter().find_map(|name| self.member(name))?;
        // An id is given to what is made; its name is only said of it.
        let is_given = makes && found.1.eq_ignore_ascii_case("Name") && self.is_given(noun);
        let is_own = has_kind || self.operation.resources().next().is_none();
        (is_own && !is_given).then_some(found)
    }

    /// Whether what is called so gets an id when it is made.
    fn is_given(self, noun: &str) -> bool {
        let ends = |it: &str| it.ends_with("Id}") && it.matches("${").count() < 5;
        self.template(noun).is_some_and(ends)
    }

    /// The values of the parameter of that name, whatever its case.
    fn member(self, name: &str) -> Option<(Vec<String>, String)> {
        let parameters = self.decoded.parameters.as_object()?;
        let own = parameters.keys().find(|own| own.eq_ignore_ascii_case(name))?;
        // Whatever else is called so may be a text of any kind.
        if !is_identifying(own) {
            return None;
        }
        let values = self.decoded.values(own);
        (!values.is_empty()).then(|| (values, own.clone()))
    }

    /// One that is made and gets its name by that.
    fn unnamed(self, noun: &str) -> Option<Subject> {
        self.template(noun)?;
        let arn = self.arn_of(noun, None)?;
        Some(Subject { arn, kind: noun.to_owned(), name: String::new(), extent: Extent::Unnamed })
    }

    /// The ARN of what is called so; `*` stands for a name that it does not have yet.
    pub(super) fn arn_of(self, noun: &str, name: Option<&str>) -> Option<String> {
        let (region, Owner { partition, account }) = (self.decoded.region.as_str(), self.owner);
        let api = self.operation.api();
        if let Some(form) = RULES.name(api.folder(), noun) {
            return Some(self.filled(form, name.unwrap_or("*")));
        }
        let Some(template) = self.template(noun) else {
            let name = name?;
            return Some(format!("arn:{partition}:{}:{region}:{account}:{noun}/{name}", api.name()));
        };
        let placeholders: Vec<&str> =
            template.split("${").skip(1).filter_map(|it| Some(it.split_once('}')?.0)).collect();
        let is_own = |it: &&&str| !matches!(**it, "Partition" | "Region" | "Account");
        let owns: Vec<&&str> = placeholders.iter().filter(is_own).collect();
        let named = |it: &&&&str| plain(it).contains(&plain(noun));
        let chosen = owns.iter().rfind(named).or(owns.last()).map(|it| **it);
        let mut arn = String::new();
        for (at, piece) in template.split("${").enumerate() {
            let (placeholder, rest) =
                if at == 0 { ("", piece) } else { piece.split_once('}').unwrap_or((piece, "")) };
            match placeholder {
                "" => {}
                "Partition" => arn.push_str(partition),
                "Region" => arn.push_str(region),
                "Account" => arn.push_str(account),
                own if Some(own) == chosen => arn.push_str(name.unwrap_or("*")),
                own => arn.push_str(&self.text(own)),
            }
            arn.push_str(rest);
        }
        Some(arn)
    }

    /// The ARN of a form that is written down.
    fn filled(self, form: &str, name: &str) -> String {
        let Owner { partition, account } = self.owner;
        let mut arn = format!("arn:{partition}:");
        for (at, piece) in form.split('{').enumerate() {
            let (member, rest) =
                if at == 0 { ("*", piece) } else { piece.split_once('}').unwrap_or((piece, "")) };
            match member {
                "*" => {}
                "" => arn.push_str(name),
                "region" => arn.push_str(&self.decoded.region),
                "account" => arn.push_str(account),
                member => arn.push_str(&self.text(member)),
            }
            arn.push_str(rest);
        }
        arn
    }

    /// What a member says; `*` if it says nothing, or several things.
    fn text(self, member: &str) -> String {
        match self.member(member).as_ref().map(|(values, _)| values.as_slice()) {
            Some([one]) => self.decoded.own_name(one),
            _ => "*".to_owned(),
        }
    }

    /// The form of the ARNs of what is called so: of the type of that name, or of the longest that it ends with.
    fn template(self, noun: &str) -> Option<&'static str> {
        let api = self.operation.api();
        if let Some(form) = RULES.name(api.folder(), noun) {
            return Some(form);
        }
        let ends = api.kinds().filter_map(|(kind, template)| Some((ends_as(noun, kind)?, template)));
        ends.max_by_key(|(length, _)| *length).map(|(_, template)| template)
    }

    /// What stands under a member of a place, if the request says it; all of its kind if the place has no member.
    pub(super) fn at(self, place: Place) -> Option<Subject> {
        let kind = place.kind.to_owned();
        if place.member.is_empty() {
            let arn = self.arn_of(&kind, None)?;
            return Some(Subject { arn, kind, name: String::new(), extent: Extent::Unnamed });
        }
        let (values, _) = self.member(place.member)?;
        let [value] = values.as_slice() else { return None };
        let (arn, name) = if value.starts_with("arn:") {
            let named = named_by(value, &kind);
            (named.arn, named.name)
        } else {
            let name = self.decoded.own_name(value);
            (self.arn_of(&kind, Some(&name))?, name)
        };
        Some(Subject { arn, kind, name, extent: Extent::Whole })
    }

    /// What some operations are about that name it deep in their parameters.
    fn special(self) -> Vec<Subject> {
        let (region, Owner { partition, account }) = (self.decoded.region.as_str(), self.owner);
        let parameters = &self.decoded.parameters;
        let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
        let whole = |arn: String, kind: &str, name: &str| Subject {
            arn,
            kind: kind.to_owned(),
            name: name.to_owned(),
            extent: Extent::Whole,
        };
        let folder = self.operation.api().folder();
        match (folder, self.operation.name()) {
            ("s3", "DeleteObjects") => {
                let bucket = text("Bucket");
                let objects = parameters.pointer("/Delete/Objects").and_then(Value::as_array);
                let keys = objects.into_iter().flatten().filter_map(|it| it.get("Key")?.as_str());
                keys.map(|key| whole(format!("arn:{partition}:s3:::{bucket}/{key}"), "object", key))
                    .collect()
            }
            ("dynamodb", "BatchWriteItem" | "BatchGetItem") => {
                let items = parameters.get("RequestItems").and_then(Value::as_object);
                let tables = items.into_iter().flatten().map(|(table, _)| table.as_str());
                let arn =
                    |table: &str| format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}");
                let part =
                    |table| Subject { extent: Extent::Part, ..whole(arn(table), "table", table) };
                tables.map(part).collect()
            }
            // What has the tags is named by its id alone, whatever it is.
            ("ec2", "CreateTags" | "DeleteTags") => {
                let ids = self.decoded.values("Resources").into_iter();
                let arn = |id: &str| format!("arn:{partition}:ec2:{region}:{account}:*/{id}");
                ids.map(|id| Subject { extent: Extent::Part, ..whole(arn(&id), "resource", &id) })
                    .collect()
            }
            // What is handed out is not the role, but what it is while it is assumed.
            ("sts", "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity") => {
                let role = text("RoleArn");
                let name = role.rsplit('/').next().filter(|it| !it.is_empty()).unwrap_or("*");
                let home = role.split(':').nth(4).filter(|it| !it.is_empty()).unwrap_or(account);
                let session = Some(text("RoleSessionName")).filter(|it| !it.is_empty()).unwrap_or("*");
                let arn = format!("arn:{partition}:sts::{home}:assumed-role/{name}/{session}");
                vec![whole(arn, "role", name)]
            }
            _ => Vec::new(),
        }
    }
}

/// The noun without what says from where or to where: `Table` of `TableFromBackup`.
fn before_preposition(noun: &str) -> &str {
    const WORDS: [&str; 8] = ["From", "To", "With", "For", "In", "By", "On", "Without"];
    let mut end = noun.len();
    for word in WORDS {
        for (at, _) in noun.match_indices(word) {
            let follows = noun.get(at + word.len()..).and_then(|rest| rest.chars().next());
            let precedes = noun.get(..at).and_then(|before| before.chars().next_back());
            let is_word = follows.is_some_and(|c| c.is_ascii_uppercase())
                && precedes.is_some_and(|c| c.is_ascii_lowercase());
            if is_word {
                end = end.min(at);
            }
        }
    }
    noun.get(..end).unwrap_or(noun)
}

/// One of what a noun may be several of.
fn singular(noun: &str) -> String {
    let cut = |end: &str| noun.strip_suffix(end);
    if let Some(stem) = cut("ies") {
        return format!("{stem}y");
    }
    let is_es = ["sses", "xes", "ches", "shes"].iter().any(|end| noun.ends_with(end));
    match (is_es, cut("s")) {
        (true, _) => cut("es").unwrap_or(noun).to_owned(),
        (false, Some(stem)) if !["ss", "us", "is"].iter().any(|end| noun.ends_with(end)) => {
            stem.to_owned()
        }
        _ => noun.to_owned(),
    }
}

/// Letters and digits alone, in lower case.
fn letters(name: &str) -> impl DoubleEndedIterator<Item = char> {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase())
}

fn plain(name: &str) -> String {
    letters(name).collect()
}

fn is_same(kind: &str, noun: &str) -> bool {
    letters(kind).eq(letters(noun))
}

/// How long the end of a noun is that is a kind's name; `None` if it does not end so.
fn ends_as(noun: &str, kind: &str) -> Option<usize> {
    let (mut end, mut length) = (letters(noun).rev(), 0);
    for letter in letters(kind).rev() {
        length += 1;
        end.next().filter(|own| *own == letter)?;
    }
    Some(length).filter(|length| *length > 0)
}
