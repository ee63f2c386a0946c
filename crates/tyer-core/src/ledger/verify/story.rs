//! A ledger written by the rules, for tests to break: people with software authenticators, holds,
//! executions, and a checkpoint over all of it.

use std::collections::BTreeMap;

use super::{Audit, Report, Tree};
use crate::assertion::authenticator::Authenticator;
use crate::hold::Standing;
use crate::intent::{
    Act, Digest, Effect, Environment, HoldId, Kind, PersonId, Principal, Resource, Reversibility,
    SessionId, Timestamp, Upstream,
};
use crate::ledger::Head;
use crate::ledger::checkpoint::SigningKey;
use crate::record::{ApprovalRecord, CardRecord, PublicKey, Record, RequestRecord, What};
use crate::roster::Roster;
use crate::sshsig::signer::Signer;
use crate::statement::{Decision, Signed, Statement, Subject};
use crate::verdict::{Basis, LeafIndex, Needs, Outcome};

pub(super) const ORIGIN: &str = "https://tyer.example.com";
pub(super) const LEDGER: &str = "tyer.example.com/ledger";
/// A root certificate.
const MAKER: Digest = Digest([3; 32]);

/// The ledger so far. Every leaf takes a second.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) leaves: Vec<Vec<u8>>,
    pub(super) people: BTreeMap<String, Authenticator>,
    /// SSH keys by the names of those who sign with them.
    pub(super) keys: BTreeMap<String, Signer>,
    pub(super) origin: String,
    pub(super) now: Timestamp,
    pub(super) key: SigningKey,
    tree: Tree,
}

pub(super) fn person(name: &str) -> PersonId {
    PersonId::new(name)
}

impl Story {
    /// An empty ledger.
    pub(super) fn new() -> Self {
        Self {
            leaves: Vec::new(),
            people: BTreeMap::new(),
            keys: BTreeMap::new(),
            origin: ORIGIN.to_owned(),
            now: Timestamp(1_767_225_600_000),
            key: SigningKey::from_seed(LEDGER, &[1; 32]).unwrap(),
            tree: Tree::default(),
        }
    }

    /// Founded by alice and bob, who then took in carol.
    pub(super) fn founded() -> Self {
        let mut story = Self::new();
        story.write(What::Founded { origin: LEDGER.to_owned() });
        story.founder("alice");
        story.founder("bob");
        story.invite("carol", "alice");
        story.enrol("carol", Some("alice"), false);
        story.confirm("carol", "bob");
        story
    }

    pub(super) fn write(&mut self, what: What) -> u64 {
        self.now = self.now.plus(1000);
        let leaf = Record::new(self.now, what).encode();
        self.write_bytes(&leaf)
    }

    pub(super) fn write_bytes(&mut self, leaf: &[u8]) -> u64 {
        self.tree.push(leaf).unwrap();
        self.leaves.push(leaf.to_vec());
        self.tree.size - 1
    }

    pub(super) fn statement(&self, who: &str, what: Decision) -> Statement {
        Statement {
            origin: self.origin.clone(),
            what,
            person: who.to_owned(),
            root: self.tree.root(self.tree.size).unwrap(),
            size: self.tree.size,
            nonce: "bm9uY2U".to_owned(),
            expires: self.now.plus(300_000),
        }
    }

    pub(super) fn sign(&self, who: &str, what: Decision) -> Signed {
        self.people[who].sign(&self.statement(who, what))
    }

    pub(super) fn founder(&mut self, name: &str) {
        self.enrol(name, None, true);
    }

    pub(super) fn enrol(&mut self, name: &str, invited_by: Option<&str>, counts: bool) {
        let authenticator = Authenticator::eddsa(name);
        let key = authenticator.public();
        self.people.insert(name.to_owned(), authenticator);
        let signed = Some(self.sign(name, Decision::Enrol { person: person(name) }));
        let invited_by = invited_by.map(person);
        self.write(What::Enrolled { person: person(name), key, invited_by, signed, counts });
    }

