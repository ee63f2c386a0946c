//! Statements about who may do what, and about safeguards that no table carries.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Effect, Kind, Resource, Reversibility};

use super::acts::{Adjust, act, object, table};
use super::names;
use super::walk::{Judged, Walk};

impl Walk {
    /// Judges a statement about roles, privileges, policies, replication or server settings.
    pub(super) fn grants(&mut self, node: &NodeEnum) -> Option<Judged> {
        match node {
            NodeEnum::GrantStmt(grant) => self.privileges(grant),
            NodeEnum::GrantRoleStmt(grant) => self.membership(grant),
            NodeEnum::AlterDefaultPrivilegesStmt(_) => {
                self.grant(
                    object("default privileges"),
                    "changes who may use what is made later".into(),
                );
            }
            NodeEnum::CreateRoleStmt(create) => {
                self.role(&create.role, format!("makes the role {}", create.role));
            }
            NodeEnum::AlterRoleStmt(alter) => {
                let role = alter.role.as_ref().map(names::role).unwrap_or_default();
                self.role(role, format!("changes what the role {role} may do or how it signs in"));
            }
            NodeEnum::ReassignOwnedStmt(reassign) => {
                let to = reassign.newrole.as_ref().map(names::role).unwrap_or_default();
                for role in names::roles(&reassign.roles) {
                    self.role(role, format!("gives everything that {role} owns to {to}"));
                }
            }
            NodeEnum::AlterOwnerStmt(alter) => self.owner(alter),
            NodeEnum::CreateUserMappingStmt(mapping) => self.mapping(&mapping.servername),
            NodeEnum::AlterUserMappingStmt(mapping) => self.mapping(&mapping.servername),
            NodeEnum::CreatePolicyStmt(policy) => {
                let name = names::relation_or_empty(policy.table.as_ref());
                let why = format!("changes which rows of {name} roles may see or change");
                self.grant(object(format!("policy {name}.{}", policy.policy_name)), why);
            }
            _ => return self.disarms(node),
        }
        Some(Judged::Below)
    }

    fn grant(&mut self, resource: Resource, why: String) {
        self.found.push(act(Effect::Grant, resource, why));
    }

    fn role(&mut self, role: &str, why: String) {
        self.grant(Resource::new(Kind::Role, role), why);
    }

    fn mapping(&mut self, server: &str) {
        let why = format!("changes how sessions sign in to the server {server}");
        self.grant(object(format!("user mapping {server}")), why);
    }

    fn privileges(&mut self, grant: &pb::GrantStmt) {
        let who = names::roles(&grant.grantees).join(", ");
        let every = grant.targtype() == pb::GrantTargetType::AclTargetAllInSchema;
        let kind = match grant.objtype() {
            _ if every => Kind::Schema,
            pb::ObjectType::ObjectTable | pb::ObjectType::ObjectSequence => Kind::Relation,
            pb::ObjectType::ObjectSchema => Kind::Schema,
            pb::ObjectType::ObjectDatabase => Kind::Database,
            pb::ObjectType::ObjectFunction
            | pb::ObjectType::ObjectProcedure
            | pb::ObjectType::ObjectRoutine => Kind::Function,
            pb::ObjectType::ObjectType | pb::ObjectType::ObjectDomain => Kind::Type,
            _ => Kind::Object,
        };
        for node in &grant.objects {
            let name = match grant.objtype() {
                pb::ObjectType::ObjectLargeobject => {
                    format!("large object {}", names::literal(node.node.as_ref()).unwrap_or_default())
                }
                _ => names::of(node.node.as_ref()),
            };
            let what = if every { format!("everything in {name}") } else { name.clone() };
            let why = if grant.is_grant {
                format!("lets {who} use {what}")
            } else {
                format!("takes privileges on {what} from {who}")
            };
            self.grant(Resource::new(kind, name), why);
        }
        if grant.objects.is_empty() {
            self.grant(object("privileges"), format!("changes what {who} may use"));
        }
    }

    fn membership(&mut self, grant: &pb::GrantRoleStmt) {
        let who = names::roles(&grant.grantee_roles).join(", ");
        for node in &grant.granted_roles {
            let role = match node.node.as_ref() {
                Some(NodeEnum::AccessPriv(role)) => role.priv_name.as_str(),
                other => names::string(other).unwrap_or_default(),
            };
            let why = if grant.is_grant {
                format!("gives {who} everything that the role {role} may do")
            } else {
                format!("takes the role {role} from {who}")
            };
            self.role(role, why);
        }
    }

