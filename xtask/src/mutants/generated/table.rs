//! The tables: what became of the mutations of each file and of each kind, and the score.

use std::collections::BTreeMap;

use super::store::Verdict;

/// How many became what.
#[derive(Default, Clone)]
pub struct Counts {
    made: usize,
    not_built: usize,
    same_code: usize,
    equivalent: usize,
    survived: usize,
    /// By the kind of check.
    noticed: BTreeMap<String, usize>,
}

/// The counts of each file, or of each kind.
pub struct Table {
    of: &'static str,
    rows: BTreeMap<String, Counts>,
}

impl Table {
    /// An empty one.
    pub const fn of(of: &'static str) -> Self {
        Self { of, rows: BTreeMap::new() }
    }

    /// Counts one. An equivalent one that nothing has noticed stands apart.
    pub fn count(&mut self, row: &str, verdict: &Verdict, equivalent: bool) {
        let counts = self.rows.entry(row.to_owned()).or_default();
        counts.made += 1;
        match verdict {
            Verdict::NotBuilt => counts.not_built += 1,
            Verdict::SameCode => counts.same_code += 1,
            Verdict::Noticed { by } => {
                // A check is named before the test in it.
                let check = by.split(':').next().unwrap_or_default();
                *counts.noticed.entry(check.to_owned()).or_default() += 1;
            }
            Verdict::Survived if equivalent => counts.equivalent += 1,
            Verdict::Survived => counts.survived += 1,
        }
    }

    /// The sums over all rows.
    pub fn all(&self) -> Counts {
        let mut all = Counts::default();
        for counts in self.rows.values() {
            all.made += counts.made;
            all.not_built += counts.not_built;
            all.same_code += counts.same_code;
            all.equivalent += counts.equivalent;
            all.survived += counts.survived;
            for (check, count) in &counts.noticed {
                *all.noticed.entry(check.clone()).or_default() += count;
            }
        }
        all
    }

    /// Prints the rows, and the sums.
    pub fn print(&self) {
        let width = self.rows.keys().map(String::len).max().unwrap_or(0);
        println!(
            "{:width$} {:>6} {:>12} {:>10} {:>11} {:>9} {:>9}  noticed by",
            self.of, "made", "not compiled", "same code", "equivalent", "noticed", "survived"
        );
        let all = self.all();
        for (row, counts) in self.rows.iter().map(|(row, counts)| (row.as_str(), counts)).chain([("all", &all)]) {
            let Counts { made, not_built, same_code, equivalent, survived, .. } = counts;
            let by: Vec<_> = counts.noticed.iter().map(|(check, count)| format!("{check} {count}")).collect();
            let (noticed, by) = (counts.noticed(), by.join(", "));
            println!(
                "{row:width$} {made:>6} {not_built:>12} {same_code:>10} {equivalent:>11} {noticed:>9} {survived:>9}  {by}"
            );
        }
    }
}

impl Counts {
    /// How many were noticed.
    pub fn noticed(&self) -> usize {
        self.noticed.values().sum()
    }

    /// How many were not, and have no row.
    pub const fn survived(&self) -> usize {
        self.survived
    }

    /// Hundredths of those that can be seen that were noticed.
    pub fn score(&self) -> f64 {
        let (noticed, survived) = (self.noticed(), self.survived);
        if noticed + survived == 0 {
            return 100.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "some thousand")]
        let score = 100.0 * noticed as f64 / (noticed + survived) as f64;
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noticed(by: &str) -> Verdict {
        Verdict::Noticed { by: by.to_owned() }
    }

    fn table(verdicts: &[(Verdict, bool)]) -> Counts {
        let mut table = Table::of("file");
        for (verdict, equivalent) in verdicts {
            table.count("src/a.rs", verdict, *equivalent);
        }
        table.all()
    }

    #[test]
    fn the_score_is_of_those_noticed_and_those_that_survived() {
        let counts = table(&[
            (noticed("scenarios: a"), false),
            (noticed("loom: b"), false),
            (noticed("scenarios: c"), false),
            (Verdict::Survived, false),
            (Verdict::NotBuilt, false),
            (Verdict::SameCode, false),
        ]);
        assert!((counts.score() - 75.0).abs() < 1e-9);
    }

    #[test]
    fn an_equivalent_one_does_not_count_as_survived() {
        let counts = table(&[(noticed("scenarios: a"), false), (Verdict::Survived, true)]);
        assert_eq!((counts.survived(), counts.equivalent), (0, 1));
        assert!((counts.score() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn those_noticed_are_counted_by_check() {
        let counts =
            table(&[(noticed("scenarios: a"), false), (noticed("scenarios: b"), false), (noticed("Miri"), false)]);
        assert_eq!(counts.noticed, BTreeMap::from([("Miri".to_owned(), 1), ("scenarios".to_owned(), 2)]));
    }
}
