//! Conditions of a policy: a field of the request is compared with a value or another field.
//!
//! A condition that cannot be evaluated (an absent field, or values that cannot be compared) does
//! not hold, also if its operator is a negated one.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};

use super::Request;
use crate::value::Value;

/// The maximum memory of a compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// The reason why a condition cannot be used, for the report of its entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConditionError {
    #[error("a condition needs a field")]
    NoField,
    #[error(
        "unknown operator {0:?}: one of eq, ne, lt, gt, lte, gte, in, nin, exists, nexists, \
         contains, ncontains, matches, nmatches"
    )]
    UnknownOperator(String),
    #[error("operator {0} needs a value or value_from")]
    NoValue(&'static str),
    #[error("a condition has either value or value_from")]
    TwoValues,
    #[error("operator {0} needs a list or a single value")]
    NotAList(&'static str),
    #[error("operator {0} needs a text")]
    NotAText(&'static str),
    #[error("not a regular expression: {0}")]
    Pattern(String),
}

/// One condition.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    field: String,
    test: Test,
    /// Whether the result of the test is negated.
    is_negated: bool,
}

#[derive(Clone, Debug)]
enum Test {
    Exists,
    Equal(Operand),
    /// A numeric comparison: whether the field may be less than, equal to, or greater than the
    /// operand.
    Order {
        operand: Operand,
        less: bool,
        equal: bool,
        greater: bool,
    },
    In(Operand),
    Contains(Operand),
    /// A pattern given in the condition.
    Matches(Regex),
    /// A pattern that another field of the request holds.
    MatchesField(String),
}

/// The value that a field is compared with.
#[derive(Clone, Debug)]
enum Operand {
    Value(Value),
    Field(String),
}

impl Operand {
    fn of<'a>(&'a self, request: &'a Request<'_>) -> Option<Cow<'a, Value>> {
        match self {
            Operand::Value(value) => Some(Cow::Borrowed(value)),
            Operand::Field(field) => resolve(field, request),
        }
    }
}

impl Condition {
    /// Creates a condition from its parts; `value` and `value_from` are the fields of the
    /// application file.
    pub(crate) fn new(
        field: &str,
        operator: &str,
        value: Option<Value>,
        value_from: Option<&str>,
    ) -> Result<Condition, ConditionError> {
        if field.is_empty() {
            return Err(ConditionError::NoField);
        }
        let (name, is_negated) = base_operator(operator)
            .ok_or_else(|| ConditionError::UnknownOperator(operator.to_owned()))?;
        if name == "exists" {
            // `exists: false` is the same as `nexists`.
            let is_turned = value.as_ref().and_then(Value::as_bool) == Some(false);
            let is_negated = is_negated != is_turned;
            return Ok(Condition { field: field.to_owned(), test: Test::Exists, is_negated });
        }
        let operand = match (value, value_from) {
            (Some(_), Some(_)) => return Err(ConditionError::TwoValues),
            (None, None) => return Err(ConditionError::NoValue(name)),
            (Some(value), None) => Operand::Value(value),
            (None, Some("")) => return Err(ConditionError::NoValue(name)),
            (None, Some(field)) => Operand::Field(field.to_owned()),
        };
        let test = test(name, operand)?;
        Ok(Condition { field: field.to_owned(), test, is_negated })
    }

    /// Returns whether the condition holds; false if it cannot be evaluated.
    pub(crate) fn holds(&self, request: &Request<'_>) -> bool {
        let field = resolve(&self.field, request);
        let outcome = match (&self.test, field) {
            (Test::Exists, field) => Some(field.is_some()),
            (_, None) => None,
            (test, Some(field)) => test.outcome(&field, request),
        };
        outcome.is_some_and(|holds| holds != self.is_negated)
    }
}

/// Returns the operator without its negation, and whether it is negated.
fn base_operator(operator: &str) -> Option<(&'static str, bool)> {
    Some(match operator {
        "eq" => ("eq", false),
        "ne" => ("eq", true),
        "lt" => ("lt", false),
        "gt" => ("gt", false),
        "lte" => ("lte", false),
        "gte" => ("gte", false),
        "in" => ("in", false),
        "nin" => ("in", true),
        "exists" => ("exists", false),
        "nexists" => ("exists", true),
        "contains" => ("contains", false),
        "ncontains" => ("contains", true),
        "matches" => ("matches", false),
        "nmatches" => ("matches", true),
        _ => return None,
    })
}

fn test(name: &'static str, operand: Operand) -> Result<Test, ConditionError> {
    let order = |operand, less, equal, greater| Test::Order { operand, less, equal, greater };
    Ok(match name {
        "lt" => order(operand, true, false, false),
        "lte" => order(operand, true, true, false),
        "gt" => order(operand, false, false, true),
        "gte" => order(operand, false, true, true),
        "in" => {
            if let Operand::Value(Value::Table(_)) = &operand
                && list(&operand).is_none()
            {
                return Err(ConditionError::NotAList(name));
            }
            Test::In(operand)
        }
        "contains" => Test::Contains(operand),
        "matches" => match operand {
            Operand::Field(field) => Test::MatchesField(field),
            Operand::Value(value) => {
                let pattern = value.as_str().ok_or(ConditionError::NotAText(name))?;
                Test::Matches(compile(pattern).map_err(|error| pattern_error(&error))?)
            }
        },
        _ => Test::Equal(operand),
    })
}

