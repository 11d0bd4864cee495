//! Independent stand-ins for AWS, each a private, pinned environment of `tests/localcloud/python`, and what tests ask them with.
//!
//! * [`ministack`] and [`moto`] are shared by all tests of a process: use names of your own ([`unique`]).
//! * [`CognitoLocal`] is one instance per test, because it fires its triggers into that test's [`Functions`].
//! * [`localcloud`] is the double of user pools that the others are compared with, in this process.
//!
//! Invariant: a server listens on loopback only and ends with the process that started it, even when that is killed: it runs
//! in a process group of its own under `python/with-parent`.

mod functions;

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sqs::config::Credentials;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use twinpool_localcloud::gateway::{
    config::Config,
    emulator::MiniStack,
    identity::ACCOUNT,
    instance::{Emulator, LocalCloud},
};

pub use functions::{FunctionAnswer, Functions, Invocation};

/// A cold interpreter on a busy two-core runner.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// The Region of all tests here.
pub const REGION: &str = "us-east-1";

/// Configuration of SDK clients for `endpoint`. They do not retry: what a stand-in answers is what a test gets.
pub async fn sdk_config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

/// A name that no other test of any process uses.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{prefix}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Endpoint of this process's MiniStack: every service but Cognito.
///
/// # Panics
/// When it cannot be installed or started.
pub async fn ministack() -> String {
    static SHARED: OnceCell<MiniStack> = OnceCell::const_new();
    let shared = SHARED
        .get_or_init(|| async {
            // No function is deployed to it, so nothing ever calls the endpoint that functions are told.
            let started = MiniStack::start("http://127.0.0.1:1", &scratch("ministack")).await;
            started.expect("MiniStack starts; see tests/localcloud/python")
        })
        .await;
    format!("http://{}", shared.address())
}

/// Endpoint of this process's moto, which answers one request at a time.
///
/// # Panics
/// When it cannot be installed or started.
pub async fn moto() -> String {
    static SHARED: OnceCell<Server> = OnceCell::const_new();
    let shared = SHARED
        .get_or_init(|| async {
            let environment = ensure("moto");
            Server::start("moto", |port| {
                let mut command = supervised(&environment);
                command.arg(environment.join("bin/python"));
                command
                    .arg(script("serve-moto"))
                    .arg(port.to_string())
                    .env("MOTO_ACCOUNT_ID", ACCOUNT);
                command
            })
            .await
        })
        .await;
    shared.endpoint.clone()
}

/// A local cloud of one's own with user pools, in this process. Its triggers are fired into `functions`.
///
/// # Panics
/// When the configuration is none or the local cloud does not start.
pub async fn localcloud(config: &Value, functions: Option<&Functions>) -> LocalCloud {
    let config = Config::parse(config.to_string().as_bytes()).expect("a configuration");
    let behind = functions.map_or(Emulator::None, |functions| Emulator::At(functions.address));
    let started = LocalCloud::start(0, &scratch("localcloud"), behind, config).await;
    started.expect("the local cloud starts")
}

/// A cognito-local with a folder of its own.
#[derive(Debug)]
pub struct CognitoLocal {
    server: Server,
}

/// The confirmation code of every message that [`CognitoLocal`] does not send.
pub const CODE: &str = "123456";

impl CognitoLocal {
    /// Starts one whose triggers are fired into `functions`, each slot into the function of that name.
    ///
    /// # Panics
    /// When it cannot be installed or started.
    pub async fn start(functions: &Functions) -> Self {
        let environment = ensure("cognito-local");
        let triggers = json!({
            "PostConfirmation": "post-confirmation",
            "PostAuthentication": "post-authentication",
            "CustomMessage": "custom-message",
        });
        let endpoint = functions.endpoint();
        let server = Server::start("cognito-local", |port| {
            let folder = scratch(&format!("cognito-local-{port}"));
            let config = json!({
                "ServerConfig": {"hostname": "127.0.0.1", "port": port},
                "LambdaClient": {"endpoint": endpoint, "region": REGION},
                "TriggerFunctions": triggers,
                "UserPoolDefaults": {"UsernameAttributes": []},
            });
            fs::create_dir_all(folder.join(".cognito/db")).expect("a folder of our own");
            fs::write(folder.join(".cognito/config.json"), config.to_string()).expect("a file of our own");
            let mut command = supervised(&environment);
            command
                .arg(environment.join("bin/node"))
                .arg(environment.join("node/node_modules/cognito-local/lib/bin/start.js"))
                .env("CODE", CODE)
                .current_dir(folder);
            command
        })
        .await;
        Self { server }
    }

    /// Its endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.server.endpoint
    }
}

/// A stand-in as a child process.
struct Server {
    child: Child,
    endpoint: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stand-in at {}", self.endpoint)
    }
}

