use serde_json::json;

use super::*;

const MINUTE: i64 = 60_000;

fn depth(queue: &str, at: i64, value: f64) -> Datapoint {
    Datapoint {
        series: Series::of("AWS/SQS", "Depth", ("QueueName", queue)),
        at,
        value,
    }
}

fn alarm(changes: &Value) -> Alarm {
    let mut given = json!({
        "AlarmName": "a", "Namespace": "AWS/SQS", "MetricName": "Depth", "Dimensions": [{"Name": "QueueName", "Value": "q"}],
        "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    });
    for (member, value) in changes.as_object().into_iter().flatten() {
        given[member] = value.clone();
    }
    Alarm::read(&given).expect("a definition")
}

#[test]
fn only_its_own_dimensions_and_its_own_periods_count() {
    let alarm = alarm(&json!({}));
    let state = |points: &[Datapoint], now| alarm.state(points, now).expect("it is modelled");
    assert_eq!(state(&[depth("q", 0, 1.0)], 0), State::Alarm);
    assert_eq!(state(&[depth("other", 0, 1.0)], 0), State::Ok);
    assert_eq!(state(&[depth("q", 0, 1.0)], MINUTE - 1), State::Alarm);
    assert_eq!(state(&[depth("q", 0, 1.0)], MINUTE), State::Ok);
    assert_eq!(state(&[depth("q", 0, 0.0)], 0), State::Ok);
}

#[test]
fn m_of_n_periods_and_what_is_missing() {
    let three = alarm(&json!({"EvaluationPeriods": 3}));
    let points = [depth("q", 0, 1.0), depth("q", MINUTE, 1.0), depth("q", 2 * MINUTE, 1.0)];
    assert_eq!(three.state(&points[1..], 2 * MINUTE), Ok(State::Ok));
    assert_eq!(three.state(&points, 2 * MINUTE), Ok(State::Alarm));
    let one_of_three = alarm(&json!({"EvaluationPeriods": 3, "DatapointsToAlarm": "1"}));
    assert_eq!(one_of_three.state(&points[..1], 2 * MINUTE), Ok(State::Alarm));
    assert_eq!(one_of_three.state(&points[..1], 3 * MINUTE), Ok(State::Ok));
    let silence = |missing: &str| alarm(&json!({"TreatMissingData": missing})).state(&[], 0);
    assert_eq!(silence("breaching"), Ok(State::Alarm));
    assert_eq!(silence("notBreaching"), Ok(State::Ok));
    assert_eq!(silence("missing"), Ok(State::InsufficientData));
}

#[test]
fn percentiles_sums_and_averages() {
    let points: Vec<Datapoint> = (1..=20).map(|value| depth("q", 0, f64::from(value))).collect();
    for (statistic, value) in [("p95", 19.0), ("p50", 10.0)] {
        let above =
            |threshold| alarm(&json!({"ExtendedStatistic": statistic, "Threshold": threshold})).state(&points, 0);
        assert_eq!(
            (above(value - 0.5), above(value)),
            (Ok(State::Alarm), Ok(State::Ok)),
            "{statistic}"
        );
    }
    for (statistic, value) in [
        ("Sum", 210.0),
        ("SampleCount", 20.0),
        ("Average", 10.5),
        ("Minimum", 1.0),
    ] {
        let above = |threshold| alarm(&json!({"Statistic": statistic, "Threshold": threshold})).state(&points, 0);
        assert_eq!(
            (above(value - 0.1), above(value)),
            (Ok(State::Alarm), Ok(State::Ok)),
            "{statistic}"
        );
    }
    assert!(alarm(&json!({"Statistic": "Odd"})).state(&points, 0).is_err());
    assert!(alarm(&json!({"ComparisonOperator": "Odd"})).state(&points, 0).is_err());
}

#[test]
fn expressions_add_up_and_queries_ask_every_dimension() {
    let stat = |id: &str, queue: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {"Stat": "Sum", "Period": 60, "Metric": {
            "Namespace": "AWS/SQS", "MetricName": "Depth", "Dimensions": [{"Name": "QueueName", "Value": queue}]}}})
    };
    let sum = |expression: &str| {
        Alarm::read(&json!({
            "AlarmName": "a", "Metrics": [stat("a", "q"), stat("b", "r"), {"Id": "s", "Expression": expression}],
            "EvaluationPeriods": 1, "Threshold": 2, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
        }))
    };
    let points = [depth("q", 0, 2.0), depth("r", 0, 1.0)];
    for expression in ["a + b", "SUM(METRICS())"] {
        let sum = sum(expression).expect("it is modelled");
        assert_eq!(sum.state(&points, 0), Ok(State::Alarm));
        assert_eq!(sum.state(&points[..1], 0), Ok(State::Ok));
        assert_eq!(sum.watched().len(), 2);
    }
    assert!(sum("MAX(METRICS())").is_err());
    let query = Alarm::read(&json!({
        "AlarmName": "a", "Metrics": [{"Id": "q", "Expression": "SELECT SUM(Depth) FROM \"AWS/SQS\"", "Period": 60, "ReturnData": true}],
        "EvaluationPeriods": 1, "Threshold": 2, "ComparisonOperator": "GreaterThanThreshold",
    }));
    assert_eq!(query.expect("it is modelled").state(&points, 0), Ok(State::Alarm));
}
