//! What the engine accepts as policy, and in which order it evaluates it.

use super::super::layer::{Family, Point};
use super::*;

const LAYER: Layer = Layer { point: Point::AuthConnect, family: Family::V4 };
const OTHER_LAYER: Layer = Layer { point: Point::AuthConnect, family: Family::V6 };

fn key(number: u32) -> Guid {
    Guid::new(number, 0, 0, [0; 8])
}

fn sublayer(number: u32, weight: u16) -> SubLayer {
    SubLayer { key: key(number), weight, provider: None, owner: None }
}

fn callout(number: u32) -> ManagedCallout {
    ManagedCallout { key: key(number), id: number, layer: LAYER, provider: None, owner: None }
}

/// An inspection filter of callout 2 in sub-layer 1.
fn filter(number: u32) -> Filter {
    Filter {
        id: u64::from(number),
        key: key(number),
        layer: LAYER,
        sublayer: key(1),
        weight: 0,
        action: Action::Callout { key: key(2), role: Role::Inspection },
        flags: 0,
        context: 0,
        provider: None,
        owner: None,
    }
}

/// A policy that `filter` fits into.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.add_sublayer(sublayer(1, 0)).unwrap();
    policy.add_callout(callout(2)).unwrap();
    policy
}

#[test]
fn a_filter_with_its_sublayer_and_callout_in_place_is_added() {
    assert_eq!(policy().add_filter(filter(10)), Ok(()));
}

#[test]
fn a_filter_needs_its_sublayer() {
    let lost = Filter { sublayer: key(99), ..filter(10) };
    assert_eq!(policy().add_filter(lost), Err(status::FWP_SUBLAYER_NOT_FOUND));
}

#[test]
fn a_filter_needs_its_callout() {
    let lost = Filter { action: Action::Callout { key: key(99), role: Role::Inspection }, ..filter(10) };
    assert_eq!(policy().add_filter(lost), Err(status::FWP_CALLOUT_NOT_FOUND));
}

#[test]
fn a_filter_must_be_at_its_callouts_layer() {
    let elsewhere = Filter { layer: OTHER_LAYER, ..filter(10) };
    assert_eq!(policy().add_filter(elsewhere), Err(status::FWP_INCOMPATIBLE_LAYER));
}

#[test]
fn a_filter_key_is_used_once() {
    let mut policy = policy();
    policy.add_filter(filter(10)).unwrap();
    assert_eq!(policy.add_filter(filter(10)), Err(status::FWP_ALREADY_EXISTS));
}

#[test]
fn a_static_filter_cannot_name_a_dynamic_sublayer() {
    let mut policy = policy();
    policy.add_sublayer(SubLayer { owner: Some(7), ..sublayer(3, 0) }).unwrap();
    let outliving = Filter { sublayer: key(3), ..filter(10) };
    assert_eq!(policy.add_filter(outliving), Err(status::FWP_LIFETIME_MISMATCH));
}

#[test]
fn a_sublayer_key_is_used_once() {
    assert_eq!(policy().add_sublayer(sublayer(1, 5)), Err(status::FWP_ALREADY_EXISTS));
}

#[test]
fn a_callout_key_is_used_once() {
    assert_eq!(policy().add_callout(callout(2)), Err(status::FWP_ALREADY_EXISTS));
}

#[test]
fn heavy_sublayers_are_evaluated_first() {
    let mut policy = policy();
    policy.add_sublayer(sublayer(3, 100)).unwrap();
    policy.add_filter(filter(10)).unwrap();
    policy.add_filter(Filter { sublayer: key(3), ..filter(11) }).unwrap();
    let order: Vec<_> = policy.evaluation_order(LAYER).iter().map(|filter| filter.id).collect();
    assert_eq!(order, [11, 10]);
}

#[test]
fn heavy_filters_are_evaluated_first_within_a_sublayer() {
    let mut policy = policy();
    policy.add_filter(filter(10)).unwrap();
    policy.add_filter(Filter { weight: 5, ..filter(11) }).unwrap();
    let order: Vec<_> = policy.evaluation_order(LAYER).iter().map(|filter| filter.id).collect();
    assert_eq!(order, [11, 10]);
}

