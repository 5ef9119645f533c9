//! What becomes of everything that a driver passes to the framework.

use crate::computer::{Input, argument, field, input::sized_field};

const WRITTEN: &str = "KMDF: written, not read";
const REFERENCES: &str = "KMDF object/fxobject.cpp: kept for debuggers only";
const MISMATCH: &str = "KMDF, where it is read: STATUS_INFO_LENGTH_MISMATCH";
const NO_READS: &str = "KMDF: for reads and writes, which no program here sends";

/// A row of the function table: the driver's globals, and what follows.
macro_rules! inputs {
    ($($row:expr),* $(,)?) => {
        &[argument(0, "DriverGlobals").used("kmdf::tests::other_globals_are_a_violation"), $($row),*]
    };
}

/// The same for a function whose argument `$n` are the attributes of an object.
macro_rules! with_attributes {
    ($n:literal, $name:literal, $parent:literal; $($row:expr),* $(,)?) => {
        inputs![
            $($row,)*
            field($n, 0, concat!($name, ".Size")).refused("kmdf::attributes_tests::attributes_have_one_size", MISMATCH),
            field($n, 8, concat!($name, ".EvtCleanupCallback"))
                .used("kmdf::tests::a_control_device_is_initialized_finished_and_deleted"),
            field($n, 16, concat!($name, ".EvtDestroyCallback"))
                .used("kmdf::life_tests::a_deleted_object_lives_until_its_last_reference_goes"),
            field($n, 24, concat!($name, ".ExecutionLevel")).refused(LEVELS, INVALID_ATTRIBUTES),
            field($n, 28, concat!($name, ".SynchronizationScope")).refused(LEVELS, INVALID_ATTRIBUTES),
            field($n, 32, concat!($name, ".ParentObject")).used($parent),
            field($n, 40, concat!($name, ".ContextSizeOverride"))
                .used("kmdf::attributes_tests::a_size_of_the_drivers_own_needs_a_type_and_is_no_smaller"),
            field($n, 48, concat!($name, ".ContextTypeInfo"))
                .used("kmdf::life_tests::a_context_is_zeroed_and_found_by_its_type"),
        ]
    };
}

const LEVELS: &str = "kmdf::attributes_tests::a_level_and_a_scope_are_one_of_those_that_there_are";
const INVALID_ATTRIBUTES: &str = "KMDF object/fxvalidatefunctions.cpp: STATUS_WDF_OBJECT_ATTRIBUTES_INVALID; a scope that would be kept stops the machine";
const WELL_FORMED: &str = "kmdf::device_init_tests::a_string_that_is_not_well_formed_is_refused";
const DRIVER: Input = argument(1, "Driver").used("kmdf::input_tests::a_handle_of_another_kind_is_a_violation");
const DEVICE: Input = argument(1, "Device").used("kmdf::input_tests::a_handle_of_another_kind_is_a_violation");
const INIT: Input = argument(1, "DeviceInit").used("kmdf::tests::a_device_init_is_freed_once");
const REQUEST: Input = argument(1, "Request").used("kmdf::io_tests::a_request_is_completed_once");
const QUEUE: Input = argument(1, "Queue").used("kmdf::input_tests::a_handle_of_another_kind_is_a_violation");
const WORK_ITEM: Input = argument(1, "WorkItem").used("kmdf::input_tests::a_handle_of_another_kind_is_a_violation");
const KEY: Input = argument(1, "Key").used("kmdf::tests::settings_are_read_from_the_parameters_key");
const HANDLE: Input =
    argument(1, "Handle").used("kmdf::life_tests::a_deleted_object_lives_until_its_last_reference_goes");

