//! The protocol between a collection and the registry beside which it runs, as a model: every interleaving of a collection
//! with pushes, pulls, mounts, moved and deleted tags and deleted manifests, up to a bound.
//!
//! What a step is follows from the locks: whatever happens while a digest's lock is held alone is one step for all who
//! need that lock, and what a push does under several shared ones is a step for each of its writes. The claims: a tag that is
//! visible can be pulled completely, and who was given a manifest gets what it refers to. Each rule of the protocol is
//! also left out once, to see that the model misses it.

mod collector;
mod store;
mod world;

use stateright::{Checker, Model};

use store::{Item, Repository, Store};
use world::{Client, Protocol, Rule, World};

/// A registry in which clients run beside a collection.
#[derive(Clone, Debug)]
struct Beside {
    start: Store,
    clients: Vec<Client>,
    protocol: Protocol,
}

impl Model for Beside {
    type State = World;
    type Action = world::Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.start.clone(), self.clients.clone())]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Self::Action>) {
        state.actions(actions);
    }

    fn next_state(&self, state: &World, action: Self::Action) -> Option<World> {
        state.after(action, self.protocol)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        vec![
            stateright::Property::always("a visible tag can be pulled", |_, state: &World| {
                state.store.has_only_whole_tags()
            }),
            stateright::Property::always("a promise is kept", |_, state: &World| {
                !state.is_promise_broken
            }),
        ]
    }
}

/// Looks at everything that can happen; returns the number of states, and the claims that fail.
fn explore(start: &Store, clients: &[Client], protocol: Protocol) -> (usize, Vec<&'static str>) {
    let model = Beside { start: start.clone(), clients: clients.to_vec(), protocol };
    let checker = model.checker().spawn_bfs().join();
    let mut broken: Vec<_> = checker.discoveries().into_keys().collect();
    broken.sort_unstable();
    (checker.unique_state_count(), broken)
}

/// What anybody may do, each once.
fn clients() -> Vec<Client> {
    let [r, s] = [Repository::R, Repository::S];
    vec![
        Client::push(r, Item::Manifest),
        Client::push(s, Item::Manifest),
        Client::push(r, Item::Index),
        Client::adopt(r),
        Client::mount(r, s),
        Client::pull(r),
        Client::pull_by_digest(r, Item::Manifest),
        Client::pull_by_digest(r, Item::Index),
        Client::delete_tag(r),
        Client::delete_manifest(r),
    ]
}

/// Stores in which something is garbage, or becomes it.
fn stores() -> Vec<Store> {
    let [r, s] = [Repository::R, Repository::S];
    vec![
        Store::default(),
        // A layer that somebody has pushed long ago, and no manifest.
        Store::default().with_layer(r),
        Store::default().with_manifest(r),
        Store::default().with_manifest(r).tagged(r, Item::Manifest),
        Store::default().with_index(r),
        Store::default().with_index(r).tagged(r, Item::Index),
        Store::default().with_manifest(r).with_manifest(s).tagged(s, Item::Manifest),
        Store::default().with_index(r).tagged(r, Item::Manifest),
    ]
}

#[test]
fn no_collection_takes_anything_from_one_client() {
    for start in stores() {
        for client in clients() {
            let (states, broken) =
                explore(&start, std::slice::from_ref(&client), Protocol::whole());
            assert!(states > 1);
            assert_eq!(broken, [""; 0], "{start:?}\n{client:?}");
        }
    }
}

#[test]
fn no_collection_takes_anything_from_two_clients() {
    let clients = clients();
    let mut states = 0;
    for start in stores() {
        for (index, first) in clients.iter().enumerate() {
            for second in &clients[index..] {
                let pair = [first.clone(), second.clone()];
                let (seen, broken) = explore(&start, &pair, Protocol::whole());
                assert_eq!(broken, [""; 0], "{start:?}\n{pair:?}");
                states += seen;
            }
        }
    }
    assert!(states > 100_000, "{states} states are few for every pair");
}

#[test]
fn an_index_and_its_parts_survive_three_clients() {
    let r = Repository::R;
    let start = Store::default().with_index(r);
    let trio = [Client::adopt(r), Client::pull_by_digest(r, Item::Index), Client::delete_tag(r)];
    assert_eq!(explore(&start, &trio, Protocol::whole()).1, [""; 0]);
}

#[test]
fn a_collection_beside_nobody_takes_all_that_is_garbage() {
    for start in stores() {
        let mut world = World::new(start, Vec::new());
        loop {
            let mut actions = Vec::new();
            world.actions(&mut actions);
            let Some(action) = actions.pop() else { break };
            world = world.after(action, Protocol::whole()).unwrap();
        }
        assert!(world.store.holds_only_what_tags_need(), "{:?}", world.store);
    }
}

#[test]
fn each_rule_of_the_protocol_is_needed() {
    for rule in Rule::ALL {
        let protocol = Protocol::without(rule);
        let clients = clients();
        let is_missed = stores().iter().any(|start| {
            let alone = clients
                .iter()
                .any(|one| !explore(start, std::slice::from_ref(one), protocol).1.is_empty());
            alone
                || clients.iter().any(|first| {
                    clients.iter().any(|second| {
                        let pair = [first.clone(), second.clone()];
                        !explore(start, &pair, protocol).1.is_empty()
                    })
                })
        });
        assert!(is_missed, "nothing is lost without {rule:?}");
    }
}
