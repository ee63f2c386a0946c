//! Agents that speak the protocol byte by byte to get something run that nobody was asked about.
//!
//! Each attack is a script of messages. Past Tyer it rings an alarm in the database, which no rollback
//! silences; through the door it does not, and the connection either goes on as if nothing had been or ends
//! with an error. What the agent gets is in `attacks/answers.txt`.

mod client;
mod scripts;

use std::fmt::Write as _;

use xtask::instance::Shape;

use self::client::{Client, hold_of};
use self::scripts::{Attack, Ending, Without};
use crate::bed::Bed;
use crate::clients::Seat;

/// What rings: any statement that touches `prey`, and a function that runs where a statement is planned.
const SETUP: &str = "
    CREATE SEQUENCE alarm;
    CREATE TABLE prey (x int);
    CREATE TABLE herd (x int);
    INSERT INTO herd SELECT generate_series(1, 9);
    CREATE FUNCTION ring() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM nextval('public.alarm'); RETURN NULL; END $$;
    CREATE TRIGGER touched BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prey
        FOR EACH STATEMENT EXECUTE FUNCTION ring();
    CREATE FUNCTION trap(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM nextval('public.alarm'); RETURN x; END $$;
    GRANT USAGE ON SEQUENCE alarm TO tyer;
    ALTER TABLE prey OWNER TO tyer;
    ALTER TABLE herd OWNER TO tyer";

/// How often it has rung.
fn rung(bed: &Bed) -> u64 {
    let said = bed.truth("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM alarm");
    said.parse().expect("a number")
}

/// What an agent got, in a line.
fn play(seat: &Seat, attack: &Attack, ending: Ending) -> String {
    let mut client = Client::connect(seat);
    client.play(&attack.script);
    match ending {
        Ending::GoesOn => {
            let said = client.until_consistent();
            said.unwrap_or_else(|| panic!("\"{}\" ends the connection", attack.name))
        }
        Ending::Ends => client.until_closed(),
        Ending::Either => {
            drop(client.until_consistent());
            "goes on, or is closed".to_owned()
        }
    }
}

#[tokio::test]
async fn nothing_runs_unasked() {
    let bed = Bed::new(Shape::default()).await;
    bed.truth(SETUP);
    let alarm: u32 = bed.truth("SELECT 'alarm'::regclass::oid").parse().expect("an oid");
    let past = Seat::direct(&bed);
    let mut through = Seat::door(&bed);
    let (mut answers, mut harmless) = (String::new(), Vec::new());
    for (at, attack) in scripts::all(alarm).into_iter().enumerate() {
        if at % 10 == 9 {
            // Nobody may have so many holds open.
            through = Seat::door(&bed);
        }
        let before = rung(&bed);
        let said = play(&through, &attack, attack.ending);
        assert_eq!(rung(&bed), before, "{} ran something: {said}", attack.name);
        writeln!(answers, "{}: {said}", attack.name).expect("a line");
        if attack.without == Without::Rings {
            let said = play(&past, &attack, Ending::GoesOn);
            if rung(&bed) == before {
                harmless.push(format!("{}: {said}", attack.name));
            }
        }
        bed.truth("TRUNCATE prey");
    }
    assert!(harmless.is_empty(), "these are no attacks: {harmless:#?}");
    expect_test::expect_file!["./attacks/answers.txt"].assert_eq(&answers);
    for leaf in bed.leaves_of("cleared") {
        assert!(!leaf.to_string().contains("prey"), "cleared: {leaf}");
    }
    bed.verify();
}

#[tokio::test]
async fn a_portal_that_goes_on_after_a_freeze_changes_nothing_more() {
    let mut bed = Bed::new(Shape::default()).await;
    bed.truth(SETUP);
    let seat = Seat::door(&bed);
    let insert = "INSERT INTO prey SELECT generate_series(1, 9) RETURNING x";
    let begin = [scripts::parse("w", insert), scripts::bind("p", "w")].concat();
    let some = [scripts::execute("p", 2), scripts::sync()].concat();
    let mut client = Client::connect(&seat);
    let refused =
        client.ask(&[scripts::parse("", insert), scripts::bind("", ""), scripts::run()].concat());
    let hold = hold_of(&refused);
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    client.ask(&scripts::query("BEGIN"));
    assert_eq!(client.ask(&[begin, some.clone()].concat()).tags(), "12DsZ");
    let before = rung(&bed);
    bed.tyer.run(&["freeze", "--reason", "the launch"]).expect("a freeze");
    // What it gives has been changed already; that is all that it gives.
    assert_eq!(client.ask(&some).tags(), "DsZ");
    let again = [scripts::bind("q", "w"), scripts::execute("q", 0), scripts::sync()].concat();
    let refused = client.ask(&again);
    assert!(refused.text.contains("frozen") || refused.text.contains("freeze"), "{}", refused.text);
    assert_eq!(rung(&bed), before);
    bed.verify();
}
