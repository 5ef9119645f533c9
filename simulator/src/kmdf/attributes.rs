//! `WDF_OBJECT_ATTRIBUTES`: what each function allows in them, by KMDF's fxvalidatefunctions.cpp,
//! `FxValidateObjectAttributes`.

use super::STATUS_INFO_LENGTH_MISMATCH;
use crate::computer::Call;

/// wdfstatus.h.
pub(super) const STATUS_WDF_OBJECT_ATTRIBUTES_INVALID: u64 = 0xC020_0209;
const STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED: u64 = 0xC020_020F;
const STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID: u64 = 0xC020_0210;
const STATUS_WDF_EXECUTION_LEVEL_INVALID: u64 = 0xC020_0211;
const STATUS_WDF_PARENT_NOT_SPECIFIED: u64 = 0xC020_0212;

/// `WDF_EXECUTION_LEVEL`.
const LEVEL_INHERITED: u32 = 1;
const LEVEL_PASSIVE: u32 = 2;
const LEVEL_DISPATCH: u32 = 3;

/// `WDF_SYNCHRONIZATION_SCOPE`.
const SCOPE_INHERITED: u32 = 1;
const SCOPE_DEVICE: u32 = 2;
const SCOPE_QUEUE: u32 = 3;
const SCOPE_NONE: u32 = 4;

/// `WDF_OBJECT_CONTEXT_TYPE_INFO`: its sizes, today's and that of KMDF 1.0 (fxmin.hpp), and where its fields are.
const CONTEXT_TYPE_SIZES: [u32; 2] = [40, 24];
const CONTEXT_NAME: u64 = 8;
const CONTEXT_SIZE: u64 = 16;

/// `WDF_OBJECT_ATTRIBUTES`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct ObjectAttributes {
    size: u32,
    padding: u32,
    cleanup: u64,
    destroy: u64,
    execution_level: u32,
    synchronization_scope: u32,
    parent: u64,
    context_size_override: u64,
    context_type: u64,
}

/// At which IRQL an object's callbacks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Level {
    /// As those of its parent.
    #[default]
    Inherited,
    /// At `PASSIVE_LEVEL` only.
    Passive,
    /// Up to `DISPATCH_LEVEL`.
    Dispatch,
}

/// Which callbacks the framework does not run at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// As the parent has it.
    #[default]
    Inherited,
    /// Those of one device.
    Device,
    /// Those of one queue.
    Queue,
    /// None.
    None,
}

/// A type of context: the address of its description tells it from others, and nothing else does (KMDF's handleapi.cpp,
/// `FxObjectGetTypedContext`; fxobject.cpp, `AddContext`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContextType {
    pub(super) described_at: u64,
    /// How large a context is.
    pub(super) size: u64,
}

/// What an object's attributes say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes {
    /// `EvtCleanupCallback`, or 0.
    pub(super) cleanup: u64,
    /// `EvtDestroyCallback`, or 0.
    pub(super) destroy: u64,
    pub(super) level: Level,
    pub(super) scope: Scope,
    /// The object that it dies with, where the driver names one.
    pub(super) parent: Option<u64>,
    /// The context that it is born with.
    pub(super) context: Option<ContextType>,
}

/// What a function allows in the attributes that it is given: `FX_VALIDATE_OPTION_*`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allows {
    pub(super) no_attributes: bool,
    pub(super) parent: bool,
    pub(super) level_and_scope: bool,
}

impl Allows {
    /// Attributes that may be left out, without a level and a scope.
    pub(super) const PARENT: Self = Self { no_attributes: true, parent: true, level_and_scope: false };
    /// What configures callbacks, and has the parent that the framework gives it.
    pub(super) const CALLBACKS: Self = Self { no_attributes: true, parent: false, level_and_scope: true };
    /// What configures callbacks, and may have another parent.
    pub(super) const CALLBACKS_AND_PARENT: Self = Self { no_attributes: true, parent: true, level_and_scope: true };
}

