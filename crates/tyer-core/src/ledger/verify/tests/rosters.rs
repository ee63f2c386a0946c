//! Teams that a card asks for: who is in them, and who speaks for which.

use std::collections::BTreeSet;

use super::*;
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
        story.held_among("H-1", needs, Roster { teams: card.iter().map(team).collect() });
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