    fn owner(&mut self, alter: &pb::AlterOwnerStmt) {
        let to = alter.newowner.as_ref().map(names::role).unwrap_or_default();
        let name = match &alter.relation {
            Some(var) => names::relation(var),
            None => {
                let object = alter.object.as_ref().and_then(|object| object.node.as_ref());
                match alter.object_type() {
                    pb::ObjectType::ObjectLargeobject => {
                        format!("large object {}", names::literal(object).unwrap_or_default())
                    }
                    _ => names::of(object),
                }
            }
        };
        let why = format!("makes {to} the owner of {name}");
        let is_relation = alter.relation.is_some();
        self.grant(if is_relation { table(name) } else { object(name) }, why);
    }

    /// Judges a statement that weakens a safeguard, or may.
    fn disarms(&mut self, node: &NodeEnum) -> Option<Judged> {
        let (resource, why) = match node {
            NodeEnum::AlterPolicyStmt(policy) => {
                let name = names::relation_or_empty(policy.table.as_ref());
                let why = format!("changes which rows of {name} roles may see or change");
                (object(format!("policy {name}.{}", policy.policy_name)), why)
            }
            NodeEnum::AlterSystemStmt(system) => {
                let (name, what) = setting(system.setstmt.as_ref());
                let why = format!("changes {what} of the whole server");
                (Resource::new(Kind::Setting, name), why)
            }
            NodeEnum::AlterRoleSetStmt(alter) => {
                let role = alter.role.as_ref().map_or("every role", names::role);
                let (name, what) = setting(alter.setstmt.as_ref());
                let why = format!("changes {what} for every later session of {role}");
                (Resource::new(Kind::Setting, name), why)
            }
            NodeEnum::AlterDatabaseSetStmt(alter) => {
                let (name, what) = setting(alter.setstmt.as_ref());
                let why = format!("changes {what} for every later session");
                (Resource::new(Kind::Setting, name), why)
            }
            NodeEnum::AlterDatabaseStmt(alter) => {
                let why = match names::option(&alter.options, "tablespace") {
                    Some(_) => format!("moves the database {} while nobody can use it", alter.dbname),
                    None => format!("changes who may connect to the database {}", alter.dbname),
                };
                (Resource::new(Kind::Database, alter.dbname.as_str()), why)
            }
            NodeEnum::AlterEventTrigStmt(alter) => {
                let why = format!("switches the event trigger {} on or off", alter.trigname);
                (object(format!("event trigger {}", alter.trigname)), why)
            }
            NodeEnum::SecLabelStmt(label) => {
                let name = names::of(label.object.as_ref().and_then(|object| object.node.as_ref()));
                (object(name.clone()), format!("changes the security label of {name}"))
            }
            _ => return self.replication(node),
        };
        self.found.push(act(Effect::Disarm, resource, why));
        Some(Judged::Below)
    }

    fn replication(&mut self, node: &NodeEnum) -> Option<Judged> {
        let (word, name) = match node {
            NodeEnum::CreatePublicationStmt(create) => ("publication", &create.pubname),
            NodeEnum::AlterPublicationStmt(alter) => ("publication", &alter.pubname),
            NodeEnum::CreateSubscriptionStmt(create) => ("subscription", &create.subname),
            NodeEnum::AlterSubscriptionStmt(alter) => ("subscription", &alter.subname),
            NodeEnum::CreateTableSpaceStmt(create) => {
                let why = format!("puts a tablespace into {} on the host", create.location);
                let file = Resource::new(Kind::File, create.location.as_str());
                self.found.push(act(Effect::Execute, file, why));
                return Some(Judged::Below);
            }
            NodeEnum::LockStmt(lock) => {
                for node in &lock.relations {
                    let name = names::of(node.node.as_ref());
                    let why = format!("locks {name}; others who use it wait");
                    let lock = act(Effect::Change, table(name), why);
                    self.found.push(lock.that_is(Reversibility::Reversible));
                }
                return Some(Judged::Below);
            }
            _ => return None,
        };
        let why = format!("changes how data is replicated ({word} {name})");
        self.found.push(act(Effect::Disarm, object(format!("{word} {name}")), why));
        Some(Judged::Below)
    }
}

/// The name of a setting that is changed for good, and words for it; RESET ALL names none.
fn setting(set: Option<&pb::VariableSetStmt>) -> (&str, String) {
    match set.map(|set| set.name.as_str()).unwrap_or_default() {
        "" => ("", "every setting".to_owned()),
        name => (name, format!("the setting {name}")),
    }
}