pub(super) const BIND: &[Input] = &[
    argument(0, "DriverObject").used("kmdf::tests::a_driver_with_an_unload_callback_can_be_unloaded"),
    field(1, 0, "RegistryPath.Length")
        .used("kmdf::registry_tests::a_driver_that_is_created_leaves_its_version_in_the_registry"),
    field(1, 2, "RegistryPath.MaximumLength").ignored("DDI UNICODE_STRING: only Length is read"),
    field(1, 8, "RegistryPath.Buffer")
        .used("kmdf::registry_tests::a_driver_that_is_created_leaves_its_version_in_the_registry"),
    field(2, 0, "BindInfo.Size").values(
        4,
        &[48, 88],
        "KMDF fxldr.h: WDF_BIND_INFO, and its longer form in newer stubs",
    ),
    field(2, 8, "BindInfo.Component").used("kmdf::tests::a_library_of_another_name_is_refused"),
    field(2, 16, "BindInfo.Version.Major").values(4, &[1], "wdf.h: the only major version so far"),
    field(2, 20, "BindInfo.Version.Minor").used("kmdf::tests::a_version_that_is_too_new_is_refused"),
    field(2, 24, "BindInfo.Version.Build")
        .guess("any build of the stub is taken; the loader's own checks are not published"),
    field(2, 28, "BindInfo.FuncCount").used("kmdf::tests::a_function_count_of_no_version_is_refused"),
    field(2, 32, "BindInfo.FuncTable").used("kmdf::tests::an_old_driver_gets_a_copy_of_the_table"),
    field(2, 40, "BindInfo.Module").ignored("KMDF fxldr.h: the loader's own, which fills it in"),
    argument(3, "ComponentGlobals").used("kmdf::tests::other_globals_are_a_violation"),
];

const SAME_AS_BOUND: &str = "it is taken for what WdfVersionBind was given or gave; one driver is bound at a time";
pub(super) const UNBIND: &[Input] = &[
    field(0, 0, "RegistryPath (the rest)").guess(SAME_AS_BOUND),
    field(1, 0, "BindInfo (the rest)").guess(SAME_AS_BOUND),
    argument(2, "ComponentGlobals").guess(SAME_AS_BOUND),
];

const PATH: &str = "kmdf::driver_tests::a_registry_path_that_is_not_well_formed_is_refused";

pub(super) const DRIVER_CREATE: &[Input] = with_attributes![3, "DriverAttributes", "kmdf::attributes_tests::a_driver_and_a_device_have_the_parent_that_the_framework_gives_them";
    argument(1, "DriverObject").used("kmdf::tests::a_driver_with_an_unload_callback_can_be_unloaded"),
    field(2, 0, "RegistryPath.Length").used(PATH),
    field(2, 2, "RegistryPath.MaximumLength").used(PATH),
    field(2, 8, "RegistryPath.Buffer").used(PATH),
    field(4, 0, "DriverConfig.Size").refused("kmdf::tests::the_driver_config_is_checked", MISMATCH),
    field(4, 8, "DriverConfig.EvtDriverDeviceAdd").used("kmdf::driver_tests::a_non_pnp_driver_has_no_add_device_callback_but_without_dispatch_override"),
    field(4, 16, "DriverConfig.EvtDriverUnload")
        .used("kmdf::tests::a_non_pnp_driver_without_an_unload_callback_cannot_be_unloaded"),
    field(4, 24, "DriverConfig.DriverInitFlags").refused("kmdf::driver_tests::flags_are_known_ones", "KMDF core/fxdriverapi.cpp: STATUS_INVALID_PARAMETER"),
    field(4, 28, "DriverConfig.DriverPoolTag").used("kmdf::driver_tests::the_drivers_tag_is_its_own_or_the_beginning_of_its_services_name"),
    argument(5, "Driver").used("kmdf::tests::a_driver_with_an_unload_callback_can_be_unloaded"),
];

pub(super) const OF_DRIVER: &[Input] = inputs![DRIVER];
pub(super) const OF_DEVICE: &[Input] = inputs![DEVICE];
pub(super) const OF_INIT: &[Input] = inputs![INIT];
pub(super) const OF_REQUEST: &[Input] = inputs![REQUEST];
pub(super) const OF_WORK_ITEM: &[Input] = inputs![WORK_ITEM];
pub(super) const OF_KEY: &[Input] = inputs![KEY];

pub(super) const OBJECT_DELETE: &[Input] =
    inputs![argument(1, "Object").used("kmdf::tests::the_driver_object_is_not_the_drivers_to_delete")];

pub(super) const INIT_ALLOCATE: &[Input] = inputs![
    DRIVER,
    field(2, 0, "SDDLString.Length")
        .used("kmdf::device_init_tests::a_security_descriptor_that_is_none_is_found_when_the_device_is_created"),
    field(2, 2, "SDDLString.MaximumLength").used(WELL_FORMED),
    field(2, 8, "SDDLString.Buffer")
        .guess("any text with a colon is a security descriptor; who may open a device is not modelled"),
];

