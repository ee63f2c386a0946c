//! Founding a Tyer: a private data directory with keys, the door's certificate, the store, and the first
//! two people. Nothing here serves; nothing here runs while a server does.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tyer_core::intent::{Digest, PersonId, Timestamp};
use tyer_core::ledger::checkpoint::{CheckpointError, SigningKey};
use tyer_core::record::{Record, What};

use crate::clock;
use crate::config;
use crate::gateway::people::link;
use crate::gateway::world::Person;
use crate::secret::{self, NoRandomness, Secret};
use crate::sequencer::Sequencer;
use crate::serve::{self, KEY, STORE, ServeError};
use crate::store::sqlite::{Sealed, Sqlite};
use crate::store::{Change, StoreError, Table};

/// The key that outsiders verify the ledger with, as text.
pub(crate) const VERIFIER_KEY: &str = "ledger.vkey";
/// The door's certificate, which drivers are to trust.
pub(crate) const DOOR_CERTIFICATE: &str = "door.crt";
/// What the secrets of minted access keys follow from: 64 hexadecimal digits.
pub(crate) const SESSION_KEY: &str = "sessions.key";
/// The door's private key.
pub(crate) const DOOR_KEY: &str = "door.key";

/// What is to be founded.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The founders; exactly two, and different.
    pub(crate) people: [PersonId; 2],
    /// The text of the configuration.
    pub(crate) config: String,
    /// What the console's host is called.
    pub(crate) host: String,
    /// Names and addresses beyond the usual ones that the door is reached by.
    pub(crate) door_names: Vec<String>,
}

/// What was founded.
#[derive(Clone, Debug)]
pub(crate) struct Founded {
    /// The ledger's name.
    pub(crate) origin: String,
    /// What to verify it with.
    pub(crate) verifier: String,
    pub(crate) links: Vec<EnrolmentLink>,
}

/// A link that its reader enrols with, once.
#[derive(Clone, Debug)]
pub(crate) struct EnrolmentLink {
    pub(crate) person: PersonId,
    pub(crate) token: Secret,
    pub(crate) expires: Timestamp,
}

