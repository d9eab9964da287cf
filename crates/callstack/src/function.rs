//! Finds the function of an address by the unwind tables, which stripped programs have, too.
//!
//! Not here: names ([`crate::symbolize`]).

/// Returns the start of the function that a return address leads into.
///
/// `None` if the unwind tables do not tell. Pass the address as captured: the lookup subtracts one,
/// as [`symbolize`](crate::symbolize) does. A function can be recognised by its start where nothing
/// has a name, one's own by its function pointer. Inlined functions belong to the outer one.
///
/// # Examples
///
/// ```
/// fn own() {}
/// let start = own as fn() as usize;
/// # if cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
/// assert_eq!(callstack::function_start(start + 1), Some(start));
/// # }
/// assert_eq!(callstack::function_start(0x10), None);
/// ```
///
/// # Limitations
///
/// The tables are as of the last [`refresh`](crate::refresh). Always `None` on platforms other than
/// 64-bit Linux. Code that a compiler has moved out of a function (`.cold`) counts as a function of
/// its own.
pub fn function_start(ip: usize) -> Option<usize> {
    let instruction = ip.checked_sub(1)?;
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    return crate::loaded::current().function_start(instruction);
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    {
        let _ = instruction;
        None
    }
}