pub(super) const SET_DEVICE_TYPE: &[Input] =
    inputs![INIT, argument(2, "DeviceType").used("kmdf::tests::what_the_device_init_says_reaches_the_device")];

pub(super) const SET_CHARACTERISTICS: &[Input] = inputs![
    INIT,
    argument(2, "DeviceCharacteristics").flags(
        4,
        0x1FF,
        "wdm.h, FILE_REMOVABLE_MEDIA to FILE_DEVICE_SECURE_OPEN; but for the last two only file systems look at them",
    ),
    argument(3, "OrInValues")
        .used("kmdf::device_init_tests::overwriting_wipes_the_autogenerated_name_and_a_security_descriptor_takes_one"),
];

pub(super) const DEVICE_CREATE: &[Input] = with_attributes![2, "DeviceAttributes", "kmdf::attributes_tests::a_driver_and_a_device_have_the_parent_that_the_framework_gives_them";
    INIT,
    argument(3, "Device").used("kmdf::tests::a_control_device_is_initialized_finished_and_deleted"),
];

pub(super) const CREATE_SYMBOLIC_LINK: &[Input] = inputs![
    DEVICE,
    field(2, 0, "SymbolicLinkName.Length").used("kmdf::io_tests::a_device_is_found_by_its_name_and_its_link"),
    field(2, 2, "SymbolicLinkName.MaximumLength").used(WELL_FORMED),
    field(2, 8, "SymbolicLinkName.Buffer").used("kmdf::io_tests::a_device_is_found_by_its_name_and_its_link"),
];

pub(super) const ASSIGN_NAME: &[Input] = inputs![
    INIT,
    field(2, 0, "DeviceName.Length").used("kmdf::device_init_tests::a_name_takes_the_place_of_the_autogenerated_one"),
    field(2, 2, "DeviceName.MaximumLength").used(WELL_FORMED),
    field(2, 8, "DeviceName.Buffer").used("kmdf::io_tests::a_device_is_found_by_its_name_and_its_link"),
];

const FILES: &str = "kmdf::device_init_tests::a_file_configuration_that_makes_no_sense_is_complained_of";
const COMPLAINED: &str = "KMDF core/fxdeviceinitapi.cpp: its verifier complains, and nothing changes";

pub(super) const SET_FILE_CONFIG: &[Input] = with_attributes![3, "FileObjectAttributes", "kmdf::attributes_tests::a_driver_and_a_device_have_the_parent_that_the_framework_gives_them";
    INIT,
    field(2, 0, "FileObjectConfig.Size").refused(FILES, COMPLAINED),
    field(2, 8, "FileObjectConfig.EvtDeviceFileCreate").used("kmdf::io_tests::a_file_is_created_cleaned_up_and_closed"),
    field(2, 16, "FileObjectConfig.EvtFileClose").used("kmdf::io_tests::a_file_is_created_cleaned_up_and_closed"),
    field(2, 24, "FileObjectConfig.EvtFileCleanup").used("kmdf::io_tests::a_file_is_created_cleaned_up_and_closed"),
    field(2, 32, "FileObjectConfig.AutoForwardCleanupClose").refused(FILES, COMPLAINED),
    field(2, 36, "FileObjectConfig.FileObjectClass").refused(FILES, COMPLAINED),
];

pub(super) const SET_IN_CALLER_CONTEXT: &[Input] = inputs![
    INIT,
    argument(2, "EvtIoInCallerContext")
        .used("kmdf::input_tests::a_control_request_is_told_to_the_caller_context_callback_first"),
];

pub(super) const SET_IO_TYPE: &[Input] = inputs![
    INIT,
    argument(2, "IoType").refused(
        "kmdf::verifier_tests::an_io_type_that_is_none_is_complained_of",
        "KMDF core/km/fxdeviceinitkm.cpp: its verifier complains, and nothing changes",
    )
];

pub(super) const ENQUEUE: &[Input] = inputs![
    DEVICE,
    argument(2, "Request").used("kmdf::input_tests::a_control_request_is_told_to_the_caller_context_callback_first"),
];

const HANDLED: &str = "kmdf::input_tests::a_handler_of_any_kind_will_do";

