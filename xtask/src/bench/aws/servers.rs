//! The upstream and everything before it, each in a process of its own.

use std::convert::Infallible;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::bench::ways::{Proxy, cpu_us};
use crate::bench::{BenchError, system};
use crate::cluster::free_port;
use crate::instance::{AwsLogin, Instance, Real, Shape};

/// A way from the client to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing in between.
    Direct,
    /// The server that people put before others.
    Nginx,
    /// A proxy of the same library that only passes requests on.
    Proxy,
    /// Tyer, verifying, deciding, recording and signing.
    Tyer,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Nginx, Self::Proxy, Self::Tyer];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Proxy => "proxy",
            Self::Tyer => "tyer",
        }
    }
}

/// Everything, running.
pub(super) struct Servers {
    upstream: Proxy,
    nginx: Proxy,
    proxy: Proxy,
    tyer: Instance,
    pub(super) login: AwsLogin,
    _files: TempDir,
}

impl Servers {
    pub(super) fn open(program: &Path) -> Result<Self, BenchError> {
        let this = std::env::current_exe().map_err(system("this program"))?;
        let port = || free_port(0).map_err(system("a free port"));
        let files = tempfile::tempdir().map_err(system("a directory"))?;
        let start = |what, chore: &[String], port| {
            let mut command = Command::new(&this);
            command.args(chore);
            Proxy::start(what, command, port)
        };
        let at = port()?;
        let upstream = start("the upstream", &["aws-upstream".to_owned(), at.to_string()], at)?;
        let to = at.to_string();
        let at = port()?;
        let proxy = start("the proxy", &["aws-proxy".to_owned(), at.to_string(), to.clone()], at)?;
        let nginx = nginx(files.path(), port()?, &to)?;
        // Outside production, `guarded` lets reads and plain writes flow, each with its leaf.
        let shape = Shape { environment: "staging", ..Shape::default() };
        let endpoint = format!("http://127.0.0.1:{to}");
        let real = Real { endpoint: &endpoint, access_key: "AKIAREAL", secret: "secret", account: "" };
        let tyer = Instance::before_aws(program, real, &shape)?;
        let login = tyer.aws_session("bench", "alice", &[])?;
        Ok(Self { upstream, nginx, proxy, tyer, login, _files: files })
    }

    pub(super) fn port(&self, way: Way) -> u16 {
        match way {
            Way::Direct => self.upstream.port,
            Way::Nginx => self.nginx.port,
            Way::Proxy => self.proxy.port,
            Way::Tyer => self.tyer.door,
        }
    }

    /// The processor time that the process in between has used so far, in microseconds.
    pub(super) fn cpu_us(&self, way: Way) -> Result<f64, BenchError> {
        let process = match way {
            Way::Direct => return Ok(0.0),
            Way::Nginx => self.nginx.child.id(),
            Way::Proxy => self.proxy.child.id(),
            Way::Tyer => self.tyer.process().unwrap_or_default(),
        };
        cpu_us(process).map_err(system("the processor time of a process"))
    }
}

/// One worker per processor would be other processes, whose time is not this one's: nginx as one process.
fn nginx(files: &Path, port: u16, to: &str) -> Result<Proxy, BenchError> {
    let settings = files.join("nginx.conf");
    let at = files.display();
    let text = format!(
        "daemon off; master_process off; pid {at}/nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         client_max_body_size 0; keepalive_requests 1000000000;\n\
         upstream there {{ server 127.0.0.1:{to}; keepalive 64; keepalive_requests 1000000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://there;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
         proxy_request_buffering off; proxy_buffering on; }} }} }}\n"
    );
    fs::write(&settings, text).map_err(system("nginx's settings"))?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(&settings).arg("-p").arg(files);
    Proxy::start("nginx", command, port)
}

type Reply = UnsyncBoxBody<Bytes, hyper::Error>;

fn serve<S, F>(listen: u16, answer: S) -> std::io::Result<()>
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Reply>> + Send + 'static,
{
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, listen)).await?;
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
        }
    })
}

/// A fast upstream: takes whatever is sent, and answers a path that ends in a number with so many bytes.
///
/// # Errors
/// When the port cannot be listened on.
pub fn upstream(listen: u16) -> std::io::Result<()> {
    let largest = Bytes::from(vec![b'x'; 64 * 1024 * 1024]);
    serve(listen, move |request: Request<Incoming>| {
        let largest = largest.clone();
        async move {
            let length =
                request.uri().path().rsplit('/').next().and_then(|it| it.parse::<usize>().ok());
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.frame().await {}
            let answer = match length {
                Some(length) => largest.slice(..length.min(largest.len())),
                None => Bytes::from_static(
                    br#"{"Item":{"id":{"S":"0af31c"},"state":{"S":"paid"},"total":{"N":"1204"}}}"#,
                ),
            };
            Response::new(Full::new(answer).map_err(|never| match never {}).boxed_unsync())
        }
    })
}

/// The floor: passes requests and answers on, by the same library and with connections that are kept.
///
/// # Errors
/// When the port cannot be listened on.
pub fn proxy(listen: u16, to: u16) -> std::io::Result<()> {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build(http);
    serve(listen, move |mut request: Request<Incoming>| {
        let client = client.clone();
        async move {
            let path = request.uri().path_and_query().map_or("/", |it| it.as_str()).to_owned();
            if let Ok(uri) = format!("http://127.0.0.1:{to}{path}").parse::<Uri>() {
                *request.uri_mut() = uri;
            }
            match client.request(request).await {
                Ok(answer) => answer.map(|body| body.boxed_unsync()),
                Err(_) => {
                    let none = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
                    let mut answer = Response::new(none);
                    *answer.status_mut() = hyper::StatusCode::BAD_GATEWAY;
                    answer
                }
            }
        }
    })
}
