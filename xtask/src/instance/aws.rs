//! A Tyer before AWS, which is an emulator on this machine.

use std::path::Path;

use serde_json::Value;

use super::{Instance, InstanceError, Shape};

/// The account that the emulator has.
pub const ACCOUNT: &str = "123456789012";

/// The emulator, and the credentials that only Tyer has.
#[derive(Clone, Copy, Debug)]
pub struct Real<'a> {
    /// Where everything is sent, such as `http://127.0.0.1:5000`; the hosts of AWS if it is empty.
    pub endpoint: &'a str,
    /// Tyer's own access key there.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// Further lines for the account's section, such as a role.
    pub account: &'a str,
}

/// The key of one account.
#[derive(Clone, Debug)]
pub struct AwsKey {
    /// By the operator's name.
    pub account: String,
    /// The minted access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
}

/// What an SDK needs to be a session.
#[derive(Clone, Debug)]
pub struct AwsLogin {
    /// The session's id.
    pub session: String,
    /// The minted access key's id, of the first account.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
    /// The keys of all accounts.
    pub keys: Vec<AwsKey>,
    /// What `AWS_ENDPOINT_URL` is to be.
    pub endpoint: String,
    /// The session's password.
    pub password: String,
    /// What `HTTPS_PROXY` is to be.
    pub proxy: String,
    /// What is trusted then, as PEM.
    pub certificate: String,
}

impl AwsLogin {
    /// The same with the key of that account, if it has one.
    #[must_use]
    pub fn of(&self, account: &str) -> Option<Self> {
        let key = self.keys.iter().find(|key| key.account == account)?;
        let (access_key, secret) = (key.access_key.clone(), key.secret.clone());
        Some(Self { access_key, secret, ..self.clone() })
    }
}

impl Instance {
    /// Makes a data directory for alice and bob before an AWS, which is the upstream `cloud`, and starts the program.
    /// The shape's lines for the upstream come before its account's section.
    ///
    /// # Errors
    /// When the program refuses.
    pub fn before_aws(program: &Path, real: Real<'_>, shape: &Shape) -> Result<Self, InstanceError> {
        let mut instance = Self::found(program, shape)?;
        instance.put("aws.id", real.access_key)?;
        instance.put("aws.secret", real.secret)?;
        instance.configure_aws(real, shape)?;
        instance.resume()?;
        Ok(instance)
    }

    /// Writes the configuration anew.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure_aws(&self, real: Real<'_>, shape: &Shape) -> Result<(), InstanceError> {
        let endpoint = match real.endpoint {
            "" => String::new(),
            endpoint => format!("endpoint = \"{endpoint}\""),
        };
        let section = format!(
            r#"[upstream.cloud.account.main]
id = "{ACCOUNT}"
access_key_id = {{ file = "aws.id" }}
secret_access_key = {{ file = "aws.secret" }}
{account}

[upstream.cloud]
protocol = "aws"
listen = "127.0.0.1:{door}"
{endpoint}
regions = ["us-east-1", "eu-west-1"]
"#,
            account = real.account,
            door = self.door,
        );
        self.write(shape, &section)
    }

    /// Makes a session before AWS with the command line; `more` are further arguments.
    ///
    /// # Errors
    /// When the program refuses.
    pub fn aws_session(
        &self,
        agent: &str,
        controller: &str,
        more: &[&str],
    ) -> Result<AwsLogin, InstanceError> {
        let mut arguments = vec!["--json", "session", "new", "--agent", agent, "--for", controller];
        arguments.extend(["--upstream", "cloud"]);
        arguments.extend_from_slice(more);
        let said = self.run(&arguments)?;
        let json: Value = serde_json::from_str(&said).unwrap_or(Value::Null);
        let text = |pointer: &str| {
            json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let count = json.pointer("/aws").and_then(Value::as_array).map_or(0, Vec::len);
        let key = |at| AwsKey {
            account: text(&format!("/aws/{at}/account")),
            access_key: text(&format!("/aws/{at}/access_key_id")),
            secret: text(&format!("/aws/{at}/secret_access_key")),
        };
        Ok(AwsLogin {
            session: text("/session"),
            keys: (0..count).map(key).collect(),
            access_key: text("/aws/0/access_key_id"),
            secret: text("/aws/0/secret_access_key"),
            endpoint: text("/url"),
            password: text("/password"),
            proxy: text("/proxy/url"),
            certificate: text("/proxy/certificate"),
        })
    }
}
