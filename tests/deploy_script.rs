//! `infra/deploy.py`: once against the emulator's CloudFormation with a small template, whose change sets have what matters (SAM, a
//! parameter, a stateful resource); and against a stand-in of the AWS CLI for the answers that no emulator gives.
//!
//! Invariant: "was refused" is only said of what was not executed afterwards.

mod canned;
mod guards;
mod losses;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use twinpool_tests::stand_ins::{ensure, ministack, unique};

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: "Twinpool, probe: a small one"
Parameters:
  QueueName: {Type: String}
  RetentionDays: {Type: Number, Default: 7}
  Architecture: {Type: String, Default: x86_64}
  TemplateUrl: {Type: String, Default: ""}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Ref QueueName}
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/lambda/${AWS::StackName}", RetentionInDays: !Ref RetentionDays}
  Probe:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Architectures: [!Ref Architecture]
      CodeUri: package/probe.zip
Outputs:
  QueueUrl: {Value: !Ref Queue}
  Days: {Value: !Ref RetentionDays}
  Template: {Value: !Ref TemplateUrl}
"#;

/// A folder with the template and its package, gone with the test.
struct Folder(PathBuf, &'static str);

impl Folder {
    /// The template under this name: the script knows the ones of infra/ by theirs.
    fn new(template: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("deploy-script"));
        fs::create_dir_all(folder.join("bin")).expect("a folder");
        fs::write(folder.join(template), TEMPLATE).expect("a file");
        // The header of a program for x86_64.
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(16, 0);
        program.extend([3, 0, 62, 0]);
        program.resize(64, 0);
        fs::write(folder.join("bin/probe"), program).expect("a file");
        let packaged = Command::new("python3")
            .arg(infra("package.py"))
            .args(["bin", "package"].map(|name| folder.join(name)))
            .arg("probe")
            .stdout(Stdio::null())
            .status();
        assert!(packaged.expect("Python runs").success());
        Self(folder, template)
    }

    /// Runs the script. Nothing of the machine's own AWS configuration reaches it.
    fn deploy(&self, aws: &Path, endpoint: &str, stack: &str, variables: &[(&str, &str)]) -> Output {
        let done = Command::new("python3")
            .arg(infra("deploy.py"))
            .arg(self.0.join(self.1))
            .args([
                "--stack",
                stack,
                "--bucket",
                BUCKET,
                "--region",
                "us-east-1",
                "--poll",
                "0.1",
            ])
            .arg("--output")
            .arg(self.0.join(unique("out")))
            .arg("--aws")
            .arg(aws)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
            .envs(credentials(endpoint))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output();
        done.expect("Python runs")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

const BUCKET: &str = "packages-of-a-test";

fn infra(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra").join(name)
}

fn credentials(endpoint: &str) -> [(&str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_CONFIG_FILE", "/dev/null"),
    ]
}

fn said(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

/// Lines as their words, so that a column's width is nobody's business.
fn has_line(text: &str, words: &[&str]) -> bool {
    text.lines()
        .any(|line| line.split_whitespace().eq(words.iter().copied()))
}

#[tokio::test]
async fn a_stack_is_created_changed_left_alone_and_not_replaced() {
    let endpoint = ministack().await;
    let aws = ensure("tools").join("bin/aws");
    let (folder, stack) = (Folder::new("primary.yaml"), unique("deployed"));
    let queues = [unique("changes"), unique("changes")];
    let cli = |words: &[&str]| {
        let done = Command::new(&aws)
            .args(words)
            .args(["--region", "us-east-1", "--output", "json"])
            .envs(credentials(&endpoint))
            .output();
        let done = done.expect("the AWS CLI runs");
        assert!(done.status.success(), "{}", said(&done));
        done.stdout
    };
    cli(&["s3api", "create-bucket", "--bucket", BUCKET]);
    let deploy = |parameters: &str| {
        let variables = [("PARAMETERS", parameters), ("YES", "1")];
        folder.deploy(&aws, &endpoint, &stack, &variables)
    };

    let created = deploy(&format!("QueueName={}", queues[0]));
    let text = said(&created);
    assert!(created.status.success(), "{text}");
    assert!(text.contains(": create, resources: 4"), "the role is SAM's: {text}");
    assert!(has_line(&text, &["Add", "Queue", "AWS::SQS::Queue", "-"]), "{text}");
    assert!(has_line(&text, &["CREATE_COMPLETE", "Probe"]), "{text}");
    assert!(has_line(&text, &["Days", "=", "7"]), "{text}");
    assert!(
        text.contains(&format!("Template = {endpoint}/{BUCKET}/{stack}/")),
        "{text}"
    );

    // The queue's name is not named again, and stays.
    let changed = deploy("RetentionDays=14");
    let text = said(&changed);
    assert!(changed.status.success(), "{text}");
    assert!(text.contains(": update, resources: 1"), "{text}");
    assert!(has_line(&text, &["Days", "=", "14"]), "{text}");
    assert!(text.contains(&queues[0]), "{text}");

    // Neither executes anything, so they need not wait for each other.
    let (same, replacing) = std::thread::scope(|scope| {
        let replacing = scope.spawn(|| deploy(&format!("QueueName={}", queues[1])));
        (deploy(""), replacing.join().expect("a deployment"))
    });
    assert!(same.status.success(), "{}", said(&same));
    assert!(said(&same).contains("nothing to do"), "{}", said(&same));
    let text = said(&replacing);
    assert_eq!(replacing.status.code(), Some(1), "{text}");
    assert!(
        has_line(&text, &["Modify", "Queue", "AWS::SQS::Queue", "True"]),
        "{text}"
    );
    assert!(text.contains("!!! Queue (AWS::SQS::Queue) is REPLACED"), "{text}");
    assert!(text.contains("refused: "), "{text}");
    let described = cli(&["cloudformation", "describe-stacks", "--stack-name", &stack]);
    let described: Value = serde_json::from_slice(&described).expect("JSON");
    let described = &described["Stacks"][0];
    assert_eq!(described["StackStatus"], "UPDATE_COMPLETE");
    assert!(described["Outputs"].to_string().contains(&queues[0]), "{described}");
    assert_eq!(described["EnableTerminationProtection"], true, "{described}");
}
