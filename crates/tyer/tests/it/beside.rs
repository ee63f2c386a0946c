//! What people leave beside a hold: notes, whom they hand it over to, and until when each has put it off.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};

const DELETE: &str = "DELETE FROM payments";
const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";

async fn leaves(who: &mut Approver, hold: &str, what: &str, body: Value) -> (u16, Value) {
    let path = format!("/api/v1/holds/{hold}/{what}");
    let (status, said) = who.http().post(&path, &body).await.expect("an answer");
    (status.as_u16(), said)
}

#[tokio::test]
async fn notes_and_hand_overs_stay_with_the_hold_and_change_nothing_about_who_counts() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let before = bed.hold(&hold).await;
    let text = "look at the <b>backups</b>\u{1b}[31m first";
    let handed = json!({ "text": text, "to": ["bob", "carol"] });
    assert_eq!(leaves(&mut bed.alice, &hold, "notes", handed).await.0, 200);
    for (body, why) in [
        (json!({ "text": "yours", "to": ["mallory"] }), "no person `mallory` who counts"),
        (json!({ "text": " " }), "a note needs words"),
        (json!({ "text": "x".repeat(2_001) }), "at most 2000 characters"),
        (json!({ "text": "yours", "to": vec!["bob"; 17] }), "at most 16 people"),
    ] {
        let (status, said) = leaves(&mut bed.alice, &hold, "notes", body).await;
        assert!(status == 400 && said.to_string().contains(why), "{status} {said}");
    }
    let after = bed.hold(&hold).await;
    assert_eq!(after["handed_to"], json!(["bob", "carol"]));
    assert_eq!(after["notes"][0]["text"], text);
    for same in ["needs", "given", "ends", "state", "card_digest", "approvals"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    let refused = bed.carol.approve(&hold).await.expect_err("handed over or not").to_string();
    assert!(refused.contains("controls the session"), "{refused}");

    bed.tyer.run(&["hold", "note", &hold, "--note", "and call dan", "--to", "alice"]).expect("a note");
    let said = bed.tyer.run(&["show", &hold]).expect("the card");
    assert!(said.contains("and call dan") && said.contains("hands it over to bob, carol"), "{said}");
    assert!(said.contains("<b>backups</b>") && !said.contains('\u{1b}'), "{said}");
    let noted = bed.leaves_of("noted");
    assert_eq!(
        (&record(&noted[0])["by"], &record(&noted[1])["by"]),
        (&json!("alice"), &json!("operator"))
    );
    assert_eq!(record(&noted[0])["to"], json!(["bob", "carol"]));
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    for who in [&mut bed.alice, &mut bed.bob] {
        who.sign_in().await.expect("a sign-in");
    }
    bed.bob.reject(&hold, "the books").await.expect("bob rejects");
    let ended = bed.hold(&hold).await;
    assert_eq!(ended["notes"].as_array().map(Vec::len), Some(2), "{ended}");
    let (status, said) = leaves(&mut bed.alice, &hold, "notes", json!({ "text": "why?" })).await;
    assert_eq!(status, 409, "{said}");
    assert!(said.to_string().contains("can no longer be answered: bob rejected it"), "{said}");
    bed.verify();
}

/// The holds in the order of the queue, and which of them the person has put off.
async fn queue(who: &mut Approver) -> Vec<(String, bool)> {
    let (_, said) = who.http().get("/api/v1/holds").await.expect("an answer");
    let holds = said["holds"].as_array().expect("holds").iter();
    let row =
        |hold: &Value| (hold["hold"].as_str().expect("an id").to_owned(), !hold["put_off"].is_null());
    holds.map(row).collect()
}

#[tokio::test]
async fn a_hold_is_put_off_for_oneself_alone_stays_listed_and_lives_no_longer() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let update = ask(&agent, UPDATE).await.unwrap_err().hold();
    let delete = ask(&agent, DELETE).await.unwrap_err().hold();
    let row = |hold: &String, put_off: bool| (hold.clone(), put_off);
    assert_eq!(queue(&mut bed.alice).await, [row(&delete, false), row(&update, false)]);
    let ends = bed.hold(&delete).await["ends"].clone();
    let later = json!({ "at": "09:00", "zone": "Europe/Berlin", "note": "after the stand-up" });
    let (status, said) = leaves(&mut bed.alice, &delete, "later", later).await;
    assert!(status == 200 && said["until"].is_string(), "{said}");
    assert_eq!(queue(&mut bed.alice).await, [row(&update, false), row(&delete, true)]);
    assert_eq!(queue(&mut bed.bob).await, [row(&delete, false), row(&update, false)], "hers alone");
    let card = bed.hold(&delete).await;
    assert_eq!((&card["ends"], &card["later"][0]["by"]), (&ends, &json!("alice")));
    assert_eq!(card["notes"][0]["text"], "after the stand-up");
    for (at, zone, expect, why) in [
        ("2100-01-01T09:00", "UTC", 409, "before that: the agent will have to ask again"),
        ("2020-01-01T09:00", "UTC", 400, "that time has passed"),
        ("soon", "UTC", 400, "`soon` is not a day and a time"),
        ("09:00", "Mars/Olympus", 400, "Mars/Olympus"),
    ] {
        let body = json!({ "at": at, "zone": zone });
        let (status, said) = leaves(&mut bed.bob, &delete, "later", body).await;
        assert!(status == expect && said.to_string().contains(why), "{status} {said}");
    }

    // The command line has a list of its own.
    let list = |bed: &Bed| bed.tyer.run(&["holds", "list"]).expect("a list");
    assert!(!list(&bed).contains("later"), "{}", list(&bed));
    let put_off = ["hold", "later", &delete, "--at", "09:00", "--note", "tired"];
    let said = bed.tyer.run(&put_off).expect("it is put off");
    assert!(said.contains("stands under later until 20"), "{said}");
    let said = list(&bed);
    let (first, last) = (said.find(&update).expect("listed"), said.find(&delete).expect("listed"));
    assert!(first < last && said.contains("open, later"), "{said}");
    let said = bed.tyer.run(&["show", &delete]).expect("the card");
    assert!(
        said.contains("alice looks again at 20") && said.contains("operator looks again at 20"),
        "{said}"
    );
    assert!(
        bed.tyer.run(&["hold", "later", &delete, "--at", "now"]).expect("back").contains("is back")
    );
    assert!(!list(&bed).contains("later"));

    // It can be answered all the same.
    bed.alice.approve(&delete).await.expect("alice");
    bed.bob.approve(&delete).await.expect("bob");
    assert_eq!(queue(&mut bed.alice).await, [row(&update, false), row(&delete, true)]);
    ask(&agent, DELETE).await.expect("it runs");
    assert_eq!(bed.leaves_of("put_off").len(), 3);
    bed.verify();
}