    pub(super) fn invite(&mut self, name: &str, by: &str) {
        let signed = self.sign(by, Decision::Invite { person: person(name) });
        self.write(What::Invited { person: person(name), by: person(by), signed });
    }

    pub(super) fn confirm(&mut self, name: &str, by: &str) {
        let credential = self.people[name].public().digest();
        let signed = self.sign(by, Decision::Confirm { person: person(name), credential });
        self.write(What::Confirmed { person: person(name), by: person(by), signed });
    }

    pub(super) fn link(&mut self, name: &str, other: &str, by: &str) {
        let (person, other) = (person(name), person(other));
        let signed = self.sign(by, Decision::Link { person: person.clone(), other: other.clone() });
        self.write(What::Linked { person, other, by: self::person(by), signed });
    }

    /// Takes in somebody whom one invites and another confirms.
    pub(super) fn joined(&mut self, name: &str, inviter: &str, by: &str) {
        self.invite(name, inviter);
        self.enrol(name, Some(inviter), false);
        self.confirm(name, by);
    }

    /// Adds that key of the person's.
    pub(super) fn add_key(&mut self, name: &str, signer: Signer) {
        let key = signer.public();
        self.keys.insert(name.to_owned(), signer);
        let signed = self.sign(name, Decision::AddKey { key: key.ssh.clone() });
        let proof = Some(self.keys[name].sign(&signed.statement).signature);
        self.write(What::KeyAdded { person: person(name), key, signed, proof });
    }

    pub(super) fn confirm_key(&mut self, name: &str, by: &str) {
        let key = self.keys[name].public().digest();
        let signed = self.sign(by, Decision::ConfirmKey { person: person(name), key });
        self.write(What::KeyConfirmed { person: person(name), by: person(by), signed });
    }

    pub(super) fn remove_key(&mut self, name: &str, by: &str) {
        let key = self.keys[name].public().digest();
        let signed = self.sign(by, Decision::RemoveKey { person: person(name), key });
        self.write(What::KeyRemoved { person: person(name), by: person(by), signed });
    }

    /// Signs by the authenticator of that name in place of the person's first.
    pub(super) fn sign_by(&self, authenticator: &str, who: &str, what: Decision) -> Signed {
        self.people[authenticator].sign(&self.statement(who, what))
    }

    /// Lets the person enrol one more passkey.
    pub(super) fn ask(&mut self, name: &str, by: &str) {
        let person = person(name);
        let what = match name == by {
            true => Decision::AddPasskey,
            false => Decision::Recover { person: person.clone() },
        };
        let signed = self.sign(by, what);
        self.write(What::PasskeyAsked { person, by: self::person(by), signed });
    }

    /// Enrols that authenticator for the person, as `by` has asked.
    pub(super) fn enrol_more(&mut self, name: &str, authenticator: &str, by: &str) {
        self.people.insert(authenticator.to_owned(), Authenticator::eddsa(authenticator));
        let key = self.people[authenticator].public();
        let (person, invited_by) = (person(name), Some(person(by)));
        self.write(What::Enrolled { person, key, invited_by, signed: None, counts: false });
    }

    /// Confirms that authenticator of the person's, in place of those others.
    pub(super) fn confirm_passkey(&mut self, name: &str, (one, others): (&str, &[&str]), by: &str) {
        let digest = |name: &str| self.people[name].public().digest();
        let what = Decision::ConfirmPasskey {
            person: person(name),
            key: digest(one),
            replaces: others.iter().map(|other| digest(other)).collect(),
        };
        let signed = self.sign(by, what);
        self.write(What::PasskeyConfirmed { person: person(name), by: person(by), signed });
    }

    pub(super) fn remove_passkey(&mut self, name: &str, authenticator: &str, by: &str) {
        let key = self.people[authenticator].public().digest();
        let signed = self.sign(by, Decision::RemovePasskey { person: person(name), key });
        self.write(What::PasskeyRemoved { person: person(name), by: person(by), signed });
    }

    /// An approval that the person signed by that authenticator.
    pub(super) fn approval_by(&self, authenticator: &str, hold: &str, who: &str) -> ApprovalRecord {
        ApprovalRecord {
            signed: self.sign_by(authenticator, who, Decision::Approve(subject(hold))),
            key: self.people[authenticator].public(),
            ..self.approval(hold, who, Standing::Peer)
        }
    }

