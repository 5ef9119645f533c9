//! What the driver printed on a host, and how that differs from what it printed on another.

use anyhow::{Result, bail};

/// The driver's lines in order, without what no two hosts have in common: flow handles are numbered in the order in
/// which they appear, and times are left out.
pub struct Transcript(Vec<String>);

impl Transcript {
    /// Of the lines as they were printed.
    pub fn new(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut handles = Vec::new();
        Self(lines.into_iter().map(|line| normalised(line.as_ref().trim_end(), &mut handles)).collect())
    }

    /// Whether another host's transcript is the same.
    ///
    /// # Errors
    /// Shows both, side by side, when they differ.
    pub fn same_as(&self, other: &Self) -> Result<()> {
        if self.0.is_empty() {
            bail!("the simulator printed nothing");
        }
        if self.0 == other.0 {
            return Ok(());
        }
        bail!(
            "it printed other lines than in the simulator (-: only there, +: only here):\n{}",
            difference(&self.0, &other.0)
        )
    }
}

fn normalised(line: &str, handles: &mut Vec<String>) -> String {
    // A path is foreign text, and the last field of its line.
    let (fields, path) = line.find(" path=").map_or((line, ""), |start| line.split_at(start));
    let fields = fields.split(' ').map(|field| match field.split_once('=') {
        Some(("flow", handle)) => {
            let number = handles.iter().position(|seen| seen == handle).unwrap_or_else(|| {
                handles.push(handle.to_owned());
                handles.len() - 1
            });
            format!("flow=#{}", number + 1)
        }
        Some(("ms", _)) => "ms=#".to_owned(),
        _ => field.to_owned(),
    });
    fields.collect::<Vec<_>>().join(" ") + path
}

/// Both, line by line, with as many lines in common as can be.
fn difference(left: &[String], right: &[String]) -> String {
    // common[i][j]: how many lines the rests from i and from j on have in common.
    let mut common = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] =
                if left[i] == right[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            lines.push(format!("  {}", left[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", left[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", right[j]));
            j += 1;
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_numbered_and_times_left_out() {
        let lines = [
            "flowtag: open flow=0x2a1 pid=7 path=\\a ms=3.exe",
            "flowtag: close flow=0x9 ms=12",
            "flowtag: close flow=0x2a1 ms=840 why=deleted\n",
        ];
        let expected = [
            "flowtag: open flow=#1 pid=7 path=\\a ms=3.exe",
            "flowtag: close flow=#2 ms=#",
            "flowtag: close flow=#1 ms=# why=deleted",
        ];
        assert_eq!(Transcript::new(lines).0, expected);
    }

    #[test]
    fn lines_that_only_one_has_are_marked() {
        let [left, right] = [["one", "two", "three"], ["one", "three", "four"]].map(|lines| lines.map(str::to_owned));
        assert_eq!(difference(&left, &right), "  one\n- two\n  three\n+ four");
    }

    #[test]
    fn two_flows_that_change_places_differ() {
        let [left, right] = [["flow=1", "flow=2", "flow=1"], ["flow=1", "flow=2", "flow=2"]].map(Transcript::new);
        assert!(left.same_as(&right).is_err());
        assert!(left.same_as(&Transcript::new(["flow=8", "flow=9", "flow=8"])).is_ok());
    }

    #[test]
    fn silence_is_no_agreement() {
        let nothing = || Transcript::new(<[&str; 0]>::default());
        assert!(nothing().same_as(&nothing()).is_err());
    }
}
