//! People and their keys, as outsiders see them.

use serde::Serialize;
use tyer_core::assurance;

use crate::gateway::world::{Passkey, Person, SshKey};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PersonBody {
    pub(crate) name: String,
    pub(crate) founder: bool,
    /// Whether their word counts.
    pub(crate) counts: bool,
    /// `operator`, `approver` or `auditor`.
    pub(crate) role: &'static str,
    /// `enrolment`, `confirmation`, `recovery` (all their passkeys were removed) or nothing.
    pub(crate) waiting_for: Option<&'static str>,
    pub(crate) invited_by: Option<String>,
    pub(crate) confirmed_by: Option<String>,
    /// Who else stands behind them.
    pub(crate) confirmed_also: Vec<String>,
    /// Other names of the same human.
    pub(crate) one_with: Vec<String>,
    /// Others let them enrol anew, since they had lost their passkeys.
    pub(crate) recovered: bool,
    /// How many of their passkeys were confirmed and not removed.
    pub(crate) passkeys: usize,
    /// All of them.
    pub(crate) passkey_list: Vec<PasskeyBody>,
    pub(crate) ssh_keys: Vec<SshKeyBody>,
}

/// A passkey of a person.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PasskeyBody {
    /// What a confirmation is over, 64 hexadecimal digits.
    pub(crate) digest: String,
    /// Whether its signatures count if its owner's word does.
    pub(crate) counts: bool,
    /// A maker whom the operator trusted then attests that it lives in hardware.
    pub(crate) attested: bool,
    /// Who asked for it beside or in place of others; nobody for a person's first.
    pub(crate) asked_by: Option<String>,
    pub(crate) confirmed_by: Option<String>,
    pub(crate) removed_by: Option<String>,
}

impl PasskeyBody {
    fn of(passkey: &Passkey) -> Self {
        Self {
            digest: passkey.key.digest().to_string(),
            counts: passkey.counts(),
            attested: passkey.key.attested.is_some(),
            asked_by: passkey.asked_by.as_ref().map(ToString::to_string),
            confirmed_by: passkey.confirmed_by.as_ref().map(ToString::to_string),
            removed_by: passkey.removed_by.as_ref().map(ToString::to_string),
        }
    }

    /// Whether it was asked for, and nobody has confirmed or removed it.
    pub(crate) fn waits(&self) -> bool {
        !self.counts && self.removed_by.is_none()
    }

    /// What people compare by another way than the page: the beginning of the digest, in groups.
    pub(crate) fn short(&self) -> String {
        let digits: Vec<char> = self.digest.chars().take(16).collect();
        let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
        groups.join(" ")
    }
}

/// An SSH key of a person.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SshKeyBody {
    /// As OpenSSH writes it.
    pub(crate) fingerprint: String,
    /// The key itself, as OpenSSH writes it.
    pub(crate) key: String,
    /// `software`, `unattested` or, where a maker whom the operator trusted then attests to it, `hardware`.
    pub(crate) assurance: &'static str,
    /// Whether its signatures count: somebody other than its owner has confirmed it, and nobody removed it.
    pub(crate) counts: bool,
    pub(crate) confirmed_by: Option<String>,
    pub(crate) removed_by: Option<String>,
}

impl SshKeyBody {
    fn of(ssh: &SshKey) -> Self {
        Self {
            fingerprint: ssh.key.credential.clone(),
            key: ssh.key.ssh.clone(),
            assurance: assurance::of_key(&ssh.key).as_str(),
            counts: ssh.counts(),
            confirmed_by: ssh.confirmed_by.as_ref().map(ToString::to_string),
            removed_by: ssh.removed_by.as_ref().map(ToString::to_string),
        }
    }
}

impl PersonBody {
    pub(crate) fn of(person: &Person) -> Self {
        let waiting_for = if person.keys.is_empty() {
            Some("enrolment")
        } else if person.passkeys().next().is_none() {
            Some("recovery")
        } else {
            (!person.reads()).then_some("confirmation")
        };
        Self {
            name: person.id.to_string(),
            founder: person.founder,
            counts: person.counts(),
            role: person.role.as_str(),
            waiting_for,
            invited_by: person.invited_by.as_ref().map(ToString::to_string),
            confirmed_by: person.confirmed_by.as_ref().map(ToString::to_string),
            confirmed_also: person.confirmed_also.iter().map(ToString::to_string).collect(),
            one_with: person.one_with.iter().map(ToString::to_string).collect(),
            recovered: person.recovered,
            passkeys: person.passkeys().count(),
            passkey_list: person.keys.iter().map(PasskeyBody::of).collect(),
            ssh_keys: person.ssh.iter().map(SshKeyBody::of).collect(),
        }
    }
}
