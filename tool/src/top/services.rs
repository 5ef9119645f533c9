//! The services in the processes of a snapshot: which they are, only the machine knows that has them, and only while they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use hashbrown::HashMap;

use super::{processes::ProcessId, snapshot::Snapshot};
use crate::source::Service;

/// What is known of services.
pub struct Services {
    /// Tells those that run now.
    list: Box<dyn FnMut() -> Vec<Service>>,
    /// What has been heard of the processes that are still shown.
    known: HashMap<ProcessId, Arc<str>>,
}

impl Services {
    /// Those that `list` tells, whenever it is asked.
    pub fn new(list: impl FnMut() -> Vec<Service> + 'static) -> Self {
        Self { list: Box::new(list), known: HashMap::new() }
    }

    /// Says of each process of the snapshot which services are in it, or were when it was heard of last.
    pub fn name(&mut self, snapshot: &mut Snapshot) {
        let mut names: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for Service { process, name } in (self.list)() {
            names.entry(process).or_default().insert(name);
        }
        // Who has an id now is the newest of those that had it, and one whose flows have all ended may have ended, too.
        let mut newest = HashMap::new();
        for row in snapshot.processes.iter().filter(|row| row.live() > 0) {
            let one = (row.process.created, row.id);
            newest.entry(row.process.id).and_modify(|known| *known = one.max(*known)).or_insert(one);
        }
        let mut known = HashMap::new();
        for row in &snapshot.processes {
            let is_holder = newest.get(&row.process.id).is_some_and(|(_, holder)| *holder == row.id);
            let now = names.get(&row.process.id).filter(|_| is_holder);
            let now = now.map(|names| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ").into());
            if let Some(name) = now.or_else(|| self.known.remove(&row.id)) {
                known.insert(row.id, name);
            }
        }
        self.known = known;
        for row in &mut snapshot.processes {
            row.services = self.known.get(&row.id).cloned();
        }
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Services").field("known", &self.known).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;
    use crate::{
        event::Process,
        top::{
            choice::Choice,
            columns,
            samples::{Heard, flow, process, traffic},
        },
    };

    fn service(process: u32, name: &str) -> Service {
        Service { process, name: name.to_owned() }
    }

    /// What runs, which a test may change.
    fn running(services: &[Service]) -> (Rc<RefCell<Vec<Service>>>, Services) {
        let list = Rc::new(RefCell::new(services.to_vec()));
        let told = Rc::clone(&list);
        (list, Services::new(move || told.borrow().clone()))
    }

    /// The services of each process, by its start key.
    fn named(services: &mut Services, mut snapshot: Snapshot) -> Vec<(u64, Option<String>)> {
        services.name(&mut snapshot);
        let rows = snapshot.processes.iter();
        let mut named: Vec<_> =
            rows.map(|row| (row.process.start_key, row.services.as_deref().map(str::to_owned))).collect();
        named.sort();
        named
    }

    #[test]
    fn a_process_has_the_names_of_all_its_services_and_another_process_none() {
        let (_, mut services) = running(&[service(7, "mpssvc"), service(7, "BFE"), service(9, "Dhcp")]);
        let mut heard = Heard::default();
        heard.open(0, &flow(1, process(7, "svchost.exe"), "10.0.0.9:1"));
        heard.open(0, &flow(2, process(8, "curl.exe"), "10.0.0.9:1"));
        let expected = [(0x107, Some("BFE, mpssvc".to_owned())), (0x108, None)];
        assert_eq!(named(&mut services, heard.snapshot(0)), expected);
    }

    #[test]
    fn of_processes_with_one_id_only_the_newest_has_the_services() {
        let old = process(7, "old.exe");
        let new = Process { start_key: 0x200, created: old.created.later(1), ..process(7, "svchost.exe") };
        for first in [old.clone(), new.clone()] {
            let second = if first == old { &new } else { &old };
            let (_, mut services) = running(&[service(7, "BFE")]);
            let mut heard = Heard::default();
            heard.open(0, &flow(1, first, "10.0.0.9:1")).open(0, &flow(2, second.clone(), "10.0.0.9:1"));
            let expected = [(0x107, None), (0x200, Some("BFE".to_owned()))];
            assert_eq!(named(&mut services, heard.snapshot(0)), expected);
        }
    }

    #[test]
    fn a_process_keeps_the_services_that_it_had_and_gets_none_once_its_flows_have_ended() {
        let (list, mut services) = running(&[service(7, "BFE")]);
        let [one, other] = [7, 8].map(|id| flow(id.into(), process(id, "svchost.exe"), "10.0.0.9:1"));
        let mut heard = Heard::default();
        heard.open(0, &one).open(0, &other);
        named(&mut services, heard.snapshot(0));
        *list.borrow_mut() = vec![service(8, "Dhcp")];
        heard.close(1000, &one, traffic(0, 0, 1000)).close(1000, &other, traffic(0, 0, 1000));
        assert_eq!(named(&mut services, heard.snapshot(1000)), [(0x107, Some("BFE".to_owned())), (0x108, None)]);
    }

    #[test]
    fn services_stand_behind_the_name_and_the_filter_finds_them() {
        let (_, mut services) = running(&[service(7, "Dnscache")]);
        let mut heard = Heard::default();
        heard.open(0, &flow(1, process(7, "svchost.exe"), "10.0.0.9:1"));
        heard.open(0, &flow(2, process(8, "svchost.exe"), "10.0.0.9:1"));
        let mut snapshot = heard.snapshot(0);
        services.name(&mut snapshot);
        let rows = |filter: &str| Choice { filter: filter.to_owned(), ..Choice::default() }.rows(&snapshot);
        assert!(columns::row(&rows("dnsc")[0], &snapshot, true).ends_with(" + svchost.exe (Dnscache)"));
        assert_eq!((rows("DNSCACHE").len(), rows("svchost").len()), (1, 2));
    }
}