impl Attributes {
    /// Reads attributes at `address`, and checks them in KMDF's order; NULL stands for the default ones. Whether the parent is
    /// an object is seen when the object is made (KMDF's fxobject.cpp, `Commit`).
    pub(super) fn read(call: &Call<'_>, address: u64, allows: Allows) -> Result<Self, u64> {
        if address == 0 {
            return if allows.no_attributes { Ok(Self::default()) } else { Err(STATUS_WDF_PARENT_NOT_SPECIFIED) };
        }
        let given: ObjectAttributes = call.read(address);
        if given.size as usize != size_of::<ObjectAttributes>() {
            return Err(STATUS_INFO_LENGTH_MISMATCH);
        }
        let context = context_type(call, &given)?;
        if given.parent != 0 && !allows.parent {
            return Err(STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
        }
        let level = match given.execution_level {
            LEVEL_INHERITED => Level::Inherited,
            LEVEL_PASSIVE => Level::Passive,
            LEVEL_DISPATCH => Level::Dispatch,
            _ => return Err(STATUS_WDF_OBJECT_ATTRIBUTES_INVALID),
        };
        let scope = match given.synchronization_scope {
            SCOPE_INHERITED => Scope::Inherited,
            SCOPE_DEVICE => Scope::Device,
            SCOPE_QUEUE => Scope::Queue,
            SCOPE_NONE => Scope::None,
            _ => return Err(STATUS_WDF_OBJECT_ATTRIBUTES_INVALID),
        };
        if !allows.level_and_scope {
            if ![Scope::Inherited, Scope::None].contains(&scope) {
                return Err(STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID);
            }
            if level != Level::Inherited {
                return Err(STATUS_WDF_EXECUTION_LEVEL_INVALID);
            }
        }
        Ok(Self {
            cleanup: call.callback(given.cleanup, "EvtCleanupCallback"),
            destroy: call.callback(given.destroy, "EvtDestroyCallback"),
            level,
            scope,
            parent: (given.parent != 0).then_some(given.parent),
            context,
        })
    }

    /// The parent that attributes must name: the first look of functions that cannot do without one (KMDF's
    /// fxvalidatefunctions.hpp, `FxValidateObjectAttributesForParentHandle`).
    pub(super) fn required_parent(call: &Call<'_>, address: u64) -> Result<u64, u64> {
        if address == 0 {
            return Err(STATUS_WDF_PARENT_NOT_SPECIFIED);
        }
        let given: ObjectAttributes = call.read(address);
        if given.size as usize != size_of::<ObjectAttributes>() {
            return Err(STATUS_INFO_LENGTH_MISMATCH);
        }
        if given.parent == 0 { Err(STATUS_WDF_PARENT_NOT_SPECIFIED) } else { Ok(given.parent) }
    }
}

fn context_type(call: &Call<'_>, given: &ObjectAttributes) -> Result<Option<ContextType>, u64> {
    let (described_at, wanted) = (given.context_type, given.context_size_override);
    if described_at == 0 {
        // A size without a type.
        return if wanted > 0 { Err(STATUS_WDF_OBJECT_ATTRIBUTES_INVALID) } else { Ok(None) };
    }
    if !CONTEXT_TYPE_SIZES.contains(&call.read(described_at)) {
        return Err(STATUS_INFO_LENGTH_MISMATCH);
    }
    let (name, own): (u64, u64) = (call.read(described_at + CONTEXT_NAME), call.read(described_at + CONTEXT_SIZE));
    if (own > 0 && name == 0) || (wanted > 0 && wanted < own) {
        return Err(STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    }
    Ok(Some(ContextType { described_at, size: if wanted == 0 { own } else { wanted } }))
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_object_attributes_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_OBJECT_ATTRIBUTES", field);
        assert_eq!(facts::size(&facts, "WDF_OBJECT_ATTRIBUTES"), size_of::<ObjectAttributes>());
        assert_eq!(offset("EvtCleanupCallback"), offset_of!(ObjectAttributes, cleanup));
        assert_eq!(offset("EvtDestroyCallback"), offset_of!(ObjectAttributes, destroy));
        assert_eq!(offset("ExecutionLevel"), offset_of!(ObjectAttributes, execution_level));
        assert_eq!(offset("SynchronizationScope"), offset_of!(ObjectAttributes, synchronization_scope));
        assert_eq!(offset("ParentObject"), offset_of!(ObjectAttributes, parent));
        assert_eq!(offset("ContextSizeOverride"), offset_of!(ObjectAttributes, context_size_override));
        assert_eq!(offset("ContextTypeInfo"), offset_of!(ObjectAttributes, context_type));
    }

    #[test]
    fn the_layout_of_a_context_type_is_that_of_the_facts() {
        let facts = facts::json();
        assert_eq!(facts::size(&facts, "WDF_OBJECT_CONTEXT_TYPE_INFO"), CONTEXT_TYPE_SIZES[0] as usize);
        assert_eq!(facts::offset(&facts, "WDF_OBJECT_CONTEXT_TYPE_INFO", "ContextName") as u64, CONTEXT_NAME);
        assert_eq!(facts::offset(&facts, "WDF_OBJECT_CONTEXT_TYPE_INFO", "ContextSize") as u64, CONTEXT_SIZE);
    }

    #[test]
    fn the_levels_and_scopes_are_those_of_the_facts() {
        let facts = facts::json();
        let value = |of: &str, name: &str| facts["enums"][of]["enumerators"][name].as_u64();
        for (name, known) in
            [("InheritFromParent", LEVEL_INHERITED), ("Passive", LEVEL_PASSIVE), ("Dispatch", LEVEL_DISPATCH)]
        {
            assert_eq!(value("WDF_EXECUTION_LEVEL", &format!("WdfExecutionLevel{name}")), Some(known.into()), "{name}");
        }
        for (name, known) in [
            ("InheritFromParent", SCOPE_INHERITED),
            ("Device", SCOPE_DEVICE),
            ("Queue", SCOPE_QUEUE),
            ("None", SCOPE_NONE),
        ] {
            let name = format!("WdfSynchronizationScope{name}");
            assert_eq!(value("WDF_SYNCHRONIZATION_SCOPE", &name), Some(known.into()), "{name}");
        }
    }
}