impl Server {
    async fn start(name: &str, command: impl FnOnce(u16) -> Command) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = port.expect("a port on loopback is free").port();
        let log = scratch(&format!("{name}-{port}")).join("log");
        let output = fs::File::create(&log).expect("a file of our own");
        let mut command = command(port);
        let errors = output.try_clone().expect("a file can be shared");
        let child = command.stdout(output).stderr(errors).spawn().expect("Python starts");
        let mut server = Self {
            child,
            endpoint: format!("http://127.0.0.1:{port}"),
        };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            let ended = server.child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none() && begun.elapsed() < STARTS_WITHIN,
                "{name} did not start; see {}",
                log.display()
            );
            tokio::time::sleep(PAUSE).await;
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its standard input is what `with-parent` waits for to end the whole group.
        drop(self.child.stdin.take());
        let _reaped = self.child.wait();
    }
}

/// A command under `with-parent`; the arguments to come are what it runs.
fn supervised(environment: &Path) -> Command {
    let python = ["bin/python", "bin/python3"].map(|name| environment.join(name));
    let python = python
        .iter()
        .find(|path| path.exists())
        .expect("an environment has its Python");
    let mut command = Command::new(python);
    command
        .arg(script("with-parent"))
        // A developer's AWS_PROFILE or credentials must not get there.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "LANG"].iter().any(|kept| name == kept)))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", REGION)
        .stdin(Stdio::piped())
        .process_group(0);
    command
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("localcloud/python")
        .join(name)
}

/// The private environment `name`, installed on first use.
///
/// # Panics
/// When it cannot be installed: `python/ensure` has said why.
#[must_use]
pub fn ensure(name: &str) -> PathBuf {
    let done = Command::new(script("ensure"))
        .args([name, "--path"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let done = done.expect("python/ensure runs");
    assert!(done.status.success(), "python/ensure {name} {}", done.status);
    PathBuf::from(String::from_utf8_lossy(&done.stdout).trim())
}

/// A folder of this process in cargo's target folder. Those of processes that have ended are taken away.
fn scratch(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its path");
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let folder = target
        .map_or_else(std::env::temp_dir, Path::to_path_buf)
        .join("tmp/stand-ins");
    let of_the_dead = |entry: &io::Result<fs::DirEntry>| {
        let name = entry
            .as_ref()
            .ok()
            .and_then(|entry| entry.file_name().into_string().ok());
        name.is_some_and(|pid| Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists())
    };
    for left in fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter(of_the_dead)
        .flatten()
    {
        let _another_was_faster = fs::remove_dir_all(left.path());
    }
    let folder = folder.join(std::process::id().to_string()).join(name);
    fs::create_dir_all(&folder).expect("a folder of our own");
    folder
}

/// Calls of the JSON protocol with nothing between: what stands in the answer is what the server wrote.
#[derive(Clone, Debug)]
pub struct Cognito {
    endpoint: String,
    region: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An error as the service names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// For example `UserNotFoundException`.
    pub code: String,
    /// The service's words.
    pub message: String,
}

impl Cognito {
    /// The service at `endpoint`, in [`REGION`].
    #[must_use]
    pub fn new(endpoint: &str) -> Self {
        Self::in_region(endpoint, REGION)
    }

    /// The service at `endpoint`, in another Region.
    #[must_use]
    pub fn in_region(endpoint: &str, region: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Calls `operation` once.
    ///
    /// # Errors
    /// As the service answers; an answer that is no JSON has the HTTP status as its code.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, ServiceError> {
        let region = &self.region;
        let credential = format!("AKIDEXAMPLE/20261123/{region}/cognito-idp/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let request = Request::post(&self.endpoint)
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", signature)
            .body(Full::from(input.to_string()))
            .expect("a request");
        let answer = self.client.request(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        match value {
            Some(value) if parts.status.is_success() => Ok(value),
            None if parts.status.is_success() && body.is_empty() => Ok(json!({})),
            value => {
                let value = value.unwrap_or_default();
                let named = parts
                    .headers
                    .get("x-amzn-errortype")
                    .and_then(|value| value.to_str().ok());
                let code = value["__type"].as_str().or(named).unwrap_or(parts.status.as_str());
                let code = code.rsplit('#').next().unwrap_or(code);
                let message = value["message"].as_str().or(value["Message"].as_str());
                Err(ServiceError {
                    code: code.split(':').next().unwrap_or(code).to_owned(),
                    message: message.unwrap_or_default().to_owned(),
                })
            }
        }
    }

    /// What stands at `path` of the local cloud's control endpoint.
    ///
    /// # Panics
    /// When it is no JSON.
    pub async fn look(&self, path: &str) -> Value {
        let request = Request::get(format!("{}{path}", self.endpoint))
            .body(Full::default())
            .expect("a request");
        let answer = self.client.request(request).await.expect("an answer");
        let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Calls `operation`, which has to succeed.
    ///
    /// # Panics
    /// When it does not.
    pub async fn must(&self, operation: &str, input: Value) -> Value {
        let answer = self.call(operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation} at {}: {error:?}", self.endpoint))
    }
}
