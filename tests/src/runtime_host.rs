//! A host for our Lambda functions: the Lambda Runtime API on loopback, and the real binary as its child.
//!
//! It plays what Lambda documents for custom runtimes (`next`, `response`, `error`, `init/error`; request id, deadline and
//! function ARN in headers; the process is killed when an invocation exceeds its timeout), so that a test sees a function as
//! Cognito, EventBridge or SQS would. What it does not play: quotas, freezing between invocations, SnapStart, extensions.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
//!
//! * [`Function`] says which binary runs with which environment; it can be started any number of times, also concurrently.
//! * [`RuntimeHost`] is one execution environment: one process, one event at a time.
//!
//! Invariant: the process ends with its host, and an invocation always ends: with an answer or with the process's end.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
};

use crate::bench::figures::{Memory, memory};

const ARN_PREFIX: &str = "arn:aws:lambda:us-east-1:111122223333:function:";
/// Lambda's limit for an answer.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
const READY_LIMIT: Duration = Duration::from_secs(20);

/// A function: its binary, its environment, its timeout.
#[derive(Clone, Debug)]
pub struct Function {
    name: String,
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    timeout: Duration,
}

impl Function {
    /// The binary `name` of this workspace, in the environment that Lambda gives every function, with a timeout of 30 s.
    ///
    /// # Panics
    /// When the binary has not been built. `cargo test` builds the binaries of its own package only, so an older build may
    /// be found: `make test` builds first.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let own = std::env::current_exe().expect("the test's own path is known");
        let mut folder = own.parent().map(PathBuf::from).unwrap_or_default();
        // Tests and benches run from `deps`, the demo from beside the functions.
        if folder.ends_with("deps") || folder.ends_with("examples") {
            folder.pop();
        }
        Self::of_build(&folder, name)
    }

    /// The same for the binary `name` of another build, for example of `target/release`.
    ///
    /// # Panics
    /// When it is not in `folder`.
    #[must_use]
    pub fn of_build(folder: &Path, name: &str) -> Self {
        let binary = folder.join(name);
        assert!(
            binary.is_file(),
            "{} does not exist: run cargo build --workspace --bins (for benches with --release)",
            binary.display()
        );
        let mut function = Self {
            name: name.to_owned(),
            binary,
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(30),
        };
        for (variable, value) in [
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "test"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ] {
            function = function.with(variable, value);
        }
        function
    }

    /// With a variable set.
    #[must_use]
    pub fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.environment.insert(variable.to_owned(), value.into());
        self
    }

    /// With a variable missing.
    #[must_use]
    pub fn without(mut self, variable: &str) -> Self {
        self.environment.remove(variable);
        self
    }

    /// With another timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts a process and does not wait for it.
    ///
    /// # Panics
    /// When the process or its server cannot be started.
    pub async fn start(&self) -> RuntimeHost {
        let output = Arc::default();
        let process = Process::spawn(self, &output).await;
        RuntimeHost {
            function: self.clone(),
            output,
            process,
        }
    }
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered.
    Response(Bytes),
    /// The function failed; Lambda's error object.
    FunctionError(Bytes),
    /// The process ended, by itself or killed, before it answered.
    Exited(ExitStatus),
}

/// An invocation's end and how long it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The end.
    pub outcome: Outcome,
    /// From handing the event over to the end, in microseconds. Waiting for the process to be ready is included.
    pub micros: u64,
}

/// The lines that a function wrote, over all of its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output: metrics.
    pub stdout: Vec<String>,
    /// Standard error: logs.
    pub stderr: Vec<String>,
}

/// One execution environment of a function.
#[derive(Debug)]
pub struct RuntimeHost {
    function: Function,
    output: Arc<Mutex<Output>>,
    process: Process,
}

impl RuntimeHost {
    /// Hands the function an event and waits for the end. Events are handled one after the other, in order.
    pub async fn invoke(&self, payload: impl Into<Bytes>) -> Answer {
        let began = Instant::now();
        let outcome = self.process.invoke(payload.into(), self.function.timeout).await;
        Answer {
            outcome,
            micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// Waits until the function has asked for its first event, and says how long that took from the start of the process.
    ///
    /// # Errors
    /// The exit status, when the process ended before.
    ///
    /// # Panics
    /// When neither happens in 20 s.
    pub async fn ready(&self) -> Result<Duration, ExitStatus> {
        self.process.ready().await
    }

    /// Waits for the process to end by itself.
    ///
    /// # Panics
    /// When it does not in 20 s.
    pub async fn exited(&self) -> ExitStatus {
        tokio::time::timeout(READY_LIMIT, self.process.exited())
            .await
            .expect("the process did not end")
    }

    /// Kills the process (SIGKILL) and waits for its end. An invocation in flight ends with [`Outcome::Exited`].
    pub async fn kill(&self) -> ExitStatus {
        self.process.kill.notify_one();
        self.process.exited().await
    }

    /// Kills the process, if it still runs, and starts a new one. The output of both is kept.
    pub async fn respawn(&mut self) {
        self.kill().await;
        self.process.drain().await;
        self.process = Process::spawn(&self.function, &self.output).await;
    }

    /// Id of the process that was started last.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.id
    }

    /// Memory of the process; `None` when it has ended or the system has no `/proc`.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        memory(self.process.id?)
    }

