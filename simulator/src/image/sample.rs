//! Small images for tests, written byte by byte.

/// Where the section of an image begins, in the file and in memory.
const SECTION: usize = 0x1000;
/// Where in the section the import's name is, and where the code of a driver.
const NAME: usize = 0x60;
const CODE: usize = 0x200;
/// Where in the section of a driver its data is.
const DATA: usize = 0x800;
/// Where its relocations are.
const RELOCATIONS: usize = 0xC00;
/// What stands in the second eight bytes of a driver's data for the address of that data.
pub(crate) const POINTER_TO_DATA: u64 = (SECTION + DATA) as u64;

/// DOS and PE headers for `machine`, and nothing behind them.
pub(crate) fn headers(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 0x40];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3C..0x40].copy_from_slice(&0x40u32.to_le_bytes());
    bytes.extend_from_slice(b"PE\0\0");
    bytes.extend_from_slice(&machine.to_le_bytes());
    bytes
}

/// Where in the section the addresses of imports of `name` are.
fn thunks(name: &[u8]) -> usize {
    (NAME + 2 + name.len() + 1).next_multiple_of(8)
}

/// A native image of one section, which holds `count` imports of `name` from `module`.
pub(crate) fn with_imports(module: &str, count: usize, name: &[u8]) -> Vec<u8> {
    /// Where in the section the module's name is.
    const MODULE: usize = 0x40;
    let thunks = thunks(name);
    let size = (thunks + 8 * (count + 1)).next_multiple_of(0x1000);
    let address = |offset: usize| u32::try_from(SECTION + offset).unwrap().to_le_bytes();

    let mut section = vec![0; size];
    section[..4].copy_from_slice(&address(thunks));
    section[12..16].copy_from_slice(&address(MODULE));
    section[16..20].copy_from_slice(&address(thunks));
    section[MODULE..MODULE + module.len()].copy_from_slice(module.as_bytes());
    section[NAME + 2..NAME + 2 + name.len()].copy_from_slice(name);
    for thunk in section[thunks..].chunks_exact_mut(8).take(count) {
        thunk[..4].copy_from_slice(&address(NAME));
    }

    let mut bytes = headers(0x8664);
    bytes.resize(0x1000, 0);
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x46, &1u16.to_le_bytes()); // sections
    put(0x54, &0xF0u16.to_le_bytes()); // size of the optional header
    put(0x58, &0x20Bu16.to_le_bytes()); // PE32+
    put(0x58 + 56, &address(size)); // size of the image
    put(0x58 + 60, &0x1000u32.to_le_bytes()); // of the headers
    put(0x58 + 68, &1u16.to_le_bytes()); // native
    put(0x58 + 108, &16u32.to_le_bytes()); // data directories
    put(0x58 + 112 + 8, &address(0)); // imports
    put(0x58 + 112 + 12, &40u32.to_le_bytes());
    let header = 0x58 + 0xF0;
    put(header, b".rdata");
    put(header + 8, &u32::try_from(size).unwrap().to_le_bytes());
    put(header + 12, &address(0));
    put(header + 16, &u32::try_from(size).unwrap().to_le_bytes());
    put(header + 20, &0x1000u32.to_le_bytes());
    put(header + 36, &0x4000_0040u32.to_le_bytes());
    bytes.extend_from_slice(&section);
    bytes
}

/// A driver whose entry point calls `import` of `module` and returns `status`, or what the import has returned. A `None` among
/// the import's arguments is the address of `data`, with zeros behind it.
pub(crate) fn driver(
    (module, import): (&str, &str),
    arguments: [Option<u32>; 4],
    data: &[u8],
    status: Option<u32>,
) -> Vec<u8> {
    /// `mov ecx, …`, and so on: `edx`, `r8d`, `r9d`.
    const MOVE: [&[u8]; 4] = [&[0xB9], &[0xBA], &[0x41, 0xB8], &[0x41, 0xB9]];
    /// `lea rcx, [rip+…]`, and so on.
    const LOAD: [&[u8]; 4] = [&[0x48, 0x8D, 0x0D], &[0x48, 0x8D, 0x15], &[0x4C, 0x8D, 0x05], &[0x4C, 0x8D, 0x0D]];
    let mut code = vec![0x48, 0x83, 0xEC, 0x28]; // sub rsp, 28h
    for (n, argument) in arguments.into_iter().enumerate() {
        code.extend(if argument.is_some() { MOVE[n] } else { LOAD[n] });
        code.extend(argument.map_or_else(|| relative(code.len(), DATA), u32::to_le_bytes));
    }
    code.extend([0xFF, 0x15]); // call [rip+…]
    code.extend(relative(code.len(), thunks(import.as_bytes())));
    if let Some(status) = status {
        code.push(0xB8); // mov eax, …
        code.extend(status.to_le_bytes());
    }
    code.extend([0x48, 0x83, 0xC4, 0x28, 0xC3]); // add rsp, 28h; ret

    let mut bytes = with_code(module, import, &code);
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(SECTION + DATA, data);
    if data.get(8..16) == Some(&POINTER_TO_DATA.to_le_bytes()) {
        let page = [u32::try_from(SECTION).unwrap(), 12].map(u32::to_le_bytes);
        let at = 10 << 12 | u16::try_from(DATA + 8).unwrap(); // IMAGE_REL_BASED_DIR64
        put(SECTION + RELOCATIONS, &page.concat());
        put(SECTION + RELOCATIONS + 8, &at.to_le_bytes());
        put(0x58 + 112 + 5 * 8, &[u32::try_from(SECTION + RELOCATIONS).unwrap(), 12].map(u32::to_le_bytes).concat());
    }
    bytes
}

/// A driver whose entry point hands its arguments on to `import` of `module`: by a call, or by a jump, which is its last deed.
pub(crate) fn forwarding((module, import): (&str, &str), by_a_jump: bool) -> Vec<u8> {
    let mut code = if by_a_jump { vec![] } else { vec![0x48, 0x83, 0xEC, 0x28] }; // sub rsp, 28h
    code.extend(if by_a_jump { [0xFF, 0x25] } else { [0xFF, 0x15] }); // jmp or call [rip+…]
    code.extend(relative(code.len(), thunks(import.as_bytes())));
    if !by_a_jump {
        code.extend([0x48, 0x83, 0xC4, 0x28, 0xC3]); // add rsp, 28h; ret
    }
    with_code(module, import, &code)
}

/// How far it is to `target` from behind the four bytes at `place` in the code.
fn relative(place: usize, target: usize) -> [u8; 4] {
    let next = CODE + place + 4;
    i32::try_from(target).unwrap().wrapping_sub(i32::try_from(next).unwrap()).to_le_bytes()
}

/// A native image that imports `import` of `module`, and whose entry point is this code.
fn with_code(module: &str, import: &str, code: &[u8]) -> Vec<u8> {
    let mut bytes = with_imports(module, 1, import.as_bytes());
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x58 + 16, &u32::try_from(SECTION + CODE).unwrap().to_le_bytes()); // the entry point
    put(0x58 + 0xF0 + 36, &0x6000_0060u32.to_le_bytes()); // code, executed and read
    put(SECTION + CODE, code);
    bytes
}