pub(super) const QUEUE_CREATE: &[Input] = with_attributes![3, "QueueAttributes", "kmdf::queue_tests::a_queue_belongs_below_its_device";
    DEVICE,
    field(2, 0, "Config.Size").refused("kmdf::queue_tests::a_queue_has_one_of_three_sizes", MISMATCH),
    field(2, 4, "Config.DispatchType").refused(
        "kmdf::queue_tests::a_queue_is_configured_without_contradictions",
        "KMDF irphandlers/io/fxioqueue.cpp: STATUS_INVALID_PARAMETER",
    ),
    field(2, 8, "Config.PowerManaged").values(4, &[0, 1, 2], "wdfio.h; a control device has no power to manage, whatever it is"),
    field(2, 12, "Config.AllowZeroLengthRequests").ignored(NO_READS),
    field(2, 13, "Config.DefaultQueue").used("kmdf::queue_tests::there_is_one_default_queue_and_it_is_made_before_the_device_is_ready"),
    field(2, 16, "Config.EvtIoDefault").used("kmdf::queue_tests::requests_without_a_handler_of_their_kind_go_to_the_default_one"),
    field(2, 24, "Config.EvtIoRead").used(HANDLED),
    field(2, 32, "Config.EvtIoWrite").used(HANDLED),
    field(2, 40, "Config.EvtIoDeviceControl").used("kmdf::io_tests::a_control_request_goes_through_the_default_queue_and_back"),
    field(2, 48, "Config.EvtIoInternalDeviceControl").used(HANDLED),
    field(2, 56, "Config.EvtIoStop").ignored("DDI: for power-managed queues"),
    field(2, 64, "Config.EvtIoResume").ignored("DDI: for power-managed queues"),
    field(2, 72, "Config.EvtIoCanceledOnQueue").used("kmdf::queue_tests::a_request_that_the_driver_had_before_is_cancelled_by_the_driver"),
    sized_field(2, 80, "Config.Settings").used("kmdf::queue_tests::a_parallel_queue_presents_as_many_as_it_is_told"),
    sized_field(2, 88, "Config.Driver").used("kmdf::input_tests::the_driver_that_a_queue_is_made_for_is_one"),
    argument(4, "Queue").used("kmdf::queue_tests::purging_a_queue_cancels_what_waits_and_refuses_what_comes"),
];

pub(super) const QUEUE_PURGE: &[Input] = inputs![
    QUEUE,
    argument(2, "PurgeComplete")
        .used("kmdf::queue_tests::a_purged_queue_is_empty_only_when_the_driver_has_completed_its_requests"),
    argument(3, "Context")
        .used("kmdf::queue_tests::a_purged_queue_is_empty_only_when_the_driver_has_completed_its_requests"),
];

pub(super) const NEXT_REQUEST: &[Input] = inputs![
    QUEUE,
    argument(2, "OutRequest").used("kmdf::queue_tests::a_manual_queue_keeps_requests_until_they_are_fetched"),
];

pub(super) const FORWARD: &[Input] = inputs![
    REQUEST,
    argument(2, "DestinationQueue").used("kmdf::queue_tests::a_request_is_not_forwarded_to_the_queue_that_it_is_from"),
];

pub(super) const COMPLETE: &[Input] = inputs![
    REQUEST,
    argument(2, "Status").used("kmdf::input_tests::a_request_ends_with_the_status_and_the_information_given")
];
pub(super) const COMPLETE_WITH_INFORMATION: &[Input] = inputs![
    REQUEST,
    argument(2, "Status").used("kmdf::input_tests::a_request_ends_with_the_status_and_the_information_given"),
    argument(3, "Information").used("kmdf::input_tests::a_request_ends_with_the_status_and_the_information_given"),
];

pub(super) const GET_PARAMETERS: &[Input] = inputs![
    REQUEST,
    field(2, 0, "Parameters.Size")
        .refused("kmdf::io_tests::the_parameters_of_a_request_need_a_structure_of_their_size", MISMATCH),
    field(2, 2, "Parameters (the rest)").ignored(WRITTEN),
];

pub(super) const MEMORY_BUFFER: &[Input] = inputs![
    argument(1, "Memory").used("kmdf::input_tests::memory_of_the_program_is_locked_where_and_as_far_as_it_says"),
    argument(2, "BufferSize").used("kmdf::input_tests::memory_of_the_program_is_locked_where_and_as_far_as_it_says"),
];

