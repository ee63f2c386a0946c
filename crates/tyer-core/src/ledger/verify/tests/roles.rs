//! What somebody decided whose role does not let them.

use super::*;
use crate::roles::{Role, role_part};

fn give(story: &mut Story, name: &str, role: Role, people: &[&str]) {
    let (part, digest) = (role_part(&person(name)), role.digest());
    let decision = || Decision::Configure { part: part.clone(), digest };
    let signed = people.iter().map(|who| story.sign(who, decision())).collect();
    story.write(What::Configured { part: part.clone(), digest, signed });
}

#[test]
fn an_auditor_decides_nothing_and_an_approver_gives_no_power() {
    let answered = |role: Role| {
        move |story: &mut Story| {
            give(story, "carol", role, &["alice", "bob"]);
            story.held("H-1");
            story.approve("H-1", "carol", Peer);
        }
    };
    check(answered(Role::Operator), &expect![[""]]);
    check(answered(Role::Approver), &expect![[""]]);
    check(
        answered(Role::Auditor),
        &expect!["leaf 8: carol is no more than an auditor and may not decide that"],
    );
    let later = |story: &mut Story| {
        story.held("H-1");
        give(story, "carol", Role::Auditor, &["alice", "bob"]);
        story.approve("H-1", "carol", Peer);
        story.reject("H-1", "carol");
    };
    check(
        later,
        &expect![[r#"
            leaf 8: carol is no more than an auditor and may not decide that
            leaf 9: carol is no more than an auditor and may not decide that"#]],
    );
    // Nor does it count any more that they had agreed, or stood behind somebody.
    let before = |story: &mut Story| {
        story.held("H-1");
        let approvals = vec![story.approve("H-1", "bob", Owner), story.approve("H-1", "carol", Peer)];
        give(story, "carol", Role::Auditor, &["alice", "bob"]);
        story.clear(Some("H-1"), approvals);
    };
    check(
        before,
        &expect![[r#"
        leaf 10: carol is no more than an auditor and may not decide that
        leaf 10: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    let behind = |story: &mut Story| {
        story.joined("dave", "alice", "carol");
        give(story, "carol", Role::Auditor, &["alice", "bob"]);
        story.held("H-1");
        story.approve("H-1", "dave", Peer);
    };
    check(
        behind,
        &expect![
            "leaf 11: dave was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer"
        ],
    );
    let invites = |story: &mut Story| {
        give(story, "carol", Role::Approver, &["alice", "bob"]);
        let decision = Decision::Invite { person: person("dave") };
        let signed = story.sign("carol", decision);
        story.write(What::Invited { person: person("dave"), by: person("carol"), signed });
    };
    check(invites, &expect!["leaf 7: carol is no more than an approver and may not decide that"]);
}

#[test]
fn nobody_confirms_their_own_role() {
    let own = |story: &mut Story| give(story, "carol", Role::Operator, &["alice", "carol"]);
    check(own, &expect!["leaf 6: carol confirmed a role of their own"]);
    let alone = |story: &mut Story| give(story, "carol", Role::Auditor, &["alice"]);
    check(alone, &expect!["leaf 6: role carol was changed with the consent of 1 of two people"]);
}

#[test]
fn what_somebody_asked_for_whose_role_does_not_let_them_any_more_is_not_confirmed() {
    let asked = |by: &'static str, role: Role| {
        move |story: &mut Story| {
            story.ask("carol", by);
            story.enrol_more("carol", "carol's other", by);
            give(story, "bob", role, &["alice", "carol"]);
            let others: &[&str] = if by == "carol" { &[] } else { &["carol"] };
            story.confirm_passkey("carol", ("carol's other", others), "alice");
        }
    };
    check(asked("bob", Role::Operator), &expect![[""]]);
    check(asked("carol", Role::Approver), &expect![[""]]);
    check(
        asked("bob", Role::Approver),
        &expect!["leaf 9: bob asked for the passkey of carol and may not do so any more"],
    );
}