    /// What `error` was posted to `init/error`, if any.
    #[must_use]
    pub fn init_error(&self) -> Option<Bytes> {
        locked(&self.process.state.inner).init_error.clone()
    }

    /// The lines so far. What a process wrote last may still be on its way; [`Self::finish`] has everything.
    #[must_use]
    pub fn output(&self) -> Output {
        locked(&self.output).clone()
    }

    /// Waits until `done` holds for the output, at most 2 s.
    ///
    /// # Panics
    /// When it never does.
    pub async fn output_when(&self, done: impl Fn(&Output) -> bool) -> Output {
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            let output = self.output();
            if done(&output) {
                return output;
            }
            assert!(Instant::now() < until, "the expected line did not come: {output:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends the process and returns everything that it wrote.
    pub async fn finish(mut self) -> Output {
        self.kill().await;
        self.process.drain().await;
        self.output()
    }
}

/// One process with the server that it talks to. A new process gets a new server, so nothing of a killed one is left over.
#[derive(Debug)]
struct Process {
    id: Option<u32>,
    state: Arc<State>,
    kill: Arc<Notify>,
    ended: watch::Receiver<Option<ExitStatus>>,
    first_next: watch::Receiver<Option<Duration>>,
    readers: Vec<JoinHandle<()>>,
    tasks: [JoinHandle<()>; 2],
}

impl Process {
    async fn spawn(function: &Function, output: &Arc<Mutex<Output>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port on loopback is free");
        let address = listener.local_addr().expect("a bound port has an address");
        let mut child = Command::new(&function.binary)
            .env_clear()
            .envs(&function.environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the function's binary starts");
        let (first_next_sender, first_next) = watch::channel(None);
        let state = Arc::new(State {
            function_arn: format!("{ARN_PREFIX}{}", function.name),
            spawned: Instant::now(),
            first_next: first_next_sender,
            arrived: Notify::new(),
            ids: AtomicU64::new(0),
            inner: Mutex::default(),
        });
        let readers = vec![
            tokio::spawn(collect(child.stdout.take(), output.clone(), |output| {
                &mut output.stdout
            })),
            tokio::spawn(collect(child.stderr.take(), output.clone(), |output| {
                &mut output.stderr
            })),
        ];
        let (ended_sender, ended) = watch::channel(None);
        let kill = Arc::new(Notify::new());
        let id = child.id();
        let tasks = [
            tokio::spawn(serve(listener, state.clone())),
            tokio::spawn(watch_child(child, kill.clone(), state.clone(), ended_sender)),
        ];
        Self {
            id,
            state,
            kill,
            ended,
            first_next,
            readers,
            tasks,
        }
    }

    async fn invoke(&self, payload: Bytes, timeout: Duration) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let id = self.state.ids.fetch_add(1, Ordering::Relaxed);
        self.state.queue(Invocation {
            // Shaped like Lambda's.
            id: format!("8476a536-e9f4-11e8-9739-{id:012x}"),
            payload,
            timeout,
            answer,
        });
        // The clock of the timeout starts when the function takes the event.
        match answered.await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                self.kill.notify_one();
                Outcome::Exited(self.exited().await)
            }
            Err(_ended) => Outcome::Exited(self.exited().await),
        }
    }

    async fn ready(&self) -> Result<Duration, ExitStatus> {
        let mut first_next = self.first_next.clone();
        let first = async {
            match first_next.wait_for(Option::is_some).await {
                Ok(after) => *after,
                Err(_) => std::future::pending().await,
            }
        };
        let either = async {
            tokio::select! {
                biased;
                after = first => Ok(after.unwrap_or_default()),
                status = self.exited() => Err(status),
            }
        };
        tokio::time::timeout(READY_LIMIT, either)
            .await
            .expect("the function neither asked for an event nor ended")
    }

    async fn exited(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = *ended
            .wait_for(Option::is_some)
            .await
            .expect("the child is watched as long as its host lives");
        status.expect("it was waited for")
    }