pub(super) const LOCK: &[Input] = inputs![
    REQUEST,
    argument(2, "Buffer").used("kmdf::input_tests::memory_of_the_program_is_locked_where_and_as_far_as_it_says"),
    argument(3, "Length").used("kmdf::input_tests::memory_of_the_program_is_locked_where_and_as_far_as_it_says"),
    argument(4, "MemoryObject").used("kmdf::input_tests::memory_of_the_program_is_locked_where_and_as_far_as_it_says"),
];

pub(super) const RETRIEVE_INPUT: &[Input] = inputs![
    REQUEST,
    argument(2, "MinimumRequiredLength").used("kmdf::io_tests::a_buffer_that_is_too_small_is_refused"),
    argument(3, "Buffer").used("kmdf::io_tests::a_control_request_goes_through_the_default_queue_and_back"),
    argument(4, "Length").used("kmdf::io_tests::a_control_request_goes_through_the_default_queue_and_back"),
];
pub(super) const RETRIEVE_OUTPUT: &[Input] = inputs![
    REQUEST,
    argument(2, "MinimumRequiredSize").used("kmdf::io_tests::a_buffer_that_is_too_small_is_refused"),
    argument(3, "Buffer").used("kmdf::io_tests::a_control_request_goes_through_the_default_queue_and_back"),
    argument(4, "Length").used("kmdf::io_tests::a_control_request_goes_through_the_default_queue_and_back"),
];

pub(super) const OPEN_PARAMETERS: &[Input] = with_attributes![3, "KeyAttributes", "kmdf::life_tests::children_go_before_their_parent_and_the_oldest_goes_first";
    DRIVER,
    argument(2, "DesiredAccess").used("kmdf::registry_tests::opening_a_missing_key_to_write_creates_it"),
    argument(4, "Key").used("kmdf::tests::settings_are_read_from_the_parameters_key"),
];

pub(super) const QUERY_ULONG: &[Input] = inputs![
    KEY,
    field(2, 0, "ValueName.Length").used("kmdf::tests::settings_are_read_from_the_parameters_key"),
    field(2, 2, "ValueName.MaximumLength").used(WELL_FORMED),
    field(2, 8, "ValueName.Buffer").used("kmdf::tests::settings_are_read_from_the_parameters_key"),
    argument(3, "Value").used("kmdf::tests::settings_are_read_from_the_parameters_key"),
];

pub(super) const WORK_ITEM_CREATE: &[Input] = with_attributes![2, "Attributes", "kmdf::life_tests::children_go_before_their_parent_and_the_oldest_goes_first";
    field(1, 0, "Config.Size").refused("kmdf::input_tests::a_work_item_configuration_of_another_size_is_refused", MISMATCH),
    field(1, 8, "Config.EvtWorkItemFunc").used("kmdf::life_tests::a_work_item_runs_on_a_worker_thread_and_can_be_waited_for"),
    field(1, 16, "Config.AutomaticSerialization").values(
        1,
        &[0, 1],
        "KMDF core/fxworkitem.cpp: by the lock of its parent's scope, and no scope here has one",
    ),
    argument(3, "WorkItem").used("kmdf::life_tests::a_work_item_runs_on_a_worker_thread_and_can_be_waited_for"),
];

pub(super) const ALLOCATE_CONTEXT: &[Input] = with_attributes![2, "ContextAttributes", "kmdf::life_tests::a_context_is_added_by_attributes_with_a_type_and_no_parent";
    HANDLE,
    argument(3, "Context").used("kmdf::life_tests::a_context_is_zeroed_and_found_by_its_type"),
];

pub(super) const TYPED_CONTEXT: &[Input] = inputs![
    HANDLE,
    argument(2, "TypeInfo").used("kmdf::life_tests::a_context_is_known_by_the_address_of_its_type_alone"),
    field(2, 0, "TypeInfo (the rest)")
        .ignored("KMDF object/handleapi.cpp, FxObjectGetTypedContext: only where it is counts"),
];

pub(super) const REFERENCE: &[Input] = inputs![
    HANDLE,
    argument(2, "Tag").ignored(REFERENCES),
    argument(3, "Line").ignored(REFERENCES),
    argument(4, "File").ignored(REFERENCES),
];
