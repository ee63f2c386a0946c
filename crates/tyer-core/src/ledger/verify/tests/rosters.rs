//! Teams that a card asks for: who is in them, and who speaks for which.

use std::collections::BTreeSet;

use super::*;
use crate::freeze::Zone;
use crate::hours::{Hours, Shift, person_part};
use crate::intent::TeamId;
use crate::roster::{Roster, team_digest, team_part};

fn members(names: &str) -> BTreeSet<crate::intent::PersonId> {
    names.split_whitespace().map(person).collect()
}

fn configured(story: &mut Story, team: &str, names: &str) {
    let (part, digest) = (team_part(&TeamId::new(team)), team_digest(&members(names)));
    let decision = || Decision::Configure { part: part.clone(), digest };
    let signed = ["alice", "carol"].map(|who| story.sign(who, decision())).to_vec();
    story.write(What::Configured { part: part.clone(), digest, signed });
}

/// A hold that asks for one from each team, with these members on its card, and runs with these peers.
fn ran(
    card: &'static [(&'static str, &'static str)],
    who: &'static [&'static str],
) -> impl Fn(&mut Story) {
    move |story: &mut Story| {
        configured(story, "payments", "bob carol");
        configured(story, "sre", "carol alice");
        let teams = ["payments", "sre"].map(TeamId::new).into();
        let needs = Needs { peers: 2, teams, ..Needs::default() };
        let team = |(team, names): &(&str, &str)| (TeamId::new(*team), members(names));
        story.held_among(
            "H-1",
            needs,
            Roster { teams: card.iter().map(team).collect(), ..Roster::default() },
        );
        let approvals = who.iter().map(|who| story.approve("H-1", who, Peer)).collect();
        story.clear(Some("H-1"), approvals);
    }
}

const HONEST: &[(&str, &str)] = &[("payments", "bob carol"), ("sre", "alice carol")];

#[test]
fn who_speaks_for_which_team_is_checked_again() {
    check(ran(HONEST, &["bob", "carol"]), &expect![[""]]);
    check(
        ran(HONEST, &["carol"]),
        &expect![[
            "leaf 10: it ran without the people that it needed (two different people other than the controller, one from payments, one from sre): what counts is 1 by peers, 0 of them owners, one from payments"
        ]],
    );
}

#[test]
fn who_is_in_a_team_is_what_was_confirmed() {
    check(
        ran(&[("payments", "bob carol"), ("sre", "alice bob carol")], &["bob", "carol"]),
        &expect!["leaf 8: it says of the team sre that others are in it than was confirmed"],
    );
    check(
        ran(&[("payments", "bob carol")], &["bob", "carol"]),
        &expect![[r#"
            leaf 8: it does not say who is in the team sre, which it asks for
            leaf 11: it ran without the people that it needed (two different people other than the controller, one from payments, one from sre): what counts is 2 by peers, 0 of them owners, one from payments"#]],
    );
}

/// A hold that asks for somebody at work, with these hours of bob's on its card, and runs with his approval as he gave
/// it, changed.
fn at_work(shift: &'static str, change: fn(&mut crate::record::ApprovalRecord)) -> impl Fn(&mut Story) {
    move |story: &mut Story| {
        let hours = |shift: &str| {
            let shift = Shift::parse(shift).expect("a window");
            Hours::new(Zone::default(), vec![shift]).expect("hours")
        };
        // The story begins on a Thursday at midnight.
        let (part, digest) = (person_part(&person("bob")), hours("Thu 00:00-01:00").digest());
        let decision = || Decision::Configure { part: part.clone(), digest };
        let signed = ["alice", "carol"].map(|who| story.sign(who, decision())).to_vec();
        story.write(What::Configured { part: part.clone(), digest, signed });
        let needs = Needs { peers: 1, on_hours: 1, ..Needs::default() };
        let hours = [(person("bob"), hours(shift))].into();
        story.held_among("H-1", needs, Roster { hours, ..Roster::default() });
        let mut approval = story.approval("H-1", "bob", Peer);
        change(&mut approval);
        story.write(What::Approved { hold: HoldId::new("H-1"), approval: approval.clone() });
        story.clear(Some("H-1"), vec![approval]);
    }
}

#[test]
fn who_was_at_work_is_checked_again() {
    check(at_work("Thu 00:00-01:00", |_| {}), &expect![[""]]);
    check(
        at_work("Thu 00:00-23:00", |_| {}),
        &expect!["leaf 7: it says of bob that they work at other hours than was confirmed"],
    );
    // Dated to before he could have signed it: to when he was at work.
    let ran = "leaf 9: it ran without the people that it needed (one person other than the controller, in their \
               working hours): what counts is 1 by peers, 0 of them owners, 0 at work";
    let late = |story: &mut Story| {
        story.now = story.now.plus(2 * 3_600_000);
        at_work("Thu 00:00-01:00", |_| {})(story);
    };
    let report = |write: &dyn Fn(&mut Story)| {
        let mut story = Story::founded();
        write(&mut story);
        story.audit().findings.iter().map(Finding::to_string).collect::<Vec<_>>()
    };
    assert_eq!(report(&late), [ran]);
    let dated_back = |story: &mut Story| {
        story.now = story.now.plus(2 * 3_600_000);
        at_work("Thu 00:00-01:00", |approval| approval.at = approval.at.plus(-2 * 3_600_000))(story);
    };
    assert_eq!(report(&dated_back), [ran]);
}
