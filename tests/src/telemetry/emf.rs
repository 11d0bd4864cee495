//! The embedded metric format: what Lambda's log lines are to CloudWatch.
//!
//! Invariant: pure; a line that declares no metric gives none, and every value of an array is a datapoint.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde_json::Value;

use super::alarm::{Datapoint, Series};

/// The datapoints of a log line; their instants are the line's own, not yet on anybody's clock.
#[must_use]
pub fn datapoints(line: &str) -> Vec<Datapoint> {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    let Some(at) = line["_aws"]["Timestamp"].as_i64() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        for dimensions in directive["Dimensions"].as_array().into_iter().flatten() {
            let names = dimensions.as_array().into_iter().flatten().filter_map(Value::as_str);
            let dimensions = names.filter_map(|name| Some((name.to_owned(), line[name].as_str()?.to_owned())));
            let dimensions = dimensions.collect();
            let metrics = directive["Metrics"].as_array().into_iter().flatten();
            for name in metrics.filter_map(|metric| metric["Name"].as_str()) {
                let series = Series {
                    namespace: directive["Namespace"].as_str().unwrap_or_default().to_owned(),
                    name: name.to_owned(),
                    dimensions: Clone::clone(&dimensions),
                };
                let values = line[name]
                    .as_array()
                    .map_or_else(|| vec![&line[name]], |many| many.iter().collect());
                let values = values.into_iter().filter_map(Value::as_f64);
                found.extend(values.map(|value| Datapoint {
                    series: series.clone(),
                    at,
                    value,
                }));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_a_datapoint_for_each_value_and_others_none() {
        let line = r#"{"_aws": {"Timestamp": 7, "CloudWatchMetrics": [{"Namespace": "Twinpool", "Dimensions": [["Function"]],
            "Metrics": [{"Name": "Lag", "Unit": "Milliseconds"}, {"Name": "Sent", "Unit": "Count"}]}]},
            "Function": "replicator", "Lag": [1, 2.5], "Sent": 3}"#;
        let found = datapoints(line);
        assert_eq!(
            found.iter().map(|point| point.value).collect::<Vec<_>>(),
            [1.0, 2.5, 3.0]
        );
        assert!(found.iter().all(|point| point.at == 7));
        assert_eq!(
            found[2].series,
            Series::of("Twinpool", "Sent", ("Function", "replicator"))
        );
        assert_eq!(datapoints(r#"{"level": "INFO", "Lag": 1}"#), []);
        assert_eq!(datapoints("START RequestId"), []);
    }
}