/// Why nothing was founded, or no link renewed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoundingError {
    #[error("{path} already is the data directory of a Tyer whose founders have enrolled", path = .0.display())]
    Exists(PathBuf),
    #[error("{path} is not empty and not a complete data directory", path = .0.display())]
    NotEmpty(PathBuf),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("the door's certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("the ledger's key cannot be made: {0}")]
    Key(#[from] CheckpointError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Whether a data directory was made here before.
pub(crate) fn is_founded(data: &Path) -> bool {
    data.join(config::FILE).exists() && data.join(STORE).exists()
}

/// Makes everything. The directory must not exist or be empty.
pub(crate) async fn found(data: &Path, plan: &Plan) -> Result<Founded, FoundingError> {
    make_directory(data)?;
    let _lock = serve::lock(data)?;
    let seed = secret::random::<32>()?;
    let origin = format!("{}/tyer-{}", plan.host, secret::short_word::<8>()?);
    let signer = SigningKey::from_seed(&origin, &seed)?;
    let verifier = signer.verifier().to_string();
    let hex = Secret::new(format!("{}\n", Digest(seed)));
    write_private(&data.join(KEY), hex.reveal())?;
    write_private(&data.join(VERIFIER_KEY), &format!("{verifier}\n"))?;
    make_certificate(data, plan)?;
    // SQLite gives its own files the mode of the database, which it finds here.
    write_private(&data.join(STORE), "")?;
    let store = Sqlite::open(&data.join(STORE))?;
    let now = clock::now();
    let what = What::Founded { origin: origin.clone() };
    let mut change = Change::default().leaf(&Record::new(now, what));
    let mut links = Vec::new();
    for id in &plan.people {
        let (token, link) = link(now)?;
        links.push(EnrolmentLink {
            person: id.clone(),
            token: Secret::new(token),
            expires: link.expires,
        });
        change = change.put(Table::Person, id.as_str(), &Person::named(id.clone(), true, link));
    }
    Sequencer::start(store, signer)?.commit(change).await?;
    // Last, because a directory counts as complete with it.
    write_private(&data.join(config::FILE), &plan.config)?;
    Ok(Founded { origin, verifier, links })
}

/// Makes new links for the founders who have not enrolled; the old ones end.
pub(crate) fn renew(data: &Path) -> Result<Vec<EnrolmentLink>, FoundingError> {
    let _lock = serve::lock(data)?;
    let mut store = Sqlite::open(&data.join(STORE))?;
    let now = clock::now();
    let mut change = Change::default();
    let mut links = Vec::new();
    for person in people_of(&store)? {
        if person.founder && person.keys.is_empty() {
            let (token, link) = link(now)?;
            let id = person.id.clone();
            links.push(EnrolmentLink {
                person: id.clone(),
                token: Secret::new(token),
                expires: link.expires,
            });
            change = change.put(Table::Person, id.as_str(), &Person { link: Some(link), ..person });
        }
    }
    if links.is_empty() {
        return Err(FoundingError::Exists(data.to_owned()));
    }
    // No leaf is added, so there is nothing to seal.
    store.apply(&[change], |_| Ok(Sealed::default()))?;
    Ok(links)
}

/// Everybody whom the store knows, enrolled or not.
pub(crate) fn people(data: &Path) -> Result<Vec<Person>, StoreError> {
    people_of(&Sqlite::open_read_only(&data.join(STORE))?)
}

/// The moment of the ledger's newest head.
pub(crate) fn newest(data: &Path) -> Result<Option<Timestamp>, StoreError> {
    let head = Sqlite::open_read_only(&data.join(STORE))?.head()?;
    Ok(head.map(|head| head.at))
}

fn people_of(store: &Sqlite) -> Result<Vec<Person>, StoreError> {
    let documents = store.documents(Table::Person)?;
    let read = |(key, body): (String, String)| {
        serde_json::from_str(&body)
            .map_err(|error| StoreError::Corrupt(format!("person {key}: {error}")))
    };
    documents.into_iter().map(read).collect()
}

fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> FoundingError {
    let what = what.into();
    move |source| FoundingError::Io { what, source }
}

fn make_directory(data: &Path) -> Result<(), FoundingError> {
    let failed = || io(format!("cannot make {}", data.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed())?;
    if data.read_dir().map_err(failed())?.next().is_some() {
        return Err(FoundingError::NotEmpty(data.to_owned()));
    }
    std::fs::set_permissions(data, Permissions::from_mode(0o700)).map_err(failed())
}

/// Writes a new file that only its owner can read, and flushes it.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), FoundingError> {
    let failed = || io(format!("cannot write {}", path.display()));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file: File = opened.map_err(failed())?;
    file.write_all(text.as_bytes()).map_err(failed())?;
    file.sync_all().map_err(failed())
}

/// What the secrets of minted access keys follow from; made when it is first needed.
pub(crate) fn session_key(data: &Path) -> Result<Secret, ServeError> {
    let path = data.join(SESSION_KEY);
    let refuse = |why: String| ServeError::SessionKey(format!("{}: {why}", path.display()));
    if !path.exists() {
        let key = secret::random::<32>().map_err(|error| refuse(error.to_string()))?;
        let hex = Secret::new(format!("{}\n", Digest(key)));
        write_private(&path, hex.reveal()).map_err(|error| refuse(error.to_string()))?;
    }
    let text = read_private(&path, refuse)?;
    let text = text.reveal();
    Digest::try_from(text.trim().to_owned())
        .map_err(|_| refuse("it is not 64 hexadecimal digits".to_owned()))?;
    Ok(Secret::new(text.trim().to_owned()))
}

/// Reads a file that only its owner may read.
pub(crate) fn read_private(
    path: &Path,
    refuse: impl Fn(String) -> ServeError,
) -> Result<Secret, ServeError> {
    let mode = path.metadata().map_err(|error| refuse(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(ServeError::Exposed(path.to_owned()));
    }
    std::fs::read_to_string(path).map(Secret::new).map_err(|error| refuse(error.to_string()))
}

fn make_certificate(data: &Path, plan: &Plan) -> Result<(), FoundingError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for name in [machine.trim(), plan.host.as_str()]
        .into_iter()
        .chain(plan.door_names.iter().map(String::as_str))
    {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let made = rcgen::generate_simple_self_signed(names)?;
    write_private(&data.join(DOOR_CERTIFICATE), &made.cert.pem())?;
    let key = Secret::new(made.signing_key.serialize_pem());
    write_private(&data.join(DOOR_KEY), key.reveal())
}
