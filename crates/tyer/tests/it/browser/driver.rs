//! Chromium by WebDriver: one browser for each person, each with an authenticator of its own.
//!
//! The virtual authenticator is WebAuthn level 3, section 11; what WebDriver cannot say (dark colours, a
//! narrow screen) goes to Chromium's own protocol.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// How long a page may take to show something.
const WAIT: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(40);

/// chromedriver, and with it every browser that it started.
pub(crate) struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    pub(crate) fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver; it comes with the system's Chromium");
        let said = BufReader::new(child.stdout.as_mut().expect("its output"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        Self { child, port: port.expect("a port") }
    }

    /// A browser for one person, at the console on that port, on a machine that keeps passkeys.
    pub(crate) async fn browser(&self, console: u16) -> Browser {
        self.browser_with("internal", console).await
    }

    /// The same with a security key in place of that.
    pub(crate) async fn browser_with_key(&self, console: u16) -> Browser {
        self.browser_with("usb", console).await
    }

    async fn browser_with(&self, transport: &str, console: u16) -> Browser {
        let browser = self.without_passkeys(console).await;
        let authenticator = json!({
            "protocol": "ctap2", "transport": transport, "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "isUserConsenting": true,
        });
        browser.extension("webauthn/authenticator", authenticator).await;
        browser
    }

    async fn without_passkeys(&self, console: u16) -> Browser {
        let profile = tempfile::Builder::new().prefix("tyer-browser-").tempdir().expect("a profile");
        let wanted = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--hide-scrollbars", "--window-size=1280,900",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        });
        let wanted: Capabilities = serde_json::from_value(wanted).expect("capabilities");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .expect("a browser");
        Browser { client, origin: format!("http://localhost:{console}"), _profile: profile }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked to shut down, it takes its browsers along; killed, it would leave them behind.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let request = format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
            let _sent = stream.write_all(request.as_bytes());
            let _timeout = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _answer = stream.read(&mut [0; 256]);
        }
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(PAUSE);
        }
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}

/// One person's browser.
pub(crate) struct Browser {
    client: Client,
    origin: String,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.expect("a page");
    }

    /// Goes where no page of the console is.
    pub(crate) async fn leave(&self) {
        self.client.goto("about:blank").await.expect("nothing");
    }

    /// The path of the page.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.expect("an address").path().to_owned()
    }

    /// Clicks, once it is there; again if the page exchanged it in that very moment.
    pub(crate) async fn click(&self, css: &str) {
        let until = Instant::now() + WAIT;
        loop {
            let clicked = match self.client.find(Locator::Css(css)).await {
                Ok(found) => found.click().await,
                Err(error) => Err(error),
            };
            match clicked {
                Ok(()) => return,
                Err(error) if Instant::now() > until => {
                    panic!("{css}: {error}\n{}", self.text("body").await)
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Types into a field, once it is there.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        self.until(
            &format!("there is {css}"),
            "return !!document.querySelector(arguments[0])",
            json!(css),
        )
        .await;
        let field = self.client.find(Locator::Css(css)).await.expect("a field");
        field.send_keys(text).await.expect("it takes keys");
    }

    /// Chooses a value of a field that people click together.
    pub(crate) async fn choose(&self, css: &str, value: &str) {
        const CHOOSE: &str = "const [css, value] = arguments[0];
            document.querySelector(css).value = value; return true";
        self.run(CHOOSE, json!([css, value])).await;
    }

    /// What a part of the page says, as people see it; nothing if it is not there.
    pub(crate) async fn text(&self, css: &str) -> String {
        let said =
            self.run("return document.querySelector(arguments[0])?.innerText || ''", json!(css)).await;
        said.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        self.run("return !!document.querySelector(arguments[0])", json!(css)).await == json!(true)
    }

    /// Waits until a part of the page says that.
    pub(crate) async fn sees(&self, css: &str, words: &str) {
        const SAYS: &str = "const [css, words] = arguments[0];
            return Boolean(document.querySelector(css)?.innerText.includes(words))";
        self.until(&format!("{css} says {words:?}"), SAYS, json!([css, words])).await;
    }

    /// Waits until a script says `true` of the page.
    pub(crate) async fn until(&self, what: &str, script: &str, argument: Value) {
        let until = Instant::now() + WAIT;
        while self.run(script, argument.clone()).await != json!(true) {
            assert!(Instant::now() < until, "never: {what}\n{}", self.text("body").await);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a part of the page is on the screen without scrolling.
    pub(crate) async fn shows(&self, css: &str) -> bool {
        const SHOWS: &str = "const box = document.querySelector(arguments[0]).getBoundingClientRect();
            return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight";
        self.run(SHOWS, json!(css)).await == json!(true)
    }

    /// The screen of a telephone.
    pub(crate) async fn narrow(&self) {
        self.screen(390, 700, true).await;
    }

    /// The window again.
    pub(crate) async fn wide(&self) {
        self.chromium("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }

    /// Answers a question of the page with yes.
    pub(crate) async fn agree(&self) {
        self.client.accept_alert().await.expect("a question");
    }

    /// Has the passkey sign what the page offers no button for, with the page's own script; what came of it.
    pub(crate) async fn signs(&self, wish: &Value) -> String {
        let sign = "return sign(arguments[0]).then(() => 'accepted', (error) => error.message)";
        self.run(sign, wish.clone()).await.as_str().unwrap_or_default().to_owned()
    }

    /// What a script makes of the page; `null` while it is being left.
    pub(crate) async fn run(&self, script: &str, argument: Value) -> Value {
        // A page that is left in that moment has no answer.
        self.client.execute(script, vec![argument]).await.unwrap_or(Value::Null)
    }

    /// What the browser complained about since the last time: the policy of the page, scripts, requests
    /// that were refused.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.extension("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Puts pictures of the whole page into `target/screenshots`: wide and narrow, light and dark. The page
    /// may not be wider than the screen.
    pub(crate) async fn picture(&self, name: &str) {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let directory = target.parent().expect("the target directory").join("screenshots");
        std::fs::create_dir_all(&directory).expect("a directory");
        for (width, narrow) in [(1280, false), (390, true)] {
            self.screen(width, 900, narrow).await;
            let size =
                "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]";
            let size = self.run(size, Value::Null).await;
            assert_eq!(size[0], json!(width), "{name} is wider than the screen of {width} pixels");
            self.screen(width, size[1].as_u64().unwrap_or(900).max(600), narrow).await;
            for scheme in ["light", "dark"] {
                let features = json!([
                    { "name": "prefers-color-scheme", "value": scheme },
                    { "name": "prefers-reduced-motion", "value": "reduce" },
                ]);
                self.chromium("Emulation.setEmulatedMedia", json!({ "features": features })).await;
                let taken = self.chromium("Page.captureScreenshot", json!({ "format": "png" })).await;
                let taken = base64::engine::general_purpose::STANDARD
                    .decode(taken["data"].as_str().unwrap_or_default());
                let path = directory.join(format!("{name}-{width}-{scheme}.png"));
                std::fs::write(path, taken.expect("a picture")).expect("a file");
            }
        }
        self.chromium("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
        self.wide().await;
    }

    async fn screen(&self, width: u64, height: u64, mobile: bool) {
        let screen =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.chromium("Emulation.setDeviceMetricsOverride", screen).await;
    }

    async fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.extension("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn extension(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(Extension { path, body: body.to_string() }).await;
        answer.unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }
}

/// A command of WebDriver that only this driver, or another specification, knows.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}
