//! Holds answered by SSH key from another machine: neither the data directory nor the socket is there.

use super::*;

/// A machine with the program, a key, and nothing of the server's.
struct Elsewhere {
    place: TempDir,
    url: String,
}

impl Elsewhere {
    fn of(bed: &Bed) -> Self {
        let url = format!("http://localhost:{}", bed.tyer.console);
        Self { place: tempfile::tempdir().expect("a directory"), url }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(&self.place).stdin(Stdio::null());
        for name in ["TYER_DATA", "TYER_URL", "SSH_AUTH_SOCK"] {
            command.env_remove(name);
        }
        command.output().expect("tyer")
    }

    fn answer(&self, arguments: &[&str], file: &Path) -> Output {
        let file = file.to_str().expect("a name");
        self.run(&[arguments, &["--url", self.url.as_str(), "--ssh-key", file, "--yes"]].concat())
    }
}

#[tokio::test]
async fn an_ssh_key_answers_from_another_machine() {
    let Asked { bed, keys: _keys, file, agent, hold } = asked().await;
    let elsewhere = Elsewhere::of(&bed);
    assert_eq!(elsewhere.run(&["show", &hold]).status.code(), Some(6), "no server is here");
    let approved = elsewhere.answer(&["approve", &hold], &file);
    assert!(approved.status.success(), "{}", text(&approved.stderr));
    let said = text(&approved.stdout);
    let (card, end) = said.split_once("| UPDATE customers").expect("the card");
    assert!(
        card.contains("public.customers") && end.contains(&format!("approved {hold} as bob")),
        "{said}"
    );
    ask(&agent, CHANGE).await.expect("it runs");
    // A rejection with its reason, and a list.
    let create = "CREATE TABLE notes (id int)";
    let other = ask(&agent, create).await.unwrap_err().hold();
    let rejected = elsewhere.answer(&["--json", "reject", &other, "--reason", "not now"], &file);
    let said: Value = serde_json::from_slice(&rejected.stdout).expect("JSON");
    assert_eq!((&said["person"], &said["decision"]), (&json!("bob"), &json!("reject")), "{rejected:?}");
    assert!(ask(&agent, create).await.unwrap_err().message.contains("not now"));
    let one = |id: u32| format!("UPDATE customers SET name = name WHERE id = {id}");
    let both = [ask(&agent, &one(2)).await, ask(&agent, &one(3)).await];
    let [two, three] = both.map(|held| held.unwrap_err().hold());
    let listed = elsewhere.answer(&["approve", &two, &three], &file);
    let said = text(&listed.stdout);
    assert!(said.contains(&one(2)) && said.contains(&one(3)), "{listed:?}");
    for id in 2..=3 {
        ask(&agent, &one(id)).await.expect("it was in the list");
    }
    bed.verify();
}

#[tokio::test]
async fn whoever_has_no_key_that_counts_sees_nothing_from_afar() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let (of_bob, stray) = (keys.make("bob", "ed25519"), keys.make("stray", "ed25519"));
    let agent = bed.agent().await;
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    let elsewhere = Elsewhere::of(&bed);
    let check = |file: &Path, expect: &str| {
        let refused = elsewhere.answer(&["approve", &hold], file);
        assert_eq!(refused.status.code(), Some(4), "{refused:?}");
        assert!(text(&refused.stderr).contains(expect), "{refused:?}");
        assert!(!text(&refused.stdout).contains("customers"), "{refused:?}");
    };
    check(&stray, "not enrolled here");
    add(&mut bed.bob, &of_bob).await;
    check(&of_bob, "not enrolled here");
    let confirm = json!({ "confirm_key": fingerprint(&of_bob) });
    bed.alice.decide(&confirm, "").await.expect("alice confirms");
    // Strangers get a statement that says nothing, and no card.
    let mut stranger = xtask::http::Http::new(bed.tyer.console);
    let (status, _) = stranger.get(&format!("/api/v1/holds/{hold}")).await.expect("an answer");
    assert_eq!(status, 401);
    let (status, look) =
        stranger.post("/api/v1/ssh/looks", &json!({ "holds": [hold] })).await.expect("an answer");
    assert!(status.is_success() && !look.to_string().contains("bob"), "{look}");
    let wish = json!({ "hold": hold, "decision": "approve", "key": fingerprint(&of_bob) });
    let (status, _) = stranger.post("/api/v1/ssh/statements", &wish).await.expect("an answer");
    assert_eq!(status, 401);
    bed.carol.decide(&json!({ "remove_key": fingerprint(&of_bob) }), "").await.expect("removed");
    check(&of_bob, "not enrolled here");
    assert_eq!(bed.hold(&hold).await["approvals"], json!([]));
    bed.verify();
}