#[test]
fn filters_of_other_layers_are_not_evaluated() {
    let mut policy = policy();
    policy.add_filter(filter(10)).unwrap();
    assert!(policy.evaluation_order(OTHER_LAYER).is_empty());
}

#[test]
fn what_a_session_owned_goes_with_it() {
    let mut policy = policy();
    policy.add_filter(Filter { owner: Some(7), ..filter(10) }).unwrap();
    policy.add_filter(filter(11)).unwrap();
    assert_eq!(policy.without_objects_of(7).sizes(), [1, 1, 1, 0]);
}

/// A policy with provider 5 of `owner`'s, and what else `filter` fits into.
fn policy_with_a_provider(owner: Option<SessionId>) -> Policy {
    let mut policy = policy();
    policy.add_provider(Provider { key: key(5), owner }).unwrap();
    policy
}

/// Adds a sub-layer, a callout and a filter of `owner`'s which name `provider`.
fn add_all_with(policy: &mut Policy, provider: Guid, owner: Option<SessionId>) -> [Result<(), Status>; 3] {
    let provider = Some(provider);
    [
        policy.add_sublayer(SubLayer { provider, owner, ..sublayer(3, 0) }),
        policy.add_callout(ManagedCallout { provider, owner, ..callout(4) }),
        policy.add_filter(Filter { provider, owner, ..filter(10) }),
    ]
}

#[test]
fn an_object_needs_the_provider_that_it_names() {
    assert_eq!(add_all_with(&mut policy(), key(5), None), [Err(status::FWP_PROVIDER_NOT_FOUND); 3]);
    assert_eq!(add_all_with(&mut policy_with_a_provider(None), key(5), None), [Ok(()); 3]);
}

#[test]
fn providers_that_are_built_in_are_there_and_cannot_be_added() {
    for key in BUILT_IN_PROVIDERS {
        assert_eq!(add_all_with(&mut policy(), key, None), [Ok(()); 3]);
        assert_eq!(policy().add_provider(Provider { key, owner: None }), Err(status::FWP_ALREADY_EXISTS));
    }
}

#[test]
fn an_object_cannot_outlive_its_provider() {
    let of_seven = || policy_with_a_provider(Some(7));
    assert_eq!(add_all_with(&mut of_seven(), key(5), None), [Err(status::FWP_LIFETIME_MISMATCH); 3]);
    assert_eq!(add_all_with(&mut of_seven(), key(5), Some(8)), [Err(status::FWP_LIFETIME_MISMATCH); 3]);
    assert_eq!(add_all_with(&mut of_seven(), key(5), Some(7)), [Ok(()); 3]);
}

#[test]
fn a_provider_that_any_object_names_cannot_be_deleted() {
    let provider = Some(key(5));
    let naming: [fn(&mut Policy, Option<Guid>); 3] = [
        |policy, provider| policy.add_sublayer(SubLayer { provider, ..sublayer(3, 0) }).unwrap(),
        |policy, provider| policy.add_callout(ManagedCallout { provider, ..callout(4) }).unwrap(),
        |policy, provider| policy.add_filter(Filter { provider, ..filter(10) }).unwrap(),
    ];
    for add in naming {
        let mut policy = policy_with_a_provider(None);
        add(&mut policy, provider);
        assert_eq!(policy.remove_provider(key(5), None), Err(status::FWP_IN_USE));
    }
    assert_eq!(policy_with_a_provider(None).remove_provider(key(5), None), Ok(()));
}

#[test]
fn an_object_is_deleted_from_the_dynamic_session_that_added_it_or_a_static_one_from_a_static_session() {
    let delete = |owner, by| {
        let mut policy = policy();
        policy.add_filter(Filter { owner, ..filter(10) }).unwrap();
        policy.remove_filter(key(10), by)
    };
    assert_eq!((delete(Some(7), Some(7)), delete(None, None)), (Ok(()), Ok(())));
    assert_eq!(delete(Some(7), Some(8)), Err(status::FWP_WRONG_SESSION));
    assert_eq!(delete(Some(7), None), Err(status::FWP_WRONG_SESSION));
    assert_eq!(delete(None, Some(7)), Err(status::FWP_DYNAMIC_SESSION_IN_PROGRESS));
}