/// Keeps only the last line of the error report; the lines before it show the pattern.
fn pattern_error(error: &regex::Error) -> ConditionError {
    let report = error.to_string();
    let last = report.lines().last().unwrap_or_default();
    ConditionError::Pattern(last.strip_prefix("error: ").unwrap_or(last).to_owned())
}

/// Compiles a pattern. A pattern that would need too much memory is refused, since scripts can
/// supply patterns.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build()
}

/// Returns the items of a literal list.
fn list(operand: &Operand) -> Option<Vec<&Value>> {
    match operand {
        Operand::Value(value) => items(value),
        Operand::Field(_) => None,
    }
}

impl Test {
    /// Evaluates the test; `None` if it cannot be evaluated.
    fn outcome(&self, field: &Value, request: &Request<'_>) -> Option<bool> {
        match self {
            Test::Exists => Some(true),
            Test::Equal(operand) => equal(field, &*operand.of(request)?),
            Test::Order { operand, less, equal, greater } => {
                let ordering = number(field)?.partial_cmp(&number(&*operand.of(request)?)?)?;
                Some(match ordering {
                    std::cmp::Ordering::Less => *less,
                    std::cmp::Ordering::Equal => *equal,
                    std::cmp::Ordering::Greater => *greater,
                })
            }
            Test::In(operand) => {
                let among = operand.of(request)?;
                match items(&among) {
                    Some(items) => Some(items.iter().any(|item| equal(field, item) == Some(true))),
                    None => equal(field, &among),
                }
            }
            Test::Contains(operand) => contains(field, &*operand.of(request)?),
            Test::Matches(pattern) => Some(pattern.is_match(&text(field)?)),
            Test::MatchesField(other) => {
                let other = resolve(other, request)?;
                Some(compile(other.as_str()?).ok()?.is_match(&text(field)?))
            }
        }
    }
}

/// Returns the value of a field; `None` if it is absent.
fn resolve<'a>(field: &str, request: &'a Request<'_>) -> Option<Cow<'a, Value>> {
    let text = |bytes: &[u8]| Some(Cow::Owned(Value::from(bytes)));
    match field {
        "action" => return text(request.action),
        "resource" => return text(request.resource),
        "actor.id" => return text(&request.actor.id),
        _ => {}
    }
    let (root, path) = match (field.strip_prefix("actor.meta."), field.strip_prefix("meta.")) {
        (Some(path), _) => (&request.actor.meta, path),
        (None, Some(path)) => (request.attributes, path),
        (None, None) => (request.attributes, field),
    };
    descend(root, path).filter(|value| !value.is_nil()).map(Cow::Borrowed)
}

/// Follows a dotted path into tables; a part that is a number also finds an item of a list.
fn descend<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(root, |table, part| {
        let by_number = || {
            let index = Value::Integer(part.parse().ok()?);
            let pairs = table.as_table()?;
            pairs.iter().find_map(|(key, value)| (*key == index).then_some(value))
        };
        table.get(part).or_else(by_number)
    })
}

/// Returns the items of a list (an empty table is an empty list); `None` for any other value.
fn items(value: &Value) -> Option<Vec<&Value>> {
    let pairs = value.as_table()?;
    let is_index = |key: &Value| matches!(key, Value::Integer(1..));
    pairs.iter().map(|(key, item)| is_index(key).then_some(item)).collect()
}

/// Returns the value as a number; a string counts if its text is a number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(_) => value.as_str()?.trim().parse().ok(),
        _ => value.as_f64(),
    }
}

/// Returns a scalar as text; `None` for nil, tables and errors.
fn text(value: &Value) -> Option<Cow<'_, [u8]>> {
    Some(match value {
        Value::String(bytes) => Cow::Borrowed(bytes),
        Value::Boolean(flag) => Cow::Owned(flag.to_string().into_bytes()),
        Value::Integer(number) => Cow::Owned(number.to_string().into_bytes()),
        Value::Float(number) => Cow::Owned(number.to_string().into_bytes()),
        Value::Nil | Value::Table(_) | Value::Error(_) => return None,
    })
}

/// Compares two values for equality. If one is a number, a numeric string counts as a number; all
/// other values are compared as text.
fn equal(a: &Value, b: &Value) -> Option<bool> {
    if let (Value::Integer(a), Value::Integer(b)) = (a, b) {
        return Some(a == b);
    }
    let is_number = |value: &Value| matches!(value, Value::Integer(_) | Value::Float(_));
    if (is_number(a) || is_number(b))
        && let (Some(a), Some(b)) = (number(a), number(b))
    {
        return Some(a == b);
    }
    Some(text(a)? == text(b)?)
}

/// Returns whether a string contains a text, or a list contains a value.
fn contains(field: &Value, part: &Value) -> Option<bool> {
    if let Some(items) = items(field) {
        return Some(items.iter().any(|item| equal(item, part) == Some(true)));
    }
    let (Value::String(whole), part) = (field, text(part)?) else { return None };
    Some(part.is_empty() || whole.windows(part.len()).any(|window| *window == *part))
}

#[cfg(test)]
mod tests;