#[tokio::test]
async fn a_look_is_good_once_for_its_cards_and_decides_nothing() {
    let Asked { mut bed, keys: _keys, file, agent: _agent, hold } = asked().await;
    let mut stranger = xtask::http::Http::new(bed.tyer.console);
    let mut look = async || {
        let named = json!({ "holds": [hold] });
        let (_, made) = stranger.post("/api/v1/ssh/looks", &named).await.expect("an answer");
        let nonce = made["statement"]["nonce"].as_str().expect("a nonce").to_owned();
        (nonce, message(&made).to_owned())
    };
    let (first, second, third) = (look().await, look().await, look().await);
    let cards = async |nonce: &str, signature: &str| {
        let body = json!({ "nonce": nonce, "signature": signature, "decision": "approve" });
        let mut stranger = xtask::http::Http::new(bed.tyer.console);
        stranger.post("/api/v1/ssh/cards", &body).await.expect("an answer")
    };
    let signature = sign(&file, "tyer", &[], &first.1);
    let (status, seen) = cards(&first.0, &signature).await;
    assert!(status.is_success(), "{seen}");
    assert_eq!(seen["cards"][0]["hold"], json!(hold));
    let (status, again) = cards(&first.0, &signature).await;
    assert!(status == 409 && again["error"]["code"] == "stale", "used once: {again}");
    let (status, moved) = cards(&second.0, &signature).await;
    assert!(status == 403 && moved.to_string().contains("does not verify"), "for another: {moved}");
    let (status, other) = cards(&third.0, &sign(&file, "git", &[], &third.1)).await;
    assert!(status == 403 && other.to_string().contains("another namespace"), "{other}");
    // A look is no approval, and an approval no look.
    let (nonce, text) = look().await;
    let refused = bed.hand_in(&nonce, &sign(&file, "tyer", &[], &text)).await.expect_err("a look");
    assert!(refused.contains("took too long or was used"), "{refused}");
    let answer = (seen["statement"]["nonce"].as_str().expect("a nonce"), message(&seen));
    let signature = sign(&file, "tyer", &[], answer.1);
    let (status, _) = cards(answer.0, &signature).await;
    assert_eq!(status, 409);
    assert_eq!(bed.hold(&hold).await["approvals"], json!([]));
    bed.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_signed_for_another_console_than_was_named() {
    let Asked { mut bed, keys: _keys, file, agent: _agent, hold } = asked().await;
    let elsewhere = Elsewhere::of(&bed);
    let name = file.to_str().expect("a name");
    for (url, code) in [
        ("http://tyer.example.com", 2),
        ("http://127.0.0.1:1", 2),
        ("http://localhost:1", 6),
        ("https://localhost:1/holds", 2),
    ] {
        let run = elsewhere.run(&["approve", &hold, "--url", url, "--ssh-key", name, "--yes"]);
        assert_eq!(run.status.code(), Some(code), "{url}: {run:?}");
    }
    // One that hands on what it got from the real one.
    let relay = relay(bed.tyer.console).await;
    let url = format!("http://localhost:{relay}");
    let run = elsewhere.run(&["approve", &hold, "--url", &url, "--ssh-key", name, "--yes"]);
    assert!(text(&run.stderr).contains("something else to be signed"), "{run:?}");
    assert_eq!(bed.hold(&hold).await["approvals"], json!([]));
    bed.verify();
}

/// The port of somebody in the middle, who calls the console by its right name.
async fn relay(console: u16) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("localhost:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut asked = vec![0; 64 * 1024];
            let count = from.read(&mut asked).await.expect("a request");
            let asked = text(&asked[..count]).replace(&port.to_string(), &console.to_string());
            let mut to = tokio::net::TcpStream::connect(("localhost", console)).await.expect("it");
            to.write_all(asked.as_bytes()).await.expect("sent on");
            tokio::io::copy(&mut to, &mut from).await.ok();
        }
    });
    port
}

#[tokio::test]
async fn it_goes_by_https_whose_certificate_is_checked() {
    let Asked { mut bed, keys: _keys, file, agent, hold } = asked().await;
    drop(agent);
    // The same console, by TLS from now on.
    bed.tyer.kill();
    let (directory, path) = (bed.tyer.directory(), bed.tyer.directory().join("tyer.toml"));
    let [certificate, key] = ["door.crt", "door.key"].map(|name| directory.join(name));
    let tls = format!("tls = {{ certificate = {certificate:?}, key = {key:?} }}\norigin = \"https://");
    let written = fs::read_to_string(&path).expect("the file");
    fs::write(&path, written.replace("origin = \"http://", &tls)).expect("another");
    bed.tyer.resume().expect("it serves");
    let elsewhere =
        Elsewhere { url: format!("https://localhost:{}", bed.tyer.console), ..Elsewhere::of(&bed) };
    let unknown = elsewhere.answer(&["approve", &hold], &file);
    assert_eq!(unknown.status.code(), Some(6), "{unknown:?}");
    assert!(text(&unknown.stderr).contains("no trustworthy TLS"), "{unknown:?}");
    let trusted = fs::read(bed.tyer.directory().join("door.crt")).expect("a certificate");
    fs::write(elsewhere.place.path().join("ca.pem"), trusted).expect("its copy");
    let approved = elsewhere.answer(&["approve", &hold, "--authorities", "ca.pem"], &file);
    assert!(approved.status.success(), "{approved:?}");
    assert!(text(&approved.stdout).contains("| UPDATE customers"), "{approved:?}");
    let shown = bed.tyer.run(&["--json", "show", &hold]).expect("the hold");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(
        (&shown["state"], &shown["approvals"][0]["person"]),
        (&json!("approved"), &json!("bob"))
    );
}