    /// Adds an Ed25519 key of the person's, which `by` confirms.
    pub(super) fn key(&mut self, name: &str, by: &str) {
        self.add_key(name, Signer::ed25519(&format!("{name}'s key")));
        self.confirm_key(name, by);
    }

    /// An approval that the person signed with their SSH key.
    pub(super) fn by_key(&self, hold: &str, who: &str, standing: Standing) -> ApprovalRecord {
        let statement = self.statement(who, Decision::Approve(subject(hold)));
        ApprovalRecord {
            signed: self.keys[who].sign(&statement),
            key: self.keys[who].public(),
            ..self.approval(hold, who, standing)
        }
    }

    pub(super) fn approve_by_key(
        &mut self,
        hold: &str,
        who: &str,
        standing: Standing,
    ) -> ApprovalRecord {
        let approval = self.by_key(hold, who, standing);
        self.write(What::Approved { hold: HoldId::new(hold), approval: approval.clone() });
        approval
    }

    /// Holds a request of alice's session that needs two peers, one of them an owner.
    pub(super) fn held(&mut self, hold: &str) {
        self.held_for(hold, Needs { peers: 2, owners: 1, ..Needs::default() });
    }

    pub(super) fn held_for(&mut self, hold: &str, needs: Needs) {
        self.held_among(hold, needs, Roster::default());
    }

    /// With who is what on its card.
    pub(super) fn held_among(&mut self, hold: &str, needs: Needs, roster: Roster) {
        let card = CardRecord {
            hold: HoldId::new(hold),
            card: Digest::of(hold.as_bytes()),
            request: request(Effect::Destroy, None),
            purpose: String::new(),
            needs,
            taken: self.now,
            roster,
            allowance: None,
            shape: None,
        };
        let expires = self.now.plus(3_600_000);
        self.write(What::Held { card: Box::new(card), expires });
    }

    pub(super) fn approval(&self, hold: &str, who: &str, standing: Standing) -> ApprovalRecord {
        ApprovalRecord {
            person: person(who),
            standing,
            at: self.now.plus(500),
            comment: String::new(),
            signed: self.sign(who, Decision::Approve(subject(hold))),
            key: self.people[who].public(),
        }
    }

    pub(super) fn approve(&mut self, hold: &str, who: &str, standing: Standing) -> ApprovalRecord {
        let approval = self.approval(hold, who, standing);
        self.write(What::Approved { hold: HoldId::new(hold), approval: approval.clone() });
        approval
    }

    /// Lets a hold through on one person's word, by a key of that maker's.
    pub(super) fn break_glass(&mut self, hold: &str, who: &str, reason: &str) -> ApprovalRecord {
        let mut broken = self.approval(hold, who, Standing::Owner);
        let reason = reason.to_owned();
        broken.signed = self.sign(who, Decision::BreakGlass { subject: subject(hold), reason });
        broken.key.attested = Some(MAKER);
        self.write(What::GlassBroken { hold: HoldId::new(hold), approval: broken.clone() });
        broken
    }

    pub(super) fn review(&mut self, hold: &str, who: &str, broken: &ApprovalRecord) {
        let (by, key) = (person(who), self.people[who].public());
        let finding = "as it should be".to_owned();
        let broken = broken.signed.statement.challenge();
        let signed = self.sign(who, Decision::Review { hold: HoldId::new(hold), broken, finding });
        self.write(What::Reviewed { hold: HoldId::new(hold), by, signed, key });
    }

