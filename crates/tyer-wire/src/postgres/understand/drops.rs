//! Statements that drop things.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind, Resource};

use super::acts::{Adjust, act, object};
use super::names;
use super::rows::cascade;
use super::walk::{Judged, Walk};

impl Walk {
    /// Judges a statement that drops something.
    pub(super) fn drops(&mut self, node: &NodeEnum) -> Option<Judged> {
        match node {
            NodeEnum::DropStmt(drop) => self.drop(drop),
            NodeEnum::DropdbStmt(drop) => {
                let database = Resource::new(Kind::Database, drop.dbname.as_str());
                let why = format!("drops the database {} with everything in it", drop.dbname);
                self.found.push(act(Effect::Destroy, database, why));
            }
            NodeEnum::DropRoleStmt(drop) => {
                for role in names::roles(&drop.roles) {
                    let why = format!("drops the role {role}: whoever uses it is locked out");
                    self.found.push(act(Effect::Destroy, Resource::new(Kind::Role, role), why));
                }
            }
            NodeEnum::DropOwnedStmt(drop) => self.drop_owned(drop),
            NodeEnum::DropTableSpaceStmt(drop) => {
                let why = format!("drops the tablespace {}", drop.tablespacename);
                let name = format!("tablespace {}", drop.tablespacename);
                self.found.push(act(Effect::Destroy, object(name), why));
            }
            NodeEnum::DropSubscriptionStmt(drop) => {
                let why = format!("drops the subscription {}: replication stops", drop.subname);
                let name = format!("subscription {}", drop.subname);
                self.found.push(act(Effect::Disarm, object(name), why));
            }
            NodeEnum::DropUserMappingStmt(drop) => {
                let why = format!("drops a sign-in to the server {}", drop.servername);
                let name = format!("user mapping {}", drop.servername);
                self.found.push(act(Effect::Grant, object(name), why));
            }
            _ => return None,
        }
        Some(Judged::Done)
    }

    fn drop(&mut self, drop: &pb::DropStmt) {
        let Some((effect, kind, word)) = dropped(drop.remove_type()) else {
            return self.unknown("DropStmt");
        };
        let cascade = cascade(drop.behavior(), " and everything that depends on it");
        for node in &drop.objects {
            let parts = names::parts(node.node.as_ref());
            let name = names::dotted(parts.iter().copied());
            let local = kind == Kind::Relation && self.is_temp_name(&parts);
            if let Some(last) = parts.last() {
                self.temps.remove(*last);
            }
            if matches!(word, "table" | "materialized view" | "foreign table") && !local {
                self.loses(&name);
            }
            let why = format!("drops {word} {name}{cascade}");
            let name = if kind == Kind::Object { format!("{word} {name}") } else { name };
            self.found.push(act(effect, Resource::new(kind, name), why).local_if(local));
        }
    }

    fn drop_owned(&mut self, drop: &pb::DropOwnedStmt) {
        self.forget();
        for role in names::roles(&drop.roles) {
            let cascade = cascade(drop.behavior(), " and everything that depends on it");
            let why = format!("drops everything in this database that {role} owns{cascade}");
            self.found.push(act(Effect::Destroy, Resource::new(Kind::Role, role), why));
            let why = format!("what {role} owns cannot be told from this text");
            self.found.push(Act::opaque(why));
        }
    }
}

/// What dropping a kind of object does, to which kind of resource, and the word for it.
fn dropped(kind: pb::ObjectType) -> Option<(Effect, Kind, &'static str)> {
    use pb::ObjectType as Type;
    let destroys = |kind, word| Some((Effect::Destroy, kind, word));
    let disarms = |word| Some((Effect::Disarm, Kind::Object, word));
    match kind {
        Type::ObjectTable => destroys(Kind::Relation, "table"),
        Type::ObjectView => destroys(Kind::Relation, "view"),
        Type::ObjectMatview => destroys(Kind::Relation, "materialized view"),
        Type::ObjectIndex => destroys(Kind::Relation, "index"),
        Type::ObjectSequence => destroys(Kind::Relation, "sequence"),
        Type::ObjectForeignTable => destroys(Kind::Relation, "foreign table"),
        Type::ObjectSchema => destroys(Kind::Schema, "schema"),
        Type::ObjectFunction => destroys(Kind::Function, "function"),
        Type::ObjectProcedure => destroys(Kind::Function, "procedure"),
        Type::ObjectRoutine => destroys(Kind::Function, "routine"),
        Type::ObjectAggregate => destroys(Kind::Function, "aggregate"),
        Type::ObjectOperator => destroys(Kind::Function, "operator"),
        Type::ObjectCast => destroys(Kind::Function, "cast"),
        Type::ObjectType => destroys(Kind::Type, "type"),
        Type::ObjectDomain => destroys(Kind::Type, "domain"),
        Type::ObjectExtension => destroys(Kind::Extension, "extension"),
        Type::ObjectTrigger => disarms("trigger"),
        Type::ObjectPolicy => disarms("policy"),
        Type::ObjectRule => disarms("rule"),
        Type::ObjectEventTrigger => disarms("event trigger"),
        Type::ObjectPublication => disarms("publication"),
        Type::ObjectCollation => destroys(Kind::Object, "collation"),
        Type::ObjectConversion => destroys(Kind::Object, "conversion"),
        Type::ObjectFdw => destroys(Kind::Object, "foreign-data wrapper"),
        Type::ObjectForeignServer => destroys(Kind::Object, "foreign server"),
        Type::ObjectLanguage => destroys(Kind::Object, "language"),
        Type::ObjectAccessMethod => destroys(Kind::Object, "access method"),
        Type::ObjectOpclass => destroys(Kind::Object, "operator class"),
        Type::ObjectOpfamily => destroys(Kind::Object, "operator family"),
        Type::ObjectStatisticExt => destroys(Kind::Object, "statistics"),
        Type::ObjectTransform => destroys(Kind::Object, "transform"),
        Type::ObjectTsconfiguration => destroys(Kind::Object, "text search configuration"),
        Type::ObjectTsdictionary => destroys(Kind::Object, "text search dictionary"),
        Type::ObjectTsparser => destroys(Kind::Object, "text search parser"),
        Type::ObjectTstemplate => destroys(Kind::Object, "text search template"),
        _ => None,
    }
}
