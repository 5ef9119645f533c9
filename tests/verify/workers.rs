//! Many cases at once, in processes of their own.
//!
//! Threads of one process that change mappings hold each other up, and a machine does little else; those of a worker's own
//! simulated machine stay on one processor for the same reason. And a worker that dies takes only its case with it: the
//! others go on.
//!
//! A worker is this program once more, as `flowtag-verify worker CHECK`. It reads a question a line and writes an answer a
//! line, with signs of progress between them.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, anyhow};
use flowtag_simulator::interleave::stay_on;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::caught::caught;

/// What a worker writes.
#[derive(Serialize, Deserialize)]
enum Message<A> {
    /// So many steps of the progress bar.
    Progress(u64),
    /// What came of the question, or what its panic said.
    Answer(Result<A, String>),
}

/// How many processors there are, and so how many workers.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Has workers answer all questions for `check`; what came of each, in their order, or what its panic said.
pub fn ask<Q: Serialize + Sync, A: DeserializeOwned + Send>(
    check: &str,
    questions: &[Q],
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Result<A, String>>> {
    let program = std::env::current_exe().context("where is this program?")?;
    let start = || Worker::start(Command::new(&program).args(["worker", check]));
    ask_workers(&start, questions, bar)
}

fn ask_workers<Q: Serialize + Sync, A: DeserializeOwned + Send>(
    start: &(impl Fn() -> anyhow::Result<Worker> + Sync),
    questions: &[Q],
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Result<A, String>>> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(questions.len()));
    let work = &|processor| -> anyhow::Result<()> {
        stay_on(processor);
        let mut worker = start()?;
        while let (index, Some(question)) = take(&next, questions) {
            let answer = match worker.ask(question, bar) {
                Ok(answer) => answer,
                Err(error) => {
                    let error = format!("{error:#}; {}", worker.end());
                    worker = start()?;
                    Err(error)
                }
            };
            answers.lock().unwrap().push((index, answer));
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..processors().min(questions.len())).map(|processor| scope.spawn(move || work(processor))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("listening to a worker does not panic"))
    })?;
    let mut answers = answers.into_inner().unwrap();
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn take<'a, Q>(next: &AtomicUsize, questions: &'a [Q]) -> (usize, Option<&'a Q>) {
    let index = next.fetch_add(1, Ordering::Relaxed);
    (index, questions.get(index))
}

/// A process that answers; it ends when nobody can ask it any more.
struct Worker {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("a worker did not start")?;
        let questions = process.stdin.take().context("a worker has no input")?;
        let answers = BufReader::new(process.stdout.take().context("a worker has no output")?);
        Ok(Self { process, questions, answers })
    }

    fn ask<A: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        bar: &ProgressBar,
    ) -> anyhow::Result<Result<A, String>> {
        writeln!(self.questions, "{}", serde_json::to_string(question)?).context("a worker took no question")?;
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line).context("a worker's answer cannot be read")? == 0 {
                return Err(anyhow!("a worker died over this case"));
            }
            match serde_json::from_str(&line).with_context(|| format!("a worker said `{line}`"))? {
                Message::Progress(steps) => bar.inc(steps),
                Message::Answer(answer) => return Ok(answer),
            }
        }
    }

    /// Ends it; how it ended, in words.
    fn end(&mut self) -> String {
        // It may have ended by itself.
        let _ = self.process.kill();
        self.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Answers questions from standard input until there are no more: what a worker does.
pub fn serve<Q: DeserializeOwned, A: Serialize>(answer: impl Fn(&Q) -> A) -> anyhow::Result<()> {
    for line in io::stdin().lines() {
        let question = serde_json::from_str(&line.context("a question cannot be read")?)?;
        say(&Message::Answer(caught(|| answer(&question))))?;
    }
    Ok(())
}

/// Tells the program that asked that so many steps are done. If that one is gone, nobody waits for the answer.
pub fn report_progress(steps: u64) {
    if say(&Message::<()>::Progress(steps)).is_err() {
        std::process::exit(1);
    }
}

fn say<A: Serialize>(message: &Message<A>) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(message)?)?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks workers that are shell scripts: each reads `question` and does as `script` says.
    fn ask_shells(script: &str, questions: &[u32]) -> anyhow::Result<Vec<Result<u32, String>>> {
        let script = format!("while read question; do {script}; done");
        let start = || Worker::start(Command::new("/bin/sh").args(["-c", &script]));
        ask_workers(&start, questions, &ProgressBar::hidden())
    }

    #[test]
    fn every_question_has_its_answer_in_its_place() {
        let questions: Vec<u32> = (0..100).collect();
        let answers = ask_shells(r#"echo "{\"Answer\":{\"Ok\":$question}}""#, &questions).unwrap();
        assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), questions);
    }

    #[test]
    fn what_a_panic_said_is_the_answer_to_its_question() {
        let answers = ask_shells(r#"echo "{\"Answer\":{\"Err\":\"no $question\"}}""#, &[7]).unwrap();
        assert_eq!(answers, [Err("no 7".to_owned())]);
    }

    #[test]
    fn a_worker_that_dies_takes_only_its_own_case_with_it() {
        let script = r#"[ $question = 50 ] && kill -SEGV $$; echo "{\"Answer\":{\"Ok\":$question}}""#;
        let answers = ask_shells(script, &(0..100).collect::<Vec<_>>()).unwrap();
        let died = answers[50].as_ref().unwrap_err();
        assert!(died.contains("signal: 11"), "{died}");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 99);
    }

    #[test]
    fn progress_goes_to_the_bar() {
        let bar = ProgressBar::hidden();
        let script = r#"while read question; do echo '{"Progress":3}'; echo '{"Answer":{"Ok":1}}'; done"#;
        let start = || Worker::start(Command::new("/bin/sh").args(["-c", script]));
        ask_workers::<u32, u32>(&start, &[1, 2], &bar).unwrap();
        assert_eq!(bar.position(), 6);
    }
}