    /// Founded by carol, and by bob with a passkey that a maker attests to; alice and dave were confirmed by both.
    pub(super) fn with_hardware() -> Self {
        let mut story = Self::new();
        story.write(What::Founded { origin: LEDGER.to_owned() });
        story.founder("carol");
        let authenticator = Authenticator::eddsa("bob");
        let statement = story.statement("bob", Decision::Enrol { person: person("bob") });
        let registration = authenticator.creation(&statement).registration();
        let (public, bob) = (authenticator.public(), person("bob"));
        let key = public.digest();
        story.write(What::Attested { person: bob.clone(), key, root: MAKER, statement, registration });
        story.people.insert("bob".to_owned(), authenticator);
        let signed = Some(story.sign("bob", Decision::Enrol { person: bob.clone() }));
        let key = PublicKey { attested: Some(MAKER), ..public };
        story.write(What::Enrolled { person: bob, key, invited_by: None, signed, counts: true });
        let digest = Digest([7; 32]);
        let decision = || Decision::Configure { part: "break_glass".to_owned(), digest };
        let signed = ["carol", "bob"].iter().map(|who| story.sign(who, decision())).collect();
        story.write(What::Configured { part: "break_glass".to_owned(), digest, signed });
        for name in ["alice", "dave"] {
            story.joined(name, "carol", "bob");
            story.confirm(name, "carol");
        }
        story
    }

    pub(super) fn reject(&mut self, hold: &str, who: &str) {
        let signed = self.sign(who, Decision::Reject(subject(hold)));
        let (hold, key) = (HoldId::new(hold), self.people[who].public());
        let reason = "not now".to_owned();
        self.write(What::Rejected { hold, person: person(who), reason, signed, key });
    }

    pub(super) fn clear(&mut self, hold: Option<&str>, approvals: Vec<ApprovalRecord>) -> u64 {
        self.write(What::Cleared { request: request(Effect::Destroy, hold), approvals })
    }

    pub(super) fn settle(&mut self, leaf: u64) {
        let outcome = Outcome::done("DELETE 4".to_owned(), Some(4));
        self.write(What::Settled { leaf: LeafIndex(leaf), outcome, returned: false });
    }

    /// A hold that bob and carol approve, and that runs once.
    pub(super) fn executed(&mut self, hold: &str) {
        self.held(hold);
        let approvals = vec![
            self.approve(hold, "bob", Standing::Owner),
            self.approve(hold, "carol", Standing::Peer),
        ];
        let leaf = self.clear(Some(hold), approvals);
        self.settle(leaf);
    }

    pub(super) fn head(&self) -> Head {
        Head { size: self.tree.size, root: self.tree.root(self.tree.size).unwrap() }
    }

    pub(super) fn checkpoint(&self) -> String {
        self.key.sign(self.head(), self.now).unwrap()
    }

    pub(super) fn audit(&self) -> Report {
        audit(&self.leaves, &self.checkpoint(), &[])
    }
}

/// The audit of these leaves as a copy of the story's ledger.
pub(super) fn audit(leaves: &[Vec<u8>], latest: &str, older: &[&str]) -> Report {
    let key = SigningKey::from_seed(LEDGER, &[1; 32]).unwrap().verifier();
    let mut audit = Audit::new(key.as_str()).unwrap();
    for (index, leaf) in leaves.iter().enumerate() {
        audit = audit.leaf(index as u64, leaf);
    }
    audit.finish(latest, older)
}

pub(super) fn subject(hold: &str) -> Subject {
    Subject {
        hold: HoldId::new(hold),
        request: Digest([2; 32]),
        card: Digest::of(hold.as_bytes()),
        policy_set: Digest([3; 32]),
    }
}

pub(super) fn request(effect: Effect, hold: Option<&str>) -> RequestRecord {
    let act = Act {
        effect,
        resource: Resource::new(Kind::Relation, "orders"),
        reversibility: Reversibility::Irreversible,
        local: false,
        why: "removes every row".to_owned(),
        tie: None,
    };
    RequestRecord {
        principal: Principal {
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            human: false,
            controller: person("alice"),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        digest: Digest([2; 32]),
        redacted: "DELETE FROM orders".to_owned(),
        commitment: Digest([5; 32]),
        acts: vec![act],
        facts: crate::facts::Facts::default(),
        basis: Basis {
            policies: vec!["guarded-3".to_owned()],
            policy_set: Digest([3; 32]),
            hold: hold.map(HoldId::new),
            observed: None,
            used: None,
        },
    }
}
