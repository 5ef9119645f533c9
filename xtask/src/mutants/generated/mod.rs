//! Generated mutants: every small breakage of the driver that two generators make, and which check notices it.

mod cargo_mutants;
mod equivalents;
mod evidence;
mod made;
mod mutation;
mod on_this_machine;
mod sample;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod trial;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    sync::Mutex,
};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

pub use self::sample::seed_of_commit;
use self::{
    equivalents::Equivalents,
    evidence::Evidence,
    made::Names,
    mutation::{Mutation, told_apart},
    on_this_machine::Depth,
    store::{Found, Store, Verdict},
    table::Table,
    trial::Trial,
};
use super::{hash::hash, tree};
use crate::{lock::lock, setup, target::Target, workspace};

/// Of those that can be seen, so many of a hundred are to be noticed.
const LEAST_SCORE: f64 = 95.0;
/// In a sample of twelve a single one is eight of a hundred: so many may survive all the same.
const SURVIVORS: usize = 2;

/// Which mutations, and what is done with them.
pub struct Request<'a> {
    /// Only so many, chosen by the seed.
    pub sample: Option<usize>,
    /// What chooses them.
    pub seed: u64,
    /// Only our own generator's, and only the tests: nothing is installed, and nothing but tests is built.
    pub quick: bool,
    /// Only those with this in their name.
    pub part: &'a str,
}

impl Request<'_> {
    /// So many of our own, chosen by the commit.
    pub fn quick_sample(count: usize) -> Self {
        Self { sample: Some(count), seed: seed_of_commit(), quick: true, part: "" }
    }
}

/// The driver's files and what can be made of them.
struct Everything {
    texts: BTreeMap<String, String>,
    mutations: Vec<Mutation>,
}

/// Prints the mutations that a run would be about, with the lines that change.
pub fn list(request: &Request) -> Result<()> {
    let Everything { texts, mutations } = made(request)?;
    let count = mutations.len();
    for mutation in chosen(mutations, request) {
        println!("{}\n{}", mutation.name(), mutation.diff(&texts[&mutation.file]));
    }
    eprintln!("{count} mutations are made");
    Ok(())
}

/// Makes mutations, builds each, and looks for a check that notices; prints the survivors and the table.
pub fn run(request: &Request) -> Result<()> {
    setup::ensure(Target::X64, &[])?;
    setup::ensure(Target::Arm64, &[])?;
    let Everything { texts, mutations } = made(request)?;
    let equivalents = Equivalents::read()?;
    let names: HashSet<_> = mutations.iter().map(Mutation::name).collect();
    let mut complaints = equivalents.complaints(&names, !request.quick);
    let mutations = chosen(mutations, request);
    ensure!(!mutations.is_empty(), "no mutation has “{}” in its name", request.part);

    let depth = if request.quick { Depth::Tests } else { Depth::All };
    let verdicts = verdicts(&mutations, &texts, depth)?;
    let (mut files, mut kinds) = (Table::of("file"), Table::of("kind"));
    for (mutation, verdict) in mutations.iter().zip(&verdicts) {
        let name = mutation.name();
        files.count(&mutation.file, verdict, equivalents.have(&name));
        kinds.count(mutation.kind.name(), verdict, equivalents.have(&name));
        complaints.extend(equivalents.complaint(&name, verdict));
        if *verdict == Verdict::Survived && !equivalents.have(&name) {
            println!("SURVIVED {name}\n{}\n", mutation.diff(&texts[&mutation.file]));
        }
    }
    kinds.print();
    files.print();
    let counts = files.all();
    let (noticed, survived, score) = (counts.noticed(), counts.survived(), counts.score());
    println!("score: {score:.1} %: {noticed} noticed, {survived} survived");
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    ensure!(
        score >= LEAST_SCORE || survived <= SURVIVORS,
        "{survived} mutations pass every check (see above): write the test that is missing, or a row with the reason in \
         tests/equivalent_mutants.toml"
    );
    Ok(())
}

/// Everything that the generators make.
fn made(request: &Request) -> Result<Everything> {
    let texts = read_sources()?;
    let names = Names::read(texts.iter().map(|(file, text)| (file.as_str(), text.as_str())))?;
    let mut mutations = Vec::new();
    for (file, text) in &texts {
        mutations.extend(made::mutations(file, text, &names)?);
    }
    if !request.quick {
        mutations.extend(cargo_mutants::mutations(&texts)?);
    }
    let mutations = told_apart(mutations, &texts);
    Ok(Everything { texts, mutations })
}

fn chosen(mutations: Vec<Mutation>, request: &Request) -> Vec<Mutation> {
    let named: Vec<_> = mutations.into_iter().filter(|mutation| mutation.name().contains(request.part)).collect();
    let count = request.sample.unwrap_or(named.len());
    sample::chosen(named, Mutation::name, count, request.seed)
}

/// The driver's source, by name; without files that are there in tests only.
fn read_sources() -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    let mut folders = vec![Path::new("src").to_owned()];
    while let Some(folder) = folders.pop() {
        let listing = fs::read_dir(workspace::root().join(&folder));
        for entry in listing.with_context(|| format!("list {}", folder.display()))? {
            let entry = entry.with_context(|| format!("list {}", folder.display()))?;
            let path = folder.join(entry.file_name());
            let name = path.to_str().context("a file's name is plain text")?.to_owned();
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !name.ends_with("tests.rs") {
                texts.insert(
                    name,
                    fs::read_to_string(entry.path()).with_context(|| format!("read {}", path.display()))?,
                );
            }
        }
    }
    Ok(texts)
}

/// What becomes of each mutation. Two are tried at a time; what is known from an earlier run is not tried again.
fn verdicts(mutations: &[Mutation], texts: &BTreeMap<String, String>, depth: Depth) -> Result<Vec<Verdict>> {
    let key = |mutation: &Mutation| hash([mutation.name(), mutation.diff(&texts[&mutation.file])]);
    let evidence = Mutex::new(Evidence::of(workspace::root(), texts, depth)?);
    let store = Mutex::new(Store::open(&workspace::target_folder().join("generated-mutants/results"))?);
    let known = |mutation: &Mutation| {
        let found = lock(&store).get(&key(mutation)).cloned()?;
        let holds = lock(&evidence).for_verdict(&found.verdict).is_ok_and(|now| now == found.evidence);
        holds.then_some(found.verdict)
    };
    let unknown: Vec<_> = mutations.iter().filter(|mutation| known(mutation).is_none()).collect();
    if !unknown.is_empty() {
        let trees = tree::lay_out_all(Target::X64)?;
        let trial = Trial::prepare(&trees, depth)?;
        let bar = ProgressBar::new(unknown.len() as u64);
        bar.set_style(ProgressStyle::with_template("{pos}/{len} mutations {wide_bar} {eta} left")?);
        tree::share_out(&trees, &unknown, |tree, mutation| {
            let text = mutation.apply(&texts[&mutation.file]);
            let verdict = trial.verdict(tree, mutation, &text).with_context(|| mutation.name())?;
            let said = match &verdict {
                Verdict::NotBuilt => "does not compile",
                Verdict::SameCode => "the same code",
                Verdict::Noticed { by } => by,
                Verdict::Survived => "SURVIVED",
            };
            bar.suspend(|| println!("{}  {said}", mutation.name()));
            bar.inc(1);
            let evidence = lock(&evidence).for_verdict(&verdict)?;
            lock(&store).put(key(mutation), Found { verdict, evidence })
        })?;
        bar.finish_and_clear();
        println!("time: {}", trial.times());
    }
    mutations.iter().map(|mutation| known(mutation).context("a mutation was not tried")).collect()
}
