//! Which function an address is in, without names: by the unwind tables, which stripped programs have as well.

/// The address at which the function starts that a return address leads into; `None` if the unwind tables do not tell.
///
/// For a return address pass it as captured: the lookup subtracts one, as [`symbolize`](crate::symbolize) does. A function
/// can be recognised by it where nothing has a name, for example one's own by its function pointer. A function into which
/// others were inlined is one function here.
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
/// As of the last [`refresh`](crate::refresh). Always `None` on platforms other than 64-bit Linux. Code that a compiler has
/// moved out of a function (`.cold`) counts as a function of its own.
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