    /// Reads the output to its end; the process must have ended.
    async fn drain(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Dropping the watcher drops the child, which kills it.
        for task in self.tasks.iter().chain(&self.readers) {
            task.abort();
        }
    }
}

#[derive(Debug)]
struct State {
    function_arn: String,
    spawned: Instant,
    first_next: watch::Sender<Option<Duration>>,
    arrived: Notify,
    ids: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ended: bool,
    waiting: VecDeque<Invocation>,
    running: BTreeMap<String, Running>,
    init_error: Option<Bytes>,
}

/// `None` says that the timeout is over.
type AnswerSender = oneshot::Sender<Option<Outcome>>;

#[derive(Debug)]
struct Invocation {
    id: String,
    payload: Bytes,
    timeout: Duration,
    answer: AnswerSender,
}

#[derive(Debug)]
struct Running {
    answer: AnswerSender,
    timer: JoinHandle<()>,
}

impl State {
    /// An invocation that no process will take is dropped, and its sender with it.
    fn queue(&self, invocation: Invocation) {
        let mut inner = locked(&self.inner);
        if !inner.ended {
            inner.waiting.push_back(invocation);
            self.arrived.notify_one();
        }
    }

    fn end(&self) {
        let mut inner = locked(&self.inner);
        inner.ended = true;
        inner.waiting.clear();
        for running in std::mem::take(&mut inner.running).into_values() {
            running.timer.abort();
        }
    }

    async fn next(self: &Arc<Self>) -> Response<Full<Bytes>> {
        self.first_next.send_if_modified(|first| {
            let unset = first.is_none();
            *first = first.or_else(|| Some(self.spawned.elapsed()));
            unset
        });
        let invocation = loop {
            let arrived = self.arrived.notified();
            let invocation = locked(&self.inner).waiting.pop_front();
            match invocation {
                Some(invocation) => break invocation,
                None => arrived.await,
            }
        };
        let state = self.clone();
        let (id, timeout) = (invocation.id.clone(), invocation.timeout);
        let timer = tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            let running = locked(&state.inner).running.remove(&id);
            if let Some(running) = running {
                let _ = running.answer.send(None);
            }
        });
        let answer = invocation.answer;
        locked(&self.inner)
            .running
            .insert(invocation.id.clone(), Running { answer, timer });
        let deadline = deadline_millis(timeout);
        Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", &invocation.id)
            .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", &self.function_arn)
            .header(
                "Lambda-Runtime-Trace-Id",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
            )
            .body(Full::new(invocation.payload))
            .expect("the headers are well-formed")
    }

    fn answered(&self, id: &str, outcome: Outcome) -> Response<Full<Bytes>> {
        let running = locked(&self.inner).running.remove(id);
        let Some(running) = running else {
            return told(
                400,
                r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
            );
        };
        running.timer.abort();
        let _ = running.answer.send(Some(outcome));
        told(202, r#"{"status":"OK"}"#)
    }

    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let path = parts
            .uri
            .path()
            .strip_prefix("/2018-06-01/runtime/")
            .unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        Ok(match (parts.method, segments.as_slice()) {
            (Method::GET, ["invocation", "next"]) => self.next().await,
            (Method::POST, ["invocation", id, what @ ("response" | "error")]) => {
                let body = body.collect().await?.to_bytes();
                match *what {
                    _ if body.len() > ANSWER_BYTES_MAX => told(
                        413,
                        r#"{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}"#,
                    ),
                    "response" => self.answered(id, Outcome::Response(body)),
                    _ => self.answered(id, Outcome::FunctionError(body)),
                }
            }
            (Method::POST, ["init", "error"]) => {
                let body = body.collect().await?.to_bytes();
                locked(&self.inner).init_error = Some(body);
                told(202, r#"{"status":"OK"}"#)
            }
            _ => told(404, r#"{"errorMessage":"no such path","errorType":"NotFound"}"#),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the host is the clock of what it runs")]
fn deadline_millis(timeout: Duration) -> u128 {
    let deadline = SystemTime::now() + timeout;
    deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

fn told(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .expect("the status is well-formed")
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    // Dropped, and its connections with it, when the host is.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| state.clone().handle(request));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn watch_child(mut child: Child, kill: Arc<Notify>, state: Arc<State>, ended: watch::Sender<Option<ExitStatus>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let status = status.expect("a child can be waited for");
    ended.send_replace(Some(status));
    state.end();
    // Whoever asks later still gets the status.
    ended.closed().await;
}

async fn collect(
    pipe: Option<impl AsyncRead + Unpin>,
    output: Arc<Mutex<Output>>,
    which: fn(&mut Output) -> &mut Vec<String>,
) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        which(&mut locked(&output)).push(text);
        line.clear();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
