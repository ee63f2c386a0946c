//! A Tyer before AWS, which is an emulator on this machine.

use std::path::Path;

use serde_json::Value;

use super::{Instance, InstanceError, Shape};

/// The account that the emulator has.
pub const ACCOUNT: &str = "123456789012";

/// The emulator, and the credentials that only Tyer has.
#[derive(Clone, Copy, Debug)]
pub struct Real<'a> {
    /// Where everything is sent, such as `http://127.0.0.1:5000`.
    pub endpoint: &'a str,
    /// Tyer's own access key there.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// Further lines for the account's section, such as a role.
    pub account: &'a str,
}

/// What an SDK needs to be a session.
#[derive(Clone, Debug)]
pub struct AwsLogin {
    /// The session's id.
    pub session: String,
    /// The minted access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
    /// What `AWS_ENDPOINT_URL` is to be.
    pub endpoint: String,
    /// The session's password.
    pub password: String,
    /// What `HTTPS_PROXY` is to be.
    pub proxy: String,
    /// What is trusted then, as PEM.
    pub certificate: String,
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
        let section = format!(
            r#"[upstream.cloud.account.main]
id = "{ACCOUNT}"
access_key_id = {{ file = "aws.id" }}
secret_access_key = {{ file = "aws.secret" }}
{account}

[upstream.cloud]
protocol = "aws"
listen = "127.0.0.1:{door}"
endpoint = "{endpoint}"
regions = ["us-east-1", "eu-west-1"]
"#,
            account = real.account,
            door = self.door,
            endpoint = real.endpoint,
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
        Ok(AwsLogin {
            session: text("/session"),
            access_key: text("/aws/0/access_key_id"),
            secret: text("/aws/0/secret_access_key"),
            endpoint: text("/url"),
            password: text("/password"),
            proxy: text("/proxy/url"),
            certificate: text("/proxy/certificate"),
        })
    }
}
